"""What new spans add to figures, to their traces and to signs of life: one pass over a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from orchestration.lib.stats import bucket
from orchestration.telemetry.liveness import PAST_S, Heard
from orchestration.telemetry.rollups import MINUTE_US, SPANS, Tally
from orchestration.telemetry.rows import Taken
from orchestration.telemetry.spans import Outcome
from orchestration.telemetry.writer import EPOCH_US, Row
from orchestration.workflows.traces import Seen

ERROR = int(Outcome.ERROR)


@dataclass(slots=True)
class Counted:
    """Contributions of a batch's new spans: figures, by trace, and by agent."""

    tally: Tally = field(default_factory=lambda: Tally(SPANS))
    traces: dict[bytes, Seen] = field(default_factory=dict)
    heard: dict[int, Heard] = field(default_factory=dict)


def count(fresh: Sequence[tuple[Row, Taken]], received: Sequence[datetime]) -> Counted:
    """`received`: time of receipt by a span's delivery. A span that claims another's name counts under no agent."""
    counted = Counted()
    figures, width = counted.tally.rows, counted.tally.width
    newest: dict[int, tuple[int, Row]] = {}
    wakes = [int((at.timestamp() - PAST_S) * 1_000_000) for at in received]
    for row, taken in fresh:  # every span: nothing is called that can be done without
        started = row[1] + EPOCH_US
        agent = 0 if row[11] else row[7]
        key = (started // MINUTE_US * MINUTE_US, row[6], agent, row[8], row[9])
        found = figures.get(key)
        if found is None:
            found = figures[key] = ([0] * width, {})
        sums, counts = found
        sums[0] += 1
        sums[1] += row[10] == ERROR
        sums[2] += row[16]
        sums[3] += row[17]
        sums[4] += row[18] or 0
        if row[5] is not None:
            us = row[5] - row[1] if row[5] > row[1] else 0
            sums[5] += us // 1000
            column = bucket(us)
            counts[column] = counts.get(column, 0) + 1
        if agent and started >= wakes[taken.delivery] and (agent not in newest or started > newest[agent][0]):
            newest[agent] = started, row
    _note(counted.traces, fresh)
    latest = max(received)
    for agent, (started, row) in newest.items():
        at = datetime.fromtimestamp(started / 1e6, UTC)
        counted.heard[agent] = Heard(latest, row[2], row[12], at, started)
    return counted


def _note(traces: dict[bytes, Seen], fresh: Sequence[tuple[Row, Taken]]) -> None:
    for row, taken in fresh:
        started = row[1] + EPOCH_US
        ended = started if row[5] is None or row[5] < row[1] else row[5] + EPOCH_US
        seen = traces.get(row[2])
        if seen is None:
            seen = traces[row[2]] = Seen(started, ended)
        seen.spans += 1
        seen.started = min(seen.started, started)
        seen.ended = max(seen.ended, ended)
        if row[4] is None:
            seen.root = seen.root or row[5] is not None
            seen.conversation = row[15] or seen.conversation
        if taken.joins:
            seen.keys.update(taken.joins)
