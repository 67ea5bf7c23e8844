from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.config import state


@pytest.fixture(autouse=True)
def nothing_outside(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of tests are closed to PostgreSQL's account, so that its data would go where a real one's does."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setattr(state, "ELSEWHERE", elsewhere)
    return elsewhere
