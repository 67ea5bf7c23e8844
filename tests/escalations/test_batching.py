"""Which cases are decided together: like with like, bounded, and odd ones first."""

from __future__ import annotations

from itertools import combinations
from random import Random
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from escalations.batching import Group, arrange, places
from escalations.closeness import Case, Measure, measure
from escalations.models import MOST_IN_A_BATCH, Standing
from orchestration.holds.likeness import Plain

KINDS = ("received", "on its way", "lost")
NUMBERS = st.one_of(st.floats(0, 1e6), st.sampled_from([0.0, 1.0, 500.0]))
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "amount": NUMBERS,
        "context.item_back": st.booleans(),
        "context.state": st.sampled_from(KINDS),
        "context.refunds_1y": st.sampled_from([0.0, 1.0, 2.0]),
        "confidence": st.floats(0, 1),
        "evidence": st.lists(st.sampled_from(["photo", "receipt", "mail"]), unique=True).map(sorted),
    },
)
MANY = st.lists(FIELDS, max_size=60)


def cases(fields: list[dict[str, Plain]]) -> list[Case]:
    return [Case(UUID(int=place + 1), each, "", place) for place, each in enumerate(fields)]


def refund(amount: float, *, back: bool = True, again: float = 0.0, **more: Plain) -> dict[str, Plain]:
    return {"amount": float(amount), "context.item_back": back, "context.refunds_1y": again, **more}


def returned(n: int) -> list[dict[str, Plain]]:
    return [refund(510 + 30 * place, confidence=0.95) for place in range(n)]


def grouped(found: list[Case]) -> tuple[Measure, list[Group]]:
    scale = measure(found)
    return scale, arrange(scale, [], found)


@settings(max_examples=60, deadline=None)
@given(MANY)
def test_every_case_is_in_exactly_one_batch_of_at_most_twenty_five(fields: list[dict[str, Plain]]) -> None:
    found = cases(fields)
    scale, groups = grouped(found)

    assert sorted(case.id for group in groups for case in group.cases) == [case.id for case in found]
    assert all(1 <= len(group.cases) <= MOST_IN_A_BATCH for group in groups)
    assert all(places(scale, group).keys() == {case.id for case in group.cases} for group in groups)


@settings(max_examples=60, deadline=None)
@given(MANY, st.randoms(use_true_random=False))
def test_no_two_alike_cases_of_a_batch_differ_whatever_the_order_they_came_in(
    fields: list[dict[str, Plain]], chance: Random
) -> None:
    found = cases(fields)
    chance.shuffle(found)
    scale = measure(found)
    groups: list[Group] = []
    for case in found:
        groups = arrange(scale, groups, [case])

    for group in groups:
        assert all(not scale.differences(one, other) for one, other in combinations(group.core, 2))


@settings(max_examples=40, deadline=None)
@given(MANY)
def test_what_differs_and_what_its_agent_doubts_never_starts_selected(fields: list[dict[str, Plain]]) -> None:
    scale, groups = grouped(cases(fields))

    for group in groups:
        for case in group.cases:
            place = places(scale, group)[case.id]
            sure = case.fields.get("confidence", 1.0)
            assert not (place.selected and (place.differs or (isinstance(sure, float) and sure < 0.6)))


def test_one_that_is_not_like_the_others_stays_with_them_and_says_in_what() -> None:
    found = cases([*returned(11), refund(940.0, back=False, again=2.0, confidence=0.71)])
    scale, (group,) = grouped(found)

    place = places(scale, group)[found[-1].id]

    assert (place.standing, place.selected) == (Standing.DIFFERS, False)
    assert set(place.differs) == {"context.item_back", "context.refunds_1y", "confidence"}
    assert all(places(scale, group)[case.id].selected for case in found[:-1])


def test_one_that_differs_in_much_stands_alone() -> None:
    odd = refund(90_000.0, back=False, again=2.0, confidence=0.3) | {"context.state": "lost"}
    plain = [each | {"context.state": "received"} for each in returned(12)]
    scale, groups = grouped(cases([*plain, odd]))

    alone = next(group for group in groups if len(group.cases) == 1)

    assert [place.standing for place in places(scale, alone).values()] == [Standing.ALONE]


def test_several_that_differ_alike_are_a_batch_of_their_own() -> None:
    found = cases([*returned(8), *[refund(600.0 + n, back=False, confidence=0.95) for n in range(4)]])
    _, groups = grouped(found)

    assert sorted(len(group.core) for group in groups) == [4, 8]


def test_a_number_far_beyond_the_others_is_marked_though_it_would_fit() -> None:
    asked: list[dict[str, Plain]] = [{"amount": 100.0 + n, "n": 1.0} for n in range(10)]
    found = cases([*asked, {"amount": 140.0, "n": 1.0}])
    scale, groups = grouped(found)
    marks = {case.id: places(scale, group)[case.id].differs for group in groups for case in group.cases}

    assert marks[found[-1].id] == ["amount"]
    assert all(not marks[case.id] for case in found[:-1])


def test_what_differs_in_every_case_tells_nothing() -> None:
    found = cases([{**refund(600.0), "context.shop": f"Shop {n}"} for n in range(9)])
    _, groups = grouped(found)

    assert len(groups) == 1


def test_small_batches_merge_and_the_larger_keeps_its_name() -> None:
    found = cases(returned(6))
    scale = measure(found)
    small, large = Group(UUID(int=7), found[:2]), Group(UUID(int=8), found[2:])

    (group,) = arrange(scale, [small, large], [])

    assert (group.id, len(group.core)) == (UUID(int=8), 6)


def test_batches_of_two_people_do_not_merge() -> None:
    found = cases(returned(6))
    scale = measure(found)
    mine, theirs = Group(UUID(int=7), found[:3], kin=1), Group(UUID(int=8), found[3:], kin=2)

    assert len(arrange(scale, [mine, theirs], [])) == 2
