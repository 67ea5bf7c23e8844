"""Rows at hand are all rows of a trace or none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from orchestration.telemetry import recent
from orchestration.telemetry.writer import EPOCH_US

TRACE = b"t" * 16


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    recent.forget()
    yield
    recent.forget()


def row(span: bytes, trace: bytes = TRACE) -> tuple[Any, ...]:
    times = 5, 9
    return (
        1,
        times[0],
        trace,
        span,
        None,
        times[1],
        2,
        3,
        4,
        1,
        0,
        False,
        "n",
        "s",
        *[None] * 2,
        1,
        2,
        None,
        None,
        None,
    )


def test_a_trace_is_given_out_once_as_reading_it_would_give_it() -> None:
    recent.keep(1, {TRACE: [row(b"a" * 8)]})

    (found,) = recent.take(1, TRACE, 1) or []

    assert found[:5] == (TRACE, b"a" * 8, None, EPOCH_US + 5, EPOCH_US + 9)
    assert recent.take(1, TRACE, 1) is None


def test_a_trace_of_which_more_is_stored_must_be_read() -> None:
    recent.keep(1, {TRACE: [row(b"a" * 8)]})

    assert recent.take(1, TRACE, 2) is None


def test_no_workspace_gets_the_rows_of_another() -> None:
    recent.keep(1, {TRACE: [row(b"a" * 8)]})

    assert recent.take(2, TRACE, 1) is None


def test_the_oldest_traces_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST_ROWS", 2)

    recent.keep(1, {bytes([i]) * 16: [row(b"a" * 8, bytes([i]) * 16)] for i in range(1, 4)})

    assert [recent.take(1, bytes([i]) * 16, 1) is None for i in range(1, 4)] == [True, False, False]
