"""Twelve people and 240 mixed cases, the same every time, and who of them may decide which: worked out case by case in
the plainest words, so that it shares no thought with what it judges."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

SKILLS = ("refunds", "fraud", "treasury", "credit", "cards", "identity", "accounting")
LANGUAGES = ("de", "en", "fr")
MOMENTS = {
    "Monday 10:00": datetime(2026, 11, 23, 10, 0, tzinfo=UTC),
    "Monday 21:30": datetime(2026, 11, 23, 21, 30, tzinfo=UTC),
    "Saturday 12:00": datetime(2026, 11, 28, 12, 0, tzinfo=UTC),
}
Hours = list[list[int] | None]
OFFICE: Hours = [*[[540, 1020]] * 5, None, None]
EARLY: Hours = [*[[360, 840]] * 5, None, None]
LATE: Hours = [*[[780, 1320]] * 5, None, None]
NIGHT: Hours = [*[[1260, 330]] * 7]
WEEKEND: Hours = [None, None, None, None, None, [480, 1200], [480, 1200]]
SHIFTS: tuple[Hours, ...] = (OFFICE, OFFICE, OFFICE, EARLY, EARLY, LATE, LATE, NIGHT, NIGHT, WEEKEND, WEEKEND, [])


@dataclass(frozen=True, slots=True)
class Member:
    """`skills`: of each its level, the highest amount (None: any) and the languages (none: any)."""

    name: str
    skills: dict[str, tuple[int, int | None, tuple[str, ...]]]
    hours: Hours
    away_until: datetime | None
    keeps_from: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    skill: str
    amount: int
    language: str
    account: str
    raised_by: str
    people: int
    first: str  # who has given the first word of two


def members() -> list[Member]:
    dice = Random(7)
    return [_member(dice, place) for place in range(12)]


def _member(dice: Random, place: int) -> Member:
    skills = {}
    for skill in dice.sample(SKILLS, dice.randint(2, 5)):
        spoken = tuple(sorted(dice.sample(LANGUAGES, 2))) if dice.random() < 0.3 else ()
        skills[skill] = (dice.choice((1, 2, 2, 2, 3)), dice.choice((200, 1000, 5000, None, None)), spoken)
    away = datetime(2026, 11, 30, tzinfo=UTC) if place == 5 else None
    kept = tuple(f"acc-{dice.randint(1, 40)}" for _ in range(dice.randint(0, 4)))
    return Member(f"person{place}", skills, SHIFTS[place], away, kept)


def cases(count: int = 240) -> list[Case]:
    dice = Random(11)
    return [_case(dice) for _ in range(count)]


def _case(dice: Random) -> Case:
    people = 2 if dice.random() < 0.12 else 1
    return Case(
        skill=dice.choice((*SKILLS, "")),
        amount=round(10 ** dice.uniform(1, 4)),
        language=dice.choice((*LANGUAGES, "", "")),
        account=f"acc-{dice.randint(1, 40)}",
        raised_by=f"person{dice.randrange(12)}" if dice.random() < 0.1 else "",
        people=people,
        first=f"person{dice.randrange(12)}" if people == 2 and dice.random() < 0.4 else "",
    )


def right(member: Member, case: Case, moment: datetime) -> bool:
    """Whether this person could be the next one to decide it at that moment."""
    if member.name in (case.raised_by, case.first) or case.account in member.keeps_from:
        return False
    if case.skill:
        if case.skill not in member.skills:
            return False
        level, most, languages = member.skills[case.skill]
        if level < 2 or (most is not None and case.amount > most):
            return False
        if case.language and languages and case.language not in languages:
            return False
    return present(member, moment)


def present(member: Member, moment: datetime) -> bool:
    """Minute by minute of the two days in which a shift may have begun."""
    if member.away_until and moment < member.away_until:
        return False
    if not member.hours:
        return True
    for back in (0, 1):
        slot = member.hours[(moment - timedelta(days=back)).weekday()]
        minute = moment.hour * 60 + moment.minute + back * 1440
        if slot and slot[0] <= minute < (slot[1] if slot[1] > slot[0] else slot[1] + 1440):
            return True
    return False
