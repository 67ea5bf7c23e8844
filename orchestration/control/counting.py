"""What new spans add to figures, to their traces and to signs of life: one pass over a batch."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from orchestration.lib.stats import BOUNDS_US, BUCKETS
from orchestration.telemetry.liveness import PAST_S, Heard
from orchestration.telemetry.rollups import MINUTE_US, SPANS, Tally
from orchestration.telemetry.rows import Taken
from orchestration.telemetry.spans import Outcome
from orchestration.telemetry.writer import EPOCH_US, Row
from orchestration.workflows.traces import Seen

ERROR = int(Outcome.ERROR)
LAST = BUCKETS - 1


@dataclass(slots=True)
class Counted:
    """Contributions of a batch's new spans: figures, by trace, and by agent; and the spans themselves by trace."""

    tally: Tally = field(default_factory=lambda: Tally(SPANS))
    traces: dict[bytes, Seen] = field(default_factory=dict)
    heard: dict[int, Heard] = field(default_factory=dict)
    rows: dict[bytes, list[Row]] = field(default_factory=dict)


def count(fresh: Sequence[tuple[Row, Taken]], received: Sequence[datetime]) -> Counted:
    """`fresh` in order of start. `received`: time of receipt by a span's delivery. A span that claims another's name
    counts under no agent."""
    counted = Counted()
    figures, width, by_trace = counted.tally.rows, counted.tally.width, counted.rows
    newest: dict[int, Row] = {}
    wakes = [int((at.timestamp() - PAST_S) * 1_000_000) - EPOCH_US for at in received]
    for row, taken in fresh:  # every span: nothing is called that can be done without
        started, ended = row[1], row[5]
        agent = 0 if row[11] else row[7]
        key = ((started + EPOCH_US) // MINUTE_US * MINUTE_US, row[6], agent, row[8], row[9])
        found = figures.get(key)
        if found is None:
            found = figures[key] = ([0] * width, {})
        sums, counts = found
        sums[0] += 1
        sums[1] += row[10] == ERROR
        sums[2] += row[16]
        sums[3] += row[17]
        sums[4] += row[18] or 0
        if ended is not None:
            us = ended - started if ended > started else 0
            sums[5] += us // 1000
            column = bisect_left(BOUNDS_US, us, 0, LAST)
            counts[column] = counts.get(column, 0) + 1
        if agent and started >= wakes[taken.delivery] and (agent not in newest or started > newest[agent][1]):
            newest[agent] = row
        if (of := row[2]) in by_trace:
            by_trace[of].append(row)
        else:
            by_trace[of] = [row]
    counted.traces = {trace_id: _seen(rows) for trace_id, rows in by_trace.items()}
    for row, taken in fresh:
        if taken.joins:
            counted.traces[row[2]].keys.update(taken.joins)
    counted.heard = _heard(newest, max(received))
    return counted


def _heard(newest: Mapping[int, Row], latest: datetime) -> dict[int, Heard]:
    heard = {}
    for agent, row in newest.items():
        started = row[1] + EPOCH_US
        heard[agent] = Heard(latest, row[2], row[12], datetime.fromtimestamp(started / 1e6, UTC), started)
    return heard


def _seen(rows: Sequence[Row]) -> Seen:
    """What a trace's new rows, in order of start, tell of it. An end before its start is none."""
    latest = max([row[5] for row in rows if row[5] is not None], default=rows[-1][1])
    seen = Seen(rows[0][1] + EPOCH_US, max(latest, rows[-1][1]) + EPOCH_US, len(rows))
    for row in rows:
        if row[4] is None:
            seen.root = seen.root or row[5] is not None
            seen.conversation = row[15] or seen.conversation
    return seen
