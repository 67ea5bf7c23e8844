"""Who may decide, who is there, and who is asked first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from escalations.matching import LEARNING, Load, Person, Skill, Work, barred, choose, next_hour, shift_end, words

MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
DAYS = [(540, 1020)] * 5 + [None, None]
REFUND = Work("batch", "refunds", (("EUR", Decimal(900)),))


def person(pk: int = 1, *, level: int = 2, most: int | None = None, hours: object = (), **more: object) -> Person:
    limit = None if most is None else Decimal(most)
    skills = {"refunds": Skill(level, limit, "EUR" if most else "")}
    return Person(pk, f"p{pk}", f"Reviewer {pk}", skills, hours, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("who", "work", "why"),
    [
        (person(), REFUND, ""),
        (person(), Work("b", "treasury"), "It needs somebody who may decide treasury"),
        (person(most=899), REFUND, "Above 899 EUR somebody else decides"),
        (person(most=900), REFUND, ""),
        (person(most=9000), Work("b", "refunds", (("USD", Decimal(1)),)), "Above 9,000 EUR somebody else decides"),
        (person(level=LEARNING), REFUND, "You are still learning refunds: somebody else decides"),
        (person(level=LEARNING), Work("b", "refunds", people=2), ""),
        (person(interests=frozenset({"acme"})), Work("b", "refunds", subjects=frozenset({"acme"})), "You have an int"),
        (person(), Work("b", "refunds", raised_by=frozenset({"p1"})), "You raised it: somebody else decides"),
        (person(), Work("b", "", raised_by=frozenset()), ""),
        (person(), Work("b", "refunds", people=2, answered=frozenset({1})), "You have answered"),
    ],
)
def test_what_stands_against_a_person_is_said(who: Person, work: Work, why: str) -> None:
    assert barred(who, work).startswith(why)
    assert bool(barred(who, work)) == bool(why)


def test_a_language_that_somebody_does_not_speak_keeps_them_out() -> None:
    speaks = Person(1, "p1", "P", {"refunds": Skill(languages=frozenset({"de", "en"}))})

    assert barred(speaks, Work("b", "refunds", languages=frozenset({"fr"}))) == "It is in fr: somebody else decides"
    assert not barred(speaks, Work("b", "refunds", languages=frozenset({"de"})))


def test_a_shift_ends_when_the_hours_say_so() -> None:
    assert shift_end(person(hours=DAYS), MONDAY) == MONDAY.replace(hour=17)
    assert shift_end(person(hours=DAYS), MONDAY.replace(hour=17)) is None
    assert shift_end(person(hours=DAYS), MONDAY + timedelta(days=5)) is None


def test_a_shift_may_last_over_midnight() -> None:
    nights = person(hours=[(1320, 360)] * 7)

    assert shift_end(nights, MONDAY.replace(hour=23)) == (MONDAY + timedelta(days=1)).replace(hour=6)
    assert shift_end(nights, MONDAY.replace(hour=5)) == MONDAY.replace(hour=6)
    assert shift_end(nights, MONDAY) is None
    assert next_hour(nights, MONDAY) == MONDAY.replace(hour=22)


def test_who_is_away_is_off_duty_until_then() -> None:
    back = MONDAY + timedelta(days=2)

    assert shift_end(person(away_until=back), MONDAY) is None
    assert next_hour(person(hours=DAYS, away_until=back), MONDAY) == back


def test_the_one_with_the_fewest_minutes_is_asked_first_and_the_next_is_named() -> None:
    loads = {1: Load(30, 3), 2: Load(10, 5)}

    choice = choose([person(1), person(2)], REFUND, loads, MONDAY)

    assert choice.person
    assert choice.then
    assert (choice.person.id, choice.then.id, choice.short) == (2, 1, 0)
    assert words(choice.person, REFUND, loads[2], choice.then) == (
        "You know refunds. You have 5 open batches. Next: Reviewer 1"
    )


def test_of_two_with_as_much_to_do_whoever_stays_longer_is_asked() -> None:
    early, late = person(1, hours=[(540, 660)] * 7), person(2, hours=[(540, 1020)] * 7)

    choice = choose([early, late], REFUND, {}, MONDAY)

    assert choice.person == late


def test_when_nobody_is_there_the_hour_is_told_when_somebody_is() -> None:
    choice = choose([person(1, hours=DAYS)], REFUND, {}, MONDAY.replace(hour=20))

    assert (choice.person, choice.short) == (None, 1)
    assert choice.at == datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def test_two_people_have_to_be_two() -> None:
    pair = Work("b", "refunds", people=2)

    alone = choose([person(1)], pair, {}, MONDAY)
    both = choose([person(1), person(2, level=LEARNING)], pair, {}, MONDAY)

    assert (alone.short, alone.at) == (1, None)
    assert both.short == 0
    assert both.person == person(1)


def test_what_is_late_goes_only_to_whoever_knows_it_better() -> None:
    choice = choose([person(1), person(2, level=3)], REFUND, {2: Load(99, 9)}, MONDAY, above=2)

    assert choice.person == person(2, level=3)
