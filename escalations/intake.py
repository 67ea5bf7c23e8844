"""Holds become cases, and cases find their batches. The sweep is the truth, a nudge is haste.

For one workspace at a time, a portion in a transaction of its own, which either happened or did not:

1. news      holds that have changed since they were last looked at (`holds.placing`), by an index that holds only those
2. likeness  what a new one is about, its exact key, and what was decided of such ones before (`precedents`)
3. groups    the open batches of those keys that nobody has in front of them, and what is in them; locked together with
             those of cases that were decided or taken back, before any case is written
4. arrange   `batching`: which case goes where, what differs
5. write     cases (once each, however often this runs), batches, their counts; what a precedent answers by itself
             (`answering`) is closed at once
6. place     the holds are told their batch. One that changed meanwhile, or that somebody is deciding right now, stays
             news and is looked at again
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import structlog
from django.db import connection, transaction
from django.utils import timezone

from escalations import answering, drawers, precedents
from escalations.batching import Group, Place, arrange, places
from escalations.closeness import measure
from escalations.counting import recount
from escalations.models import Batch, Escalation
from escalations.odds import Model
from escalations.titles import title
from orchestration.holds import placing
from orchestration.holds.likeness import Likeness, likeness
from orchestration.holds.models import Answered, State
from orchestration.holds.placing import NEWS, Placed
from orchestration.lib.pulse import publish

Models = Mapping[tuple[str, str], Model | None]  # by agent and act

log = structlog.get_logger(__name__)

PORTION = 250  # holds in one transaction: people who press at the moment wait no longer
LOCK = 0x696E7461  # with the workspace: one at a time
_HOLD = (
    *("id", "workspace_id", "source", "state", "revision", "decision_id", "agent", "application", "run", "run_id"),
    *("step", "question", "proposal", "why", "evidence", "reversible", "policy_id", "policy", "version", "skill"),
    *("people", "opened_at", "due_at", "decided_at", "batch"),
)
_DECISION = ("id", "at", "action_type", "system", "amount", "currency", "facts", "answer")
_JSON = ("evidence", "facts", "answer")
# the last two are the same in all rows: whether anything is kept or was learnt here that would have to be looked up
READ = f"""
select {", ".join(f"h.{name}" for name in _HOLD)}, {", ".join(f"d.{name}" for name in _DECISION)}, e.open, e.batch_id,
    exists (select 1 from escalations_precedent where workspace_id = %(workspace)s and revoked_at is null),
    exists (select 1 from escalations_odds where workspace_id = %(workspace)s)
from holds_hold h left join policies_decision d on d.workspace_id = h.workspace_id and d.id = h.decision_id
left join escalations_escalation e on e.hold_id = h.id
where h.workspace_id = %(workspace)s and
"""
_CASE = [each.attname for each in Escalation._meta.concrete_fields]
CASES = f"""
insert into escalations_escalation ({", ".join(_CASE)})
select {", ".join(_CASE)} from jsonb_populate_recordset(null::escalations_escalation, %s::jsonb) on conflict do nothing
"""
_MOVE = ("hold_id", "batch_id", "number", "standing", "differs", "distance", "selected", "risk")
MOVES = f"""
update escalations_escalation e set {", ".join(f"{name} = t.{name}" for name in _MOVE[1:])}
from jsonb_populate_recordset(null::escalations_escalation, %s::jsonb) t where e.hold_id = t.hold_id
"""


@dataclass(frozen=True, slots=True)
class News:
    """A hold as it is now. `known`: whether its case stood open when last looked at; None: it is no case yet."""

    hold: dict[str, Any]
    decision: dict[str, Any]
    known: bool | None
    batch: UUID | None

    @property
    def open(self) -> bool:
        return bool(self.hold["state"] == State.OPEN)


@dataclass(frozen=True, slots=True)
class Found:
    """`kept`, `learnt`: whether there are precedents, and odds, in the workspace."""

    news: list[News]
    kept: bool = False
    learnt: bool = False


@dataclass(slots=True)
class Written:
    """What is to be stored of a portion."""

    batches: list[Batch] = field(default_factory=list)
    rows: dict[UUID, Escalation] = field(default_factory=dict)
    moved: list[Escalation] = field(default_factory=list)
    touched: set[UUID] = field(default_factory=set)
    people: dict[UUID, int] = field(default_factory=dict)


def take_in(seconds: float = 5.0) -> int:
    """Everything that is news, of all workspaces in turn, for at most so long. Returns how many holds."""
    until, done = time.monotonic() + seconds, 0
    more = True
    while more and time.monotonic() < until:
        found = [_portion(workspace_id) for workspace_id in placing.with_news()]
        done, more = done + sum(found), max(found, default=0) == PORTION
    return done


def look_again(workspace_id: int, hold_ids: Sequence[UUID]) -> int:
    """After a verdict or its undoing was committed: what it changes in the inbox, now and not within a second."""
    portions = (hold_ids[begin : begin + PORTION] for begin in range(0, len(hold_ids), PORTION))
    return sum(_portion(workspace_id, portion) for portion in portions)


def _portion(workspace_id: int, hold_ids: Sequence[UUID] | None = None) -> int:
    with transaction.atomic():
        if not alone(workspace_id, wait=hold_ids is not None):
            return 0
        found = _found(workspace_id, hold_ids)
        if found.news:
            placed = placing.place(_taken_in(workspace_id, found))
            transaction.on_commit(lambda: publish(workspace_id, "batch"))
    return placed if found.news else 0


def alone(workspace_id: int, *, wait: bool) -> bool:
    """Until the end of the transaction no other process takes in holds of this workspace."""
    with connection.cursor() as cursor:
        name = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
        cursor.execute(f"select {name}(%s, %s)", [LOCK, workspace_id])
        return wait or bool(cursor.fetchone()[0])


def _found(workspace_id: int, hold_ids: Sequence[UUID] | None) -> Found:
    """The oldest first."""
    where = "h.id = any(%(holds)s)" if hold_ids is not None else NEWS
    values: dict[str, Any] = {"workspace": workspace_id, "holds": list(hold_ids or ())}
    with connection.cursor() as cursor:
        cursor.execute(f"{READ} {where} order by h.id limit {PORTION}", values)
        rows = cursor.fetchall()
    return Found([_read(row[:-2]) for row in rows], *rows[0][-2:]) if rows else Found([])


def _read(row: Sequence[Any]) -> News:
    *told, known, batch = row
    values = [_plain(name, value) for name, value in zip((*_HOLD, *_DECISION), told, strict=True)]
    hold = dict(zip(_HOLD, values, strict=False))
    decision = dict(zip(_DECISION, values[len(_HOLD) :], strict=True))
    return News(hold, decision if decision["id"] else {}, known, batch)


def _plain(name: str, value: Any) -> Any:
    return orjson.loads(value) if name in _JSON and isinstance(value, str) else value


def _taken_in(workspace_id: int, found: Found) -> list[Placed]:
    """All cases written; returns what is to be placed on the holds."""
    news = found.news
    fresh = [each for each in news if each.known is None]
    written = Written()
    for each in fresh:
        written.rows[each.hold["id"]] = _row(each)
        written.people[each.hold["id"]] = each.hold["people"]
    waiting = [row for row in written.rows.values() if row.open]
    drawers.note_first_seen(
        workspace_id, {each.hold["id"]: each.decision for each in fresh if each.open and each.decision}, written.rows
    )
    if found.kept:
        precedents.mark(workspace_id, waiting, written.people, timezone.now())
    models = drawers.models_of(workspace_id, waiting) if found.learnt else {}
    turned = [each for each in news if each.known is not None and each.known != each.open]
    _arrange(written, waiting, models, workspace_id, {each.batch for each in turned if each.batch})
    store(written)
    written.touched |= _turned(turned)
    _answer(workspace_id, waiting, fresh)
    recount(written.touched, locked=True)
    batch_of = {each.hold["id"]: each.batch for each in news} | {
        row.hold_id: row.batch_id for row in [*written.rows.values(), *written.moved]
    }
    placed = [_placed(each, batch_of) for each in news]
    told = {each.hold_id for each in placed}
    return placed + [Placed(row.hold_id, row.batch_id) for row in written.moved if row.hold_id not in told]


def _answer(workspace_id: int, waiting: list[Escalation], fresh: list[News]) -> None:
    """What a precedent may answer by itself never waits: its batch closes with the commit that opens it."""
    asked = {each.hold["id"]: (each.hold, each.decision) for each in fresh if each.hold["people"] == 1}
    answering.answer(workspace_id, waiting, asked, timezone.now())


def _placed(each: News, batch_of: dict[UUID, UUID | None]) -> Placed:
    hold = each.hold
    return Placed(hold["id"], batch_of[hold["id"]], hold["due_at"], hold["revision"])


def _row(each: News) -> Escalation:
    hold, alike = each.hold, _likeness(each)
    return Escalation(
        hold_id=hold["id"],
        workspace_id=hold["workspace_id"],
        key=alike.key,
        agent=hold["agent"],
        action_type=each.decision.get("action_type") or "",
        policy=hold["policy"],
        version=hold["version"],
        skill=hold["skill"],
        amount=each.decision.get("amount"),
        currency=each.decision.get("currency") or "",
        fields=alike.fields,
        text=alike.text,
        open=each.open,
        opened_at=hold["opened_at"],
        due_at=hold["due_at"],
        closed_at=None if each.open else hold["decided_at"] or timezone.now(),
    )


def _likeness(each: News) -> Likeness:
    """One that cannot be read is a case all the same, and like no other: it must neither be lost nor stop the rest."""
    try:
        return likeness(each.hold, each.decision)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        log.exception("hold_unlike_any", hold=str(each.hold["id"]))
        return Likeness(hashlib.sha256(each.hold["id"].bytes).hexdigest(), {}, each.hold["question"])


def _arrange(written: Written, waiting: list[Escalation], models: Models, workspace_id: int, turned: set[UUID]) -> None:
    by_key: dict[str, list[Escalation]] = defaultdict(list)
    for row in waiting:
        by_key[row.key].append(row)
    known = drawers.open_drawers(workspace_id, by_key, turned)
    for key, rows in sorted(by_key.items()):
        _arrange_key(known[key], rows, models.get((rows[0].agent, rows[0].action_type)), written)


def _arrange_key(drawer: drawers.Drawer, rows: list[Escalation], model: Model | None, written: Written) -> None:
    by_id = {row.hold_id: row for row in (*rows, *drawer.rows)}
    news = [drawers.case_of(row) for row in rows]
    scale = measure([*drawer.usual, *news], prose=not rows[0].action_type, model=model)
    for group in arrange(scale, drawer.groups, news):
        batch = drawer.batches.get(group.id) if group.id else None
        if batch is None:
            batch = new_batch(by_id[group.core[0].id], written)
            written.batches.append(batch)
        seat(batch, group, places(scale, group), by_id, written, drawer.numbers.get(batch.pk, 0))


def new_batch(first: Escalation, written: Written) -> Batch:
    return Batch(
        workspace_id=first.workspace_id,
        key=first.key,
        title=title(first),
        agent=first.agent,
        policy=first.policy,
        version=first.version,
        skill=first.skill,
        people=written.people.get(first.hold_id, 1),
        core={} if first.action_type else {"prose": True},
        opened_at=first.opened_at,
    )


def seat(
    batch: Batch,
    group: Group,
    found: dict[UUID, Place],
    by_id: dict[UUID, Escalation],
    written: Written,
    last: int,
) -> None:
    """Each case of the group its place. Numbers are never given twice: `last` is the last one given."""
    for case in sorted(group.cases, key=lambda each: (each.order, each.id)):
        row, place = by_id[case.id], found[case.id]
        before = (row.batch_id, row.standing, row.differs, row.selected)
        if row.batch_id != batch.pk:
            last += 1
            row.number = last
        row.batch_id, row.standing, row.differs = batch.pk, place.standing, place.differs
        row.distance, row.risk = place.distance, place.risk
        row.selected = place.selected and row.before != Answered.REJECT  # what starts selected starts as a yes
        if before == (row.batch_id, row.standing, row.differs, row.selected):
            continue
        written.touched.update(pk for pk in (before[0], batch.pk) if pk)
        if row.hold_id not in written.rows:
            written.moved.append(row)


def store(written: Written) -> None:
    Batch.objects.bulk_create(written.batches)
    with connection.cursor() as cursor:
        for statement, names, rows in ((CASES, _CASE, written.rows.values()), (MOVES, _MOVE, written.moved)):
            if rows:
                told = [{name: getattr(row, name) for name in names} for row in rows]
                cursor.execute(statement, [orjson.dumps(told, default=str).decode()])


def _turned(turned: Iterable[News]) -> set[UUID]:
    """Cases that people have decided since, and those they have taken back; returns their batches."""
    changed, now = sorted(turned, key=lambda each: each.hold["id"]), timezone.now()
    for each in changed:
        at: datetime | None = None if each.open else each.hold["decided_at"] or now
        Escalation.objects.filter(pk=each.hold["id"]).update(open=each.open, closed_at=at)
    return {each.batch for each in changed if each.batch}
