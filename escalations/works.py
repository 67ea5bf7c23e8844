"""Members and open batches of a workspace as `matching` reads them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.models import Q

from escalations import pace
from escalations.matching import Person, Skill, Work
from escalations.models import Competence, Duty, Escalation, Interest
from orchestration.policies import rates
from orchestration.policies.asks import Rates, worth
from orchestration.workspaces.models import Membership

MOST_SUBJECTS, LONGEST = 100, 200
PORTION = 5_000
READ = f"""
with found as (
    select e.hold_id, array(select distinct lower(v #>> '{{}}')
        from jsonb_path_query(jsonb_build_array(d.facts, h.evidence),
            'strict $.** ? (@.type() == "string" || @.type() == "number")') v
        where length(v #>> '{{}}') between 1 and {LONGEST} limit {MOST_SUBJECTS}) told
    from escalations_escalation e join holds_hold h on h.id = e.hold_id
    left join policies_decision d on d.workspace_id = h.workspace_id and d.id = h.decision_id
    where e.workspace_id = %s and e.open and e.subjects is null limit {PORTION}
)
update escalations_escalation e set subjects = f.told from found f where e.hold_id = f.hold_id
"""
BATCHES = """
select b.id, b.skill, b.people, b.cases, coalesce(nullif(b.skill, ''), nullif(b.policy, ''), b.agent), b.agent,
    b.assigned_to_id, b.pinned, b.claimed_until > %(now)s, b.short, b.covered_at, b.due_at
from escalations_batch b where b.workspace_id = %(workspace)s and b.closed_at is null and b.cases > 0
order by b.due_at, b.id
"""
TOLD = """
select e.batch_id, e.currency, max(coalesce(e.amount,
        case when jsonb_typeof(e.fields -> 'amount') = 'number' then (e.fields ->> 'amount')::numeric end)),
    array_agg(distinct lower(e.raised_by)) filter (where e.raised_by <> ''),
    array_agg(distinct lower(f.language)) filter (where f.language is not null)
from escalations_escalation e left join lateral (
    select coalesce(e.fields ->> 'context.language', e.fields ->> 'arguments.language') language) f on true
where e.workspace_id = %s and e.open and e.batch_id is not null group by 1, 2
"""
TOUCHED = """
select distinct e.batch_id, s from escalations_escalation e, unnest(e.subjects) s
where e.workspace_id = %s and e.open and e.subjects && %s and s = any(%s)
"""
ANSWERED = """
select e.batch_id, (h.first ->> 'by')::int, count(*) from holds_hold h join escalations_escalation e on e.hold_id = h.id
where h.workspace_id = %s and h.state = 'open' and h.people > 1 and h.first is not null and e.open group by 1, 2
"""


@dataclass(slots=True)
class Open:
    """An open batch and whose it is. `busy`: somebody has it in front of them."""

    work: Work
    holder: int | None
    pinned: bool
    busy: bool
    short: int
    covered_at: datetime | None
    due_at: datetime | None


def people(workspace_id: int) -> dict[int, Person]:
    """Members who may decide, with what they know, when they are there and what they must keep away from."""
    may = Q(roles__contains=["reviewer"]) | Q(roles__contains=["admin"])
    members = Membership.objects.filter(may, workspace_id=workspace_id, user__is_active=True).select_related("user")
    skills = _skills(workspace_id)
    duties = {each.person_id: each for each in Duty.objects.filter(workspace_id=workspace_id)}
    interests: dict[int, set[str]] = defaultdict(set)
    for person_id, subject in Interest.objects.filter(workspace_id=workspace_id).values_list("person_id", "subject"):
        interests[person_id].add(subject.casefold())
    return {
        each.user_id: Person(
            id=each.user_id,
            username=each.user.get_username(),
            name=each.user.get_full_name() or each.user.get_username(),
            skills=skills.get(each.user_id, {}),
            hours=_hours(duties.get(each.user_id)),
            away_until=duties[each.user_id].away_until if each.user_id in duties else None,
            interests=frozenset(interests.get(each.user_id, ())),
        )
        for each in members
    }


def _skills(workspace_id: int) -> dict[int, dict[str, Skill]]:
    found: dict[int, dict[str, Skill]] = defaultdict(dict)
    for each in Competence.objects.filter(workspace_id=workspace_id):
        languages = frozenset(str(language).casefold() for language in each.languages)
        found[each.person_id][each.skill.casefold()] = Skill(each.level, each.most, each.currency, languages)
    return found


def _hours(duty: Duty | None) -> Sequence[tuple[int, int] | None]:
    return [tuple(slot) if slot else None for slot in duty.hours] if duty else []


def read_subjects(workspace_id: int) -> None:
    """Whom and what new cases touch, in so far as anybody has an interest in anything."""
    if not Interest.objects.filter(workspace_id=workspace_id).exists():
        return
    with connection.cursor() as cursor:
        cursor.execute(READ, [workspace_id])
        while cursor.rowcount == PORTION:
            cursor.execute(READ, [workspace_id])


def open_batches(workspace_id: int, now: datetime, subjects: Iterable[str]) -> list[Open]:
    """The most urgent first. `subjects`: those in which somebody has an interest."""
    seconds = pace.medians(workspace_id, now)
    amounts, raised, languages = _told(workspace_id)
    touched, answered = _touched(workspace_id, list(subjects)), _answered(workspace_id)
    found = []
    with connection.cursor() as cursor:
        cursor.execute(BATCHES, {"workspace": workspace_id, "now": now})
        for (
            pk,
            skill,
            wanted,
            cases,
            topic,
            agent,
            holder,
            pinned,
            busy,
            short,
            covered_at,
            due_at,
        ) in cursor.fetchall():
            work = Work(
                id=pk,
                skill=skill,
                amounts=tuple(amounts.get(pk, ())),
                languages=frozenset(languages.get(pk, ())),
                subjects=frozenset({*touched.get(pk, ()), agent.casefold(), *raised.get(pk, ())}),
                raised_by=frozenset(raised.get(pk, ())),
                answered=frozenset(who for who, count in answered.get(pk, ()) if count >= cases),
                people=wanted,
                minutes=cases * pace.expected(seconds, topic) / 60,
            )
            found.append(Open(work, holder, pinned, bool(busy), short, covered_at, due_at))
    return found


def _told(
    workspace_id: int,
) -> tuple[dict[UUID, list[tuple[str, Decimal]]], dict[UUID, set[str]], dict[UUID, set[str]]]:
    amounts: dict[UUID, list[tuple[str, Decimal]]] = defaultdict(list)
    raised: dict[UUID, set[str]] = defaultdict(set)
    languages: dict[UUID, set[str]] = defaultdict(set)
    own, known = rates.of(workspace_id)
    with connection.cursor() as cursor:
        cursor.execute(TOLD, [workspace_id])
        for batch, currency, amount, by, spoken in cursor.fetchall():
            if amount is not None:
                amounts[batch].append(_worth(amount, currency, own, known))
            raised[batch].update(by or ())
            languages[batch].update(spoken or ())
    return amounts, raised, languages


def _touched(workspace_id: int, subjects: list[str]) -> dict[UUID, set[str]]:
    found: dict[UUID, set[str]] = defaultdict(set)
    if subjects:
        with connection.cursor() as cursor:
            cursor.execute(TOUCHED, [workspace_id, subjects, subjects])
            for batch, subject in cursor.fetchall():
                found[batch].add(subject)
    return found


def _answered(workspace_id: int) -> dict[UUID, list[tuple[int, int]]]:
    found: dict[UUID, list[tuple[int, int]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(ANSWERED, [workspace_id])
        for batch, person, count in cursor.fetchall():
            found[batch].append((person, count))
    return found


def _worth(amount: Decimal, currency: str, own: str, known: Rates) -> tuple[str, Decimal]:
    """In the workspace's currency, in which limits of people are; as it was stated, where there is no rate."""
    found = worth(amount, currency, own, known) if currency else None
    return (currency, amount) if found is None else (own, found)


def of_case(row: Escalation, needed: int, own: str, known: Rates) -> Work:
    """One case as a piece of work of its own, for the question who may decide just it; `known` are rates of `own`."""
    amount = row.amount
    told = row.fields.get("amount")
    if amount is None and isinstance(told, int | float) and not isinstance(told, bool):
        amount = Decimal(str(told))
    spoken = row.fields.get("context.language") or row.fields.get("arguments.language")
    raised = frozenset({row.raised_by.casefold()} - {""})
    return Work(
        id=row.hold_id,
        skill=row.skill,
        amounts=() if amount is None else (_worth(amount, row.currency, own, known),),
        languages=frozenset({str(spoken).casefold()}) if spoken else frozenset(),
        subjects=frozenset({*(row.subjects or ()), row.agent.casefold(), *raised}),
        raised_by=raised,
        people=needed,
    )
