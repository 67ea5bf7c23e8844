"""The open batches of some keys with what is in them, as newcomers find them, and what is usual in each key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from django.db import DEFAULT_DB_ALIAS, connection

from escalations.batching import LOOKED_AT, Group
from escalations.closeness import Case
from escalations.models import MOST_IN_A_BATCH, Batch, Escalation, Odds, Standing
from escalations.odds import Model
from orchestration.policies import asks

USUAL = 60  # open cases, and as many closed ones, by which a key is measured
JUST_S = 15  # after which a verdict can no longer be taken back: until then its place stays free
_FREE = (
    "closed_at is null and not split and coalesce(claimed_until < now(), true) "
    "and coalesce(snoozed_until < now(), true)"
)
# in the order in which everybody locks batches; `free`: as it is once all are locked
LOCKED = f"""
select id, key, assigned_to_id, claimed_until, {_FREE} free from escalations_batch where id = any(array(
    select id from (
        select id, row_number() over (partition by key order by id desc) place from escalations_batch
        where workspace_id = %s and key = any(%s) and {_FREE} and cases < {MOST_IN_A_BATCH}
    ) found where place <= {LOOKED_AT}
) || %s::uuid[]) order by id for update
"""
_ROW = (
    *("hold_id", "workspace_id", "batch_id", "key", "number", "agent", "action_type", "policy", "version", "skill"),
    *("fields", "text", "standing", "differs", "selected", "open", "opened_at", "before"),
)
INSIDE = f"""
select b.id, (select max(number) from escalations_escalation where batch_id = b.id), {", ".join(f"e.{n}" for n in _ROW)}
from unnest(%s::uuid[]) b(id) left join escalations_escalation e on e.batch_id = b.id
    and (e.open or e.closed_at > now() - interval '{JUST_S} s') order by e.number
"""
KNOWN = f"""
select k.key, e.hold_id, e.fields, e.text from unnest(%s::text[]) k(key), lateral (
    (select hold_id, fields, text from escalations_escalation
        where workspace_id = %s and key = k.key and open limit {USUAL})
    union all
    (select hold_id, fields, text from escalations_escalation
        where workspace_id = %s and key = k.key and not open order by closed_at desc limit {USUAL})
) e
"""
SEEN = """
select t.place, exists (select 1 from policies_past p where p.workspace_id = %s and p.subject = t.subject
    and p.value = t.value and p.at < t.at and p.decision_id <> t.decision)
from unnest(%s::int[], %s::text[], %s::text[], %s::timestamptz[], %s::uuid[]) t(place, subject, value, at, decision)
"""


@dataclass(slots=True)
class Drawer:
    """`batches`, `rows`: that may change. `numbers`: the last given in each batch. `usual`: to measure by."""

    batches: dict[UUID, Batch] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    rows: list[Escalation] = field(default_factory=list)
    numbers: dict[UUID, int] = field(default_factory=dict)
    usual: list[Case] = field(default_factory=list)


def case_of(row: Escalation) -> Case:
    return Case(row.hold_id, row.fields, row.text, row.opened_at)


def open_drawers(workspace_id: int, keys: Iterable[str], also: Iterable[UUID] = ()) -> Mapping[str, Drawer]:
    """One for each key. The batches are locked until the end of the transaction: whoever wants to open one waits for so
    long, and then sees what came in. `also`: other batches of which cases will be written, locked in the same breath:
    who locks twice, or cases before batches, meets somebody who comes from the other side."""
    wanted = list(keys)
    found = {key: Drawer() for key in wanted}
    batches = _free(workspace_id, wanted, also)
    for batch in batches.values():
        found[batch.key].batches[batch.pk] = batch
    _fill(found, batches)
    with connection.cursor() as cursor:
        cursor.execute(KNOWN, [wanted, workspace_id, workspace_id])
        for key, hold_id, fields, text in cursor.fetchall():
            found[key].usual.append(Case(hold_id, orjson.loads(fields), text))
    return found


def models_of(workspace_id: int, rows: Iterable[Escalation]) -> dict[tuple[str, str], Model | None]:
    """What was learnt of the acts of these, by agent and act."""
    acts = {(row.agent, row.action_type) for row in rows if row.action_type}
    found = Odds.objects.filter(workspace_id=workspace_id, agent__in={agent for agent, _ in acts})
    return {(each.agent, each.action_type): each.model for each in found if (each.agent, each.action_type) in acts}


def _free(workspace_id: int, keys: list[str], also: Iterable[UUID]) -> dict[UUID, Batch]:
    """Those that nobody has in front of them, that are not put off and not full."""
    with connection.cursor() as cursor:
        cursor.execute(LOCKED, [workspace_id, keys, list(also)])
        rows = cursor.fetchall()
    names, wanted = ("id", "key", "assigned_to_id", "claimed_until"), set(keys)
    return {row[0]: Batch.from_db(DEFAULT_DB_ALIAS, names, row) for *row, free in rows if free and row[1] in wanted}


def _fill(found: Mapping[str, Drawer], batches: Mapping[UUID, Batch]) -> None:
    rows: dict[UUID, list[Escalation]] = defaultdict(list)
    numbers: dict[UUID, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(INSIDE, [list(batches)])
        for batch_id, last, *row in cursor.fetchall():
            numbers[batch_id] = last or 0
            if row[0]:
                rows[batch_id].append(_case(row))
    for batch in sorted(batches.values(), key=lambda each: each.pk):
        drawer = found[batch.key]
        drawer.rows += rows[batch.pk]
        drawer.numbers[batch.pk] = numbers[batch.pk]
        drawer.groups.append(_group(batch, rows[batch.pk]))


def _case(row: list[Any]) -> Escalation:
    """With what is compared and what may be written of it, and no more: there are many."""
    for name in ("fields", "differs"):
        row[_ROW.index(name)] = orjson.loads(row[_ROW.index(name)])
    return Escalation.from_db(DEFAULT_DB_ALIAS, _ROW, row)


def _group(batch: Batch, rows: list[Escalation]) -> Group:
    """What may change in it. The place of a verdict that can still be taken back stays free."""
    still = [row for row in rows if row.open]
    group = Group(batch.pk, room=MOST_IN_A_BATCH - len(rows), kin=batch.assigned_to_id or 0)
    for row in still:
        (group.differing if row.standing == Standing.DIFFERS else group.core).append(case_of(row))
    group.lonely = any(row.standing == Standing.ALONE for row in still)
    return group


def note_first_seen(
    workspace_id: int, asked: Mapping[UUID, Mapping[str, Any]], rows: Mapping[UUID, Escalation]
) -> None:
    """Whether the account and the customer of a case were ever seen before it, as fields: `known.account`. `asked`:
    decisions by hold."""
    places, columns = [], [[], [], [], [], []]  # type: tuple[list[tuple[UUID, str]], list[list[Any]]]
    for hold_id, decision in asked.items():
        subjects = asks.subjects_in(decision["facts"], "")
        for subject in ("account", "customer"):
            if subject in subjects:
                told = (len(places), subject, subjects[subject], decision["at"], decision["id"])
                for column, value in zip(columns, told, strict=True):
                    column.append(value)
                places.append((hold_id, subject))
    if not places:
        return
    with connection.cursor() as cursor:
        cursor.execute(SEEN, [workspace_id, *columns])
        for place, seen in cursor.fetchall():
            hold_id, subject = places[place]
            rows[hold_id].fields[f"known.{subject}"] = bool(seen)
