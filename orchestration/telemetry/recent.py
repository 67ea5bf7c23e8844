"""Spans that this process stored just now, by trace: most traces come whole within seconds and are settled at once, so
that reading them back would be for nothing.

A memory only, never the truth: whoever asks says how many rows the trace has, and gets all of them or none. Rows are
kept once they are committed, and given out once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from orchestration.telemetry.writer import EPOCH_US, Row

MOST_ROWS = 40_000

Trace = tuple[int, bytes]  # workspace, trace id

_rows: dict[Trace, list[tuple[Any, ...]]] = {}
_size = [0]  # rows kept in all


def keep(workspace_id: int, traces: Mapping[bytes, Sequence[Row]]) -> None:
    """Keep new rows of `writer`, by trace; the oldest traces make room. Call once they are committed."""
    for trace_id, rows in traces.items():
        _rows.setdefault((workspace_id, trace_id), []).extend(map(_as_read, rows))
        _size[0] += len(rows)
    while _size[0] > MOST_ROWS:
        _size[0] -= len(_rows.pop(next(iter(_rows))))


def take(workspace_id: int, trace_id: bytes, spans: int) -> list[tuple[Any, ...]] | None:
    """All `spans` rows of a trace in the order of `reading.COLUMNS`, None when these are not at hand."""
    held = _rows.pop((workspace_id, trace_id), None)
    if held is None:
        return None
    _size[0] -= len(held)
    return held if len(held) == spans else None


def forget() -> None:
    _rows.clear()
    _size[0] = 0


def _as_read(row: Row) -> tuple[Any, ...]:
    """The row as reading it would give it: narrow columns, times as Unix microseconds."""
    hints = row[20]
    return (
        row[2],
        row[3],
        row[4],
        row[1] + EPOCH_US,
        None if row[5] is None else row[5] + EPOCH_US,
        row[12],
        row[9],
        row[10],
        row[6],
        row[7],
        row[8],
        row[13],
        row[14],
        row[16],
        row[17],
        row[18],
        row[19],
        row[15],
        None if hints is None else orjson.loads(hints[1:]),
        row[11],
    )
