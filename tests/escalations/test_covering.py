"""The bounds of cases that were decided alike: what lies within them, and that they are never wider."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalations.covering import Bounds, bounds
from orchestration.holds.likeness import Plain

Case = dict[str, Plain]
SIX: list[Case] = [{"amount": 500.0 + n, "context.back": True, "arguments.item": f"Thing {n}"} for n in range(6)]


def limits(*cases: Case, prose: bool = False) -> Bounds:
    return bounds([(case, "May I?") for case in cases], prose=prose)


def test_a_number_lies_between_those_that_were_decided() -> None:
    found = limits(*SIX)

    inside: Case = {"amount": 503.5, "context.back": True, "arguments.item": "Another"}
    assert found.cover(inside, "")
    for amount in (505.01, 499.99):
        inside["amount"] = amount
        assert not found.cover(inside, "")


def test_a_word_or_a_yes_is_one_that_was_seen() -> None:
    found = limits({"context.kind": "late", "context.back": True}, {"context.kind": "lost", "context.back": True})

    assert found.cover({"context.kind": "lost", "context.back": True}, "")
    assert not found.cover({"context.kind": "broken", "context.back": True}, "")
    assert not found.cover({"context.kind": "lost", "context.back": False}, "")


def test_what_differs_in_each_of_six_is_free_and_of_five_is_not() -> None:
    other: Case = {"amount": 502.0, "context.back": True, "arguments.item": "Another"}

    assert limits(*SIX).free == ("arguments.item",)
    assert limits(*SIX).cover(other, "")
    assert not limits(*SIX[:5]).cover(other, "")


def test_a_fact_that_nobody_saw_keeps_a_case_out() -> None:
    assert not limits(*SIX).cover(SIX[2] | {"context.fraud": False}, "")


def test_a_fact_that_all_had_may_not_be_missing() -> None:
    without = {name: value for name, value in SIX[2].items() if name != "amount"}

    assert not limits(*SIX).cover(without, "")
    assert limits(*SIX, without).cover(without, "")


def test_a_question_in_words_is_covered_in_the_same_words_alone() -> None:
    found = limits({}, prose=True)

    assert found.cover({}, " may  i? ")
    assert not found.cover({}, "May I not?")


def test_bounds_are_made_narrower_and_never_wider() -> None:
    found = limits(*SIX)

    assert found.narrowed({"amount": (501, 502)}).within["amount"] == (501, 502)
    for wider in ({"amount": (499, 502)}, {"amount": (501, 506)}, {"amount": (503, 502)}, {"other": (1, 2)}):
        with pytest.raises(ValueError, match=r"amount|other"):
            found.narrowed(wider)


values = st.one_of(
    st.booleans(), st.floats(-1e6, 1e6), st.sampled_from(["a", "b", "c"]), st.lists(st.sampled_from("xy"))
)
cases = st.dictionaries(st.sampled_from(["p", "q", "r"]), values, max_size=3)


@given(st.lists(cases, min_size=1, max_size=8))
def test_what_was_decided_is_always_covered_also_as_stored(decided: list[Case]) -> None:
    found = limits(*decided)
    stored = Bounds.of(found.shape, {name: list(each) for name, each in found.within.items()})

    assert all(stored.cover(case, "") for case in decided)


@given(st.lists(cases, min_size=1, max_size=8), cases)
def test_what_is_covered_was_seen_field_by_field(decided: list[Case], other: Case) -> None:
    found = limits(*decided)
    if found.cover(other, ""):
        for name in found.within.keys() | found.words.keys() | other.keys():
            seen = [case.get(name) for case in decided]
            numbers = [value for value in seen if isinstance(value, float)]
            value = other.get(name)
            between = isinstance(value, float) and bool(numbers) and min(numbers) <= value <= max(numbers)
            assert value in seen or between or name in found.free
