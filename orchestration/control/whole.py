"""Traces that came whole: told in the transaction that stores them, from the rows at hand.

When more comes in than goes through, most traces lie in one claim from their first span to their last. Such a one need
not be noted as due, found again, read back and booked a second time: the same fold tells it at once, and what the
digest counted and what the neighbours change of that go into the figures together. It has waited as long as a trace
waits whose root came (`traces.ROOT_S`), so it is told no earlier than any other.

Only what can concern no other trace is told so: its root and all parents are here, it carries no key, nobody links to
it, and it is of no conversation. Who settles what several traces tell waits for us by `WHOLE_LOCK`, and we leave all to
it while it is at work; so none of both ever misses what the other has not committed yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connection
from uuid_utils.compat import uuid7

from orchestration.control import run_rows, settling
from orchestration.control.counting import Counted
from orchestration.control.settling import Told
from orchestration.telemetry.writer import Row
from orchestration.workflows import booking
from orchestration.workflows.booking import Change
from orchestration.workflows.due import Due
from orchestration.workflows.groups import Group
from orchestration.workflows.reading import at_hand


@dataclass(slots=True)
class Whole:
    """What was told at once, by trace. `write` comes after `traces.note` has said which of them are not new."""

    told: dict[bytes, Told] = field(default_factory=dict)

    @property
    def runs(self) -> Mapping[bytes, UUID | None]:
        return {trace_id: one.run_id for trace_id, one in self.told.items()}

    def leave(self, trace_ids: Iterable[bytes]) -> None:
        """To be settled like any other."""
        for trace_id in trace_ids:
            del self.told[trace_id]

    def write(self, workspace_id: int) -> Change:
        """Store the runs; returns what they change of the figures."""
        change = Change()
        told = list(self.told.values())
        run_rows.note_services(workspace_id, [one.story for one in told if not one.run_id])
        settling.write_runs(workspace_id, [one for one in told if one.run_id], change)
        return change


def tell(workspace_id: int, counted: Counted, received_at: datetime, young: Collection[bytes] = ()) -> Whole:
    """Tell what came whole among the new spans and is not `young`. `received_at`: the newest of their receipts."""
    whole = Whole()
    hopeful = {i for i, trace in counted.traces.items() if trace.root and not trace.keys and trace.conversation is None}
    hopeful.difference_update(young)
    if not hopeful or not _may_tell(workspace_id):
        return whole
    hopeful -= _linked(workspace_id, hopeful)
    found = {i: rows for i, rows in counted.rows.items() if i in hopeful and _is_whole(rows)}
    steps = at_hand(workspace_id, found)
    received = round(received_at.timestamp() * 1_000_000)
    for trace_id in found:
        of = counted.traces[trace_id]
        due = Due(trace_id, None, of.started, of.ended, received, of.spans, True, 0, None, None)
        one = settling.tell_one(workspace_id, Group([due]), steps)
        if one.story.root_came and one.story.status in booking.ENDED and one.sizes[trace_id] == of.spans:
            one.run_id = uuid7() if run_rows.is_run(one.story, one.group) else None
            whole.told[trace_id] = one
    return whole


def _may_tell(workspace_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock_shared(%s, %s)", [settling.WHOLE_LOCK, workspace_id])
        return bool(cursor.fetchone()[0])


def _linked(workspace_id: int, trace_ids: Collection[bytes]) -> set[bytes]:
    """Those to which another trace links."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct key from workflows_tracekey where workspace_id = %s and kind = 'link' and key = any(%s)",
            [workspace_id, [trace_id.hex() for trace_id in trace_ids]],
        )
        return {bytes.fromhex(row[0]) for row in cursor}


def _is_whole(rows: Sequence[Row]) -> bool:
    """Every parent is here, and no span is of a conversation."""
    return {row[4] for row in rows} <= {None, *[row[3] for row in rows]} and {row[15] for row in rows} == {None}
