"""Gives open batches to people, as often as the clock likes. For one workspace in one transaction:

1. people    who knows what, who is on duty, who has to keep away (`works`)
2. batches   what they hold, whose they are, what of it is being looked at
3. choose    for a batch that is nobody's, or whose holder may not decide it or has gone (`matching`); one that a person
             has given to somebody, or that somebody has open, stays where it is
4. write     unless somebody was quicker; who is missing, and when they are there, stands on the batch

Where nobody's skills are known nothing is given to anybody: everything is the team's.
"""

from __future__ import annotations

import zoneinfo
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, Min, Sum
from django.utils import timezone

from escalations import works
from escalations.matching import Choice, Load, Person, barred, choose, level_of, shift_end, words
from escalations.models import Batch, Competence, Escalation, Interest
from escalations.works import Open
from orchestration.lib.pulse import publish
from orchestration.policies import rates
from orchestration.workspaces.models import User, Workspace

LOCK = 0x6D617463  # "matc", with the workspace: one at a time
WRITE = """
update escalations_batch b set assigned_to_id = t.person, assigned_why = case when t.moved then t.why
    else b.assigned_why end, short = t.short, covered_at = t.covered_at
from unnest(%s::uuid[], %s::int[], %s::int[], %s::bool[], %s::text[], %s::int[], %s::timestamptz[])
    t(id, was, person, moved, why, short, covered_at)
where b.id = t.id and b.closed_at is null and b.assigned_to_id is not distinct from t.was
    and (not t.moved or b.claimed_until is null or b.claimed_until <= %s)
"""
FREE = """
update escalations_batch set assigned_to_id = null, assigned_why = '', short = 0, covered_at = null
where closed_at is null and not pinned and (assigned_to_id is not null or short > 0)
    and workspace_id not in (select workspace_id from escalations_competence)
"""


@dataclass(frozen=True, slots=True)
class Change:
    batch: UUID
    was: int | None
    person: int | None
    why: str
    short: int
    covered_at: datetime | None

    @property
    def moved(self) -> bool:
        return self.person != self.was


@dataclass(frozen=True, slots=True)
class Uncovered:
    """Cases for which too few people are on duty. `at`: when the first of them have somebody; None: nobody is known."""

    skill: str
    batches: int
    cases: int
    at: datetime | None


@dataclass(slots=True)
class Scene:
    """A workspace at one moment."""

    people: dict[int, Person]
    open: list[Open]
    loads: dict[int, Load]
    now: datetime  # in the zone of the workspace


def match(now: datetime | None = None) -> int:
    """All workspaces in which somebody's skills are known. Returns how many batches changed hands."""
    moment = now or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(FREE)
    spaces = Competence.objects.order_by().values_list("workspace_id", flat=True).distinct()
    return sum(_match(workspace_id, moment) for workspace_id in list(spaces))


def _match(workspace_id: int, now: datetime) -> int:
    with transaction.atomic():
        if not _alone(workspace_id):
            return 0
        seen = scene(workspace_id, now)
        changes = [change for each in seen.open if (change := _settled(each, seen)) is not None]
        moved = _write(changes, now)
        if moved:
            transaction.on_commit(lambda: publish(workspace_id, "batch"))
    return moved


def _alone(workspace_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(%s, %s)", [LOCK, workspace_id])
        return bool(cursor.fetchone()[0])


def scene(workspace_id: int, now: datetime) -> Scene:
    works.read_subjects(workspace_id)
    people = works.people(workspace_id)
    subjects = {subject for person in people.values() for subject in person.interests}
    found = works.open_batches(workspace_id, now, subjects)
    loads: dict[int, Load] = defaultdict(Load)
    for each in found:
        if each.holder is not None:
            _add(loads[each.holder], each)
    return Scene(people, found, loads, now.astimezone(zone_of(workspace_id)))


def zone_of(workspace_id: int) -> zoneinfo.ZoneInfo:
    name = Workspace.objects.values_list("zone", flat=True).get(pk=workspace_id)
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


def _add(load: Load, each: Open, sign: int = 1) -> None:
    load.minutes += sign * each.work.minutes
    load.batches += sign


def _settled(each: Open, seen: Scene) -> Change | None:
    """What has to be written of a batch; None: nothing. Who is given it has more to do from here on."""
    if each.pinned or each.busy:
        return None if not each.short else _change(each, each.holder, "", Choice(None, None, 0, None))
    holder = seen.people.get(each.holder) if each.holder is not None else None
    stays = holder is not None and not barred(holder, each.work) and shift_end(holder, seen.now) is not None
    choice = choose(seen.people.values(), each.work, seen.loads, seen.now)
    if stays:
        return _change(each, each.holder, "", choice)
    if each.holder is not None:
        _add(seen.loads[each.holder], each, -1)
    if choice.person is None:
        return _change(each, None, "", choice)
    why = words(choice.person, each.work, seen.loads[choice.person.id], choice.then)
    _add(seen.loads[choice.person.id], each)
    return _change(each, choice.person.id, why, choice)


def _change(each: Open, person: int | None, why: str, choice: Choice) -> Change | None:
    made = Change(each.work.id, each.holder, person, why, choice.short, choice.at)
    same = (each.short, each.covered_at) == (made.short, made.covered_at) or each.short == made.short == 0
    return made if made.moved or not same else None


def _write(changes: Sequence[Change], now: datetime) -> int:
    if not changes:
        return 0
    columns: list[Any] = [
        [each.batch for each in changes],
        [each.was for each in changes],
        [each.person for each in changes],
        [each.moved for each in changes],
        [each.why for each in changes],
        [each.short for each in changes],
        [each.covered_at for each in changes],
    ]
    with connection.cursor() as cursor:
        # in the order in which everybody locks batches
        cursor.execute("select 1 from escalations_batch where id = any(%s) order by id for update", [columns[0]])
        cursor.execute(WRITE, [*columns, now])
    return sum(each.moved for each in changes)


def raise_up(workspace_id: int, batches: Iterable[UUID], now: datetime, *, again: bool) -> dict[UUID, int]:
    """What is late goes to somebody who knows it better; where it is late again, to anybody else who may decide it.
    One that somebody has open stays. Call inside a transaction; returns who has which batch now."""
    wanted, seen = set(batches), scene(workspace_id, now)
    free = [each for each in seen.open if each.work.id in wanted and not each.busy]
    changes = [change for each in free if (change := _raised(each, seen, again)) is not None]
    _write(changes, now)
    return {each.batch: each.person for each in changes if each.person is not None}


def _raised(each: Open, seen: Scene, again: bool) -> Change | None:
    holder = seen.people.get(each.holder) if each.holder is not None else None
    others = [person for person in seen.people.values() if person.id != each.holder]
    above = level_of(holder, each.work) if holder else 0
    choice = choose(others, each.work, seen.loads, seen.now, above=above)
    if choice.person is None and again:
        choice = choose(others, each.work, seen.loads, seen.now)
    if choice.person is None:
        return None
    known = f"You know {each.work.skill}" if each.work.skill else "You may decide it"
    why = f"{known}. It was late" + (f" with {holder.name}" if holder else "")
    _add(seen.loads[choice.person.id], each)
    return Change(each.work.id, each.holder, choice.person.id, why, 0, None)


def uncovered(workspace: Workspace) -> list[Uncovered]:
    """For which skills too few people are on duty now, the most cases first."""
    found = Batch.objects.filter(workspace=workspace, closed_at=None, short__gt=0).values("skill")
    rows = found.annotate(n=Count("id"), of=Sum("cases"), at=Min("covered_at")).order_by("-of", "skill")
    return [Uncovered(row["skill"], row["n"], row["of"], row["at"]) for row in rows]


def kept_from(workspace_id: int, person: User, people_of: Mapping[UUID, int]) -> dict[UUID, str]:
    """Which of these cases this person may not decide, each with why, whatever the hour; `people_of`: how many have to
    decide each. Empty where nobody's skills are known and the person has no interest in anything."""
    skilled = Competence.objects.filter(workspace_id=workspace_id).exists()
    if not people_of or not (skilled or Interest.objects.filter(workspace_id=workspace_id, person=person).exists()):
        return {}
    me = works.people(workspace_id).get(person.pk)
    if me is None:
        return {}
    works.read_subjects(workspace_id)
    own, known = rates.of(workspace_id)
    rows = Escalation.objects.filter(workspace_id=workspace_id, pk__in=list(people_of))
    found = {row.pk: works.of_case(row, people_of[row.pk], own, known) for row in rows}
    told = found if skilled else {pk: replace(work, skill="") for pk, work in found.items()}
    return {pk: why for pk, work in told.items() if (why := barred(me, work))}
