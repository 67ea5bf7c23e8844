"""Who may decide a piece of work, and who should. Pure: plain values in, a choice out.

May: knows the skill alone (a learner only as one of two), up to the amount, in its language; has no interest in it, did
not raise it, has not answered it. Should: of those on duty now whoever has the fewest minutes of open work, then
whoever stays longest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

LEARNING, ALONE, ASKED = 1, 2, 3
DAY = 24 * 60
AHEAD = 8  # days that are looked through for somebody's next hour

Hours = Sequence[tuple[int, int] | None]


@dataclass(frozen=True, slots=True)
class Skill:
    level: int = ALONE
    most: Decimal | None = None
    currency: str = ""
    languages: frozenset[str] = frozenset()  # none: any


@dataclass(frozen=True, slots=True)
class Person:
    """`hours`: for each weekday from and until in minutes of the day, None: off; an empty list: always there."""

    id: int
    username: str
    name: str
    skills: Mapping[str, Skill]
    hours: Hours = ()
    away_until: datetime | None = None
    interests: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Work:
    """Cases that are decided together. `amounts`: the highest of each currency; `subjects`: whom and what they touch;
    `answered`: who gave the first word to all of them, where two are needed."""

    id: Any
    skill: str = ""
    amounts: tuple[tuple[str, Decimal], ...] = ()
    languages: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    raised_by: frozenset[str] = frozenset()
    answered: frozenset[int] = frozenset()
    people: int = 1
    minutes: float = 1.0


@dataclass(slots=True)
class Load:
    """What somebody has open."""

    minutes: float = 0.0
    batches: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """`then`: who is asked after that. `short`: so many people are missing now; `at`: when they are there, if ever."""

    person: Person | None
    then: Person | None
    short: int
    at: datetime | None


def barred(person: Person, work: Work) -> str:
    """Why this person may not decide it, said to the person; "" where nothing stands against it."""
    if person.username.casefold() in work.raised_by:
        return "You raised it: somebody else decides"
    if person.interests & work.subjects:
        return "You have an interest in it: somebody else decides"
    if person.id in work.answered:
        return "You have answered: a second person has to"
    return _unable(person.skills.get(work.skill.casefold()), work) if work.skill else ""


def _unable(skill: Skill | None, work: Work) -> str:
    if skill is None:
        return f"It needs somebody who may decide {work.skill}"
    if skill.level <= LEARNING and work.people < 2:
        return f"You are still learning {work.skill}: somebody else decides"
    if skill.most is not None:
        for currency, amount in work.amounts:
            if amount > skill.most or (skill.currency and currency and skill.currency != currency):
                return f"Above {skill.most:,.0f} {skill.currency}".rstrip() + " somebody else decides"
    if work.languages and skill.languages and not work.languages <= skill.languages:
        return f"It is in {', '.join(sorted(work.languages - skill.languages))}: somebody else decides"
    return ""


def level_of(person: Person, work: Work) -> int:
    skill = person.skills.get(work.skill.casefold()) if work.skill else None
    return skill.level if skill else ALONE


def shift_end(person: Person, now: datetime) -> datetime | None:
    """When the shift that is on ends; None: off duty. `now` in the zone of the workspace."""
    if person.away_until is not None and person.away_until > now:
        return None
    if not person.hours:
        return now + timedelta(days=AHEAD)
    ends = [end for start, end in _shifts(person, now, range(-1, 1)) if start <= now < end]
    return max(ends, default=None)


def next_hour(person: Person, now: datetime) -> datetime | None:
    """When this person is there, from now on; None: not within a week."""
    begin = max(now, person.away_until.astimezone(now.tzinfo)) if person.away_until else now
    if not person.hours:
        return begin
    starts = [max(start, begin) for start, end in _shifts(person, begin, range(-1, AHEAD)) if end > begin]
    return min(starts, default=None)


def _shifts(person: Person, now: datetime, days: Iterable[int]) -> list[tuple[datetime, datetime]]:
    """Those that begin on the days from now; one that ends before it begins ends on the next day."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    for day in days:
        first = midnight + timedelta(days=day)
        slot = person.hours[first.weekday()] if len(person.hours) > first.weekday() else None
        if slot is not None:
            start, until = slot
            length = until - start if until > start else until + DAY - start
            found.append((first + timedelta(minutes=start), first + timedelta(minutes=start + length)))
    return found


def choose(people: Iterable[Person], work: Work, loads: Mapping[int, Load], now: datetime, *, above: int = 0) -> Choice:
    """`above`: only whoever knows it better than that comes first."""
    able = [person for person in people if not barred(person, work)]
    there = {person.id: end for person in able if (end := shift_end(person, now)) is not None}
    order = sorted((person for person in able if person.id in there), key=lambda each: _rank(each, loads, there, work))
    firsts = [each for each in order if level_of(each, work) > max(LEARNING, above)]
    first = firsts[0] if firsts else None
    then = next((each for each in order if each is not first), None)
    needed = max(1, work.people - len(work.answered))
    short = needed if first is None else max(0, needed - len(order))
    at = _enough(able, needed, now) if short else None
    return Choice(first, then, short, at)


def _rank(person: Person, loads: Mapping[int, Load], ends: Mapping[int, datetime], work: Work) -> tuple[Any, ...]:
    load = loads.get(person.id, Load())
    learning = level_of(person, work) <= LEARNING
    return (learning, round(load.minutes, 1), -ends[person.id].timestamp(), load.batches, person.id)


def _enough(able: Sequence[Person], needed: int, now: datetime) -> datetime | None:
    """When as many as are needed have come, were they not to leave again."""
    hours = sorted(hour for person in able if (hour := next_hour(person, now)) is not None)
    return hours[needed - 1] if len(hours) >= needed else None


def words(person: Person, work: Work, load: Load, then: Person | None) -> str:
    """Why it came to whom it came to, as they read it."""
    open_now = {0: "nothing open", 1: "1 open batch"}.get(load.batches, f"{load.batches:,} open batches")
    known = f"You know {work.skill}" if work.skill else "You have least to do"
    after = f"Next: {then.name}" if then else "Nobody else is there who may decide it"
    return f"{known}. You have {open_now}. {after}"
