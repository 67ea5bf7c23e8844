"""The clocks of open cases, as rows: set, moved and removed by `wind`, rung by `ring`. Both are sweeps over all
workspaces, safe when two run.

A clock rings in the transaction that does what follows from it (the receipt, somebody else being asked, the notices),
so that it has rung once and with all its consequences, or not at all. One that was due while nothing ran rings at the
next sweep.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from escalations import assigning, notices
from escalations.models import Alarm, Competence
from orchestration.holds.telling import BY_BATON
from orchestration.ledger import entries
from orchestration.lib.pulse import publish

SOON = "30 minutes"
MATCHED = "5 seconds"  # after which a new case has found whoever is to be told of it
AGAIN = 3  # times after the deadline
SHARE = (timedelta(minutes=15), timedelta(hours=4))  # a deadline's share: half of the time there was, within these
PORTION = 500
CLOCKS = f"""
with wanted as (
    select hold_id, workspace_id, 'new' alarm, opened_at + interval '{MATCHED}' as at
        from escalations_escalation where open
    union all select hold_id, workspace_id, 'soon', due_at - interval '{SOON}' from escalations_escalation
        where open and due_at - interval '{SOON}' > opened_at
    union all select hold_id, workspace_id, 'late', due_at from escalations_escalation where open and due_at is not null
)
"""
SET = (
    CLOCKS
    + """
insert into escalations_clock (hold_id, workspace_id, alarm, at)
select w.hold_id, w.workspace_id, w.alarm, w.at from wanted w left join escalations_clock c
    on c.hold_id = w.hold_id and c.alarm = w.alarm and c.at = w.at
where c.id is null on conflict do nothing
"""
)
# what belongs to a deadline that has moved; `again` and `back` are set by what happens, and end with their case
DROP = """
delete from escalations_clock c using escalations_escalation e
where c.rung_at is null and e.hold_id = c.hold_id and (not e.open or (c.alarm in ('soon', 'late', 'again') and (
    e.due_at is null or (c.alarm = 'late' and c.at <> e.due_at) or (c.alarm = 'again' and c.at <= e.due_at)
    or (c.alarm = 'soon' and c.at <> e.due_at - interval '30 minutes'))))
"""
RING = f"""
with due as (select c.id from escalations_clock c join escalations_escalation e on e.hold_id = c.hold_id and e.open
    where c.rung_at is null and c.at <= %s order by c.at, c.id limit {PORTION} for update of c skip locked),
rung as (update escalations_clock c set rung_at = %s from due where c.id = due.id
    returning c.hold_id, c.workspace_id, c.alarm, c.at)
select r.workspace_id, r.alarm, r.hold_id, r.at, e.batch_id, e.opened_at, e.due_at, b.assigned_to_id,
    e.policy, e.agent
from rung r join escalations_escalation e on e.hold_id = r.hold_id and e.open
left join escalations_batch b on b.id = e.batch_id order by r.at, r.hold_id
"""


@dataclass(frozen=True, slots=True)
class Ring:
    """A clock that has just rung for a case that is open. `holder`: whose it was at that moment."""

    workspace: int
    alarm: str
    hold: UUID
    at: datetime
    batch: UUID | None
    opened_at: datetime
    due_at: datetime | None
    holder: int | None
    policy: str
    agent: str


def sweep(now: datetime | None = None) -> int:
    """Sets what is missing, rings what is due; returns how many rang."""
    wind()
    found = total = ring(now)
    while found == PORTION:
        found = ring(now)
        total += found
    return total


def wind() -> int:
    """Every open case has the clocks of its deadline and no others. Returns how many were set."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(DROP)
        cursor.execute(SET)
        return int(cursor.rowcount)


def ring(now: datetime | None = None) -> int:
    """At most a portion of what is due, each clock once."""
    moment = now or timezone.now()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(RING, [moment, moment])
            rings = [Ring(*row) for row in cursor.fetchall()]
        for workspace_id, mine in _by_workspace(rings).items():
            _rung(workspace_id, mine, moment)
    return len(rings)


def _by_workspace(rings: Sequence[Ring]) -> dict[int, list[Ring]]:
    found: dict[int, list[Ring]] = defaultdict(list)
    for each in rings:
        found[each.workspace].append(each)
    return found


def _rung(workspace_id: int, rings: list[Ring], now: datetime) -> None:
    late = [each for each in rings if each.alarm in (Alarm.LATE, Alarm.AGAIN)]
    _again(late, now)
    moved = _risen(workspace_id, late, now)
    entries.record_all(entries.draft(workspace_id, *_receipt(each, moved), now) for each in late)
    notices.tell(workspace_id, [_news(each, moved) for each in rings], now)
    transaction.on_commit(lambda: publish(workspace_id, "batch"))


def _news(each: Ring, moved: dict[UUID, int]) -> notices.News:
    holder = moved.get(each.batch, each.holder) if each.batch else each.holder
    return notices.News(each.alarm, each.hold, each.batch, holder)


def _again(late: Sequence[Ring], now: datetime) -> None:
    """The next ring of each, a share of its deadline later, a few times."""
    rows = [(each.hold, each.workspace, at) for each in late if (at := next_ring(each, now)) is not None]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into escalations_clock (hold_id, workspace_id, alarm, at) values (%s, %s, 'again', %s) "
                "on conflict do nothing",
                rows,
            )


def next_ring(each: Ring, now: datetime) -> datetime | None:
    """Counted from the deadline; those that were missed while nothing ran are left out."""
    if each.due_at is None:
        return None
    share = min(max((each.due_at - each.opened_at) / 2, SHARE[0]), SHARE[1])
    times = (each.due_at + share * step for step in range(1, AGAIN + 1))
    return next((at for at in times if at > max(now, each.at)), None)


def _risen(workspace_id: int, late: Sequence[Ring], now: datetime) -> dict[UUID, int]:
    """Batches that somebody else is asked about, and who."""
    if not late or not Competence.objects.filter(workspace_id=workspace_id).exists():
        return {}
    first = {each.batch for each in late if each.alarm == Alarm.LATE and each.batch}
    again = {each.batch for each in late if each.alarm == Alarm.AGAIN and each.batch} - first
    moved = assigning.raise_up(workspace_id, first, now, again=False) if first else {}
    return moved | (assigning.raise_up(workspace_id, again, now, again=True) if again else {})


def _receipt(each: Ring, moved: dict[UUID, int]) -> tuple[str, tuple[str, str], str, dict[str, Any]]:
    told: dict[str, Any] = {"due_at": each.due_at.isoformat() if each.due_at else None}
    told |= {"policy": each.policy, "agent": each.agent}
    if each.batch in moved:
        told["to"] = moved[each.batch]
    return f"hold.{'late' if each.alarm == Alarm.LATE else 'late_again'}", ("hold", str(each.hold)), BY_BATON, told
