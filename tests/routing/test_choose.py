"""Who is chosen, of candidates with what is measured of each."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.routing.choose import Candidate, Held, Wanted, choose, interval

NOW = datetime(2026, 3, 2, 14, 2, tzinfo=UTC)


def one(place: int, good: int, bad: int, **more: object) -> Candidate:
    low, high = interval(good + 1, bad + 1)
    made = Candidate(place, f"agent {place}", good + 1, bad + 1, low, high, good + bad, bad)
    return replace(made, **more)  # type: ignore[arg-type]


def wanted(seed: int = 0, *, risky: bool = False, exploration: float = 0.02) -> Wanted:
    draw = random.Random(seed)
    return Wanted(exploration, timedelta(minutes=5), risky, NOW, draw.random, draw.betavariate)


def test_nothing_is_tried_out_on_high_risk() -> None:
    found = [one(1, 93, 7), one(2, 70, 30, half_open=True), one(3, 80, 20)]

    chosen = [choose(found, None, wanted(seed, risky=True, exploration=0.1)) for seed in range(300)]

    assert {each.agent.id for each in chosen if each} == {1}


def test_a_small_share_tries_another_one_and_hardly_ever_who_is_hopeless() -> None:
    found = [one(1, 930, 70), one(2, 900, 100), one(3, 100, 900)]

    chosen = [choose(found, None, wanted(seed)) for seed in range(3000)]
    tried = Counter(each.agent.id for each in chosen if each and each.explored)

    assert 0.01 < tried.total() / 3000 < 0.04
    assert tried[3] == 0


def test_a_half_open_circuit_gets_probes_and_no_more() -> None:
    found = [one(1, 930, 70), one(2, 990, 10, half_open=True)]

    chosen = [choose(found, None, wanted(seed)) for seed in range(1000)]
    probes = sum(1 for each in chosen if each and each.agent.id == 2)

    assert 60 < probes < 140
    assert all(not each.keeps for each in chosen if each and each.agent.id == 2)


def test_work_does_not_go_back_and_forth_between_two_that_are_alike() -> None:
    draw, held, changes = random.Random(5), Held(1, NOW - timedelta(hours=1)), 0
    for _ in range(500):
        found = [one(place, 900 + draw.randint(-5, 5), 100) for place in (1, 2)]
        chosen = choose(found, held, wanted(exploration=0.0))
        assert chosen
        changes += chosen.agent.id != held.agent
        held = Held(chosen.agent.id, NOW - timedelta(hours=1))

    assert changes == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500), st.booleans(), st.booleans()), min_size=1, max_size=6),
    st.integers(0, 1000),
)
def test_who_is_barred_is_never_chosen(rows: list[tuple[int, int, bool, bool]], seed: int) -> None:
    found = [
        one(place, good, bad, barred="stopped" if barred else "", half_open=half)
        for place, (good, bad, barred, half) in enumerate(rows)
    ]

    chosen = choose(found, Held(0, NOW), wanted(seed, exploration=0.1))

    assert (chosen is None) == all(each.barred for each in found)
    assert chosen is None or not chosen.agent.barred
