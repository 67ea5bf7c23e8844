"""Who is asked first: of 240 mixed cases at three moments, how many come to somebody who may decide them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from itertools import cycle

from escalations.matching import Load, Person, Skill, Work, choose
from tests.judge import roster
from tests.judge.agreement import Agreement
from tests.judge.imported import Imports
from tests.judge.roster import Case, Member


def judge(imports: Imports, agreement: Agreement) -> None:
    agreement.say("who is asked first")
    for name, moment in roster.MOMENTS.items():
        _moment(name, moment, agreement)


def _moment(name: str, moment: datetime, agreement: Agreement) -> None:
    members, cases = roster.members(), roster.cases()
    able = [{each.name for each in members if roster.right(each, case, moment)} for case in cases]
    turns = cycle(each.name for each in members)
    simple = _right((next(turns) for _ in cases), able)
    said, loads = chosen(members, cases, moment)
    words = f"in turn {simple / len(cases):.1%}"
    agreement.share("duty", f"first asked may decide it, {name}", _right(said, able), len(cases), words)
    nobody = [not each for each in able]
    found = sum(who is None for who, none in zip(said, nobody, strict=True) if none)
    agreement.share("duty", f"nobody there, and said so, {name}", found, sum(nobody), "in turn 0")
    busy = sorted(round(load.minutes) for load in loads if load.minutes)
    if busy:
        agreement.add("duty", f"minutes of whoever has least and most, {name}", "", f"{busy[0]} and {busy[-1]}")


def _right(said: Iterable[str | None], able: list[set[str]]) -> int:
    return sum(who in fit if fit else who is None for who, fit in zip(said, able, strict=True))


def chosen(members: list[Member], cases: list[Case], moment: datetime) -> tuple[list[str | None], list[Load]]:
    people = [person(place, each) for place, each in enumerate(members)]
    ids = {each.username: each.id for each in people}
    loads = {each.id: Load() for each in people}
    said: list[str | None] = []
    for case in cases:
        first = choose(people, work(case, ids), loads, moment).person
        said.append(first.username if first else None)
        if first:
            loads[first.id].minutes += 1
            loads[first.id].batches += 1
    return said, list(loads.values())


def person(place: int, member: Member) -> Person:
    skills = {
        skill: Skill(level, None if most is None else Decimal(most), "", frozenset(languages))
        for skill, (level, most, languages) in member.skills.items()
    }
    hours = [(slot[0], slot[1]) if slot else None for slot in member.hours]
    return Person(place, member.name, member.name, skills, hours, member.away_until, frozenset(member.keeps_from))


def work(case: Case, ids: dict[str, int]) -> Work:
    return Work(
        id=None,
        skill=case.skill,
        amounts=(("", Decimal(case.amount)),),
        languages=frozenset({case.language} - {""}),
        subjects=frozenset({case.account}),
        raised_by=frozenset({case.raised_by} - {""}),
        answered=frozenset({ids[case.first]} if case.first else ()),
        people=case.people,
    )
