"""What a process prepares before its work."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from pytest_django import Settings

from orchestration.config import roles
from orchestration.config.state import State


def test_what_an_earlier_start_of_a_worker_left_behind_is_removed(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STATE = State(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", None)
    roles.take_scratch("worker")
    old = Path(tempfile.mkdtemp())
    roles.take_scratch("digest")
    other = Path(tempfile.mkdtemp())

    roles.take_scratch("worker")

    assert not old.exists()
    assert other.exists()
    assert Path(tempfile.mkdtemp()).is_relative_to(tmp_path)
