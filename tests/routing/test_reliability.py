"""Counts to reliability."""

from __future__ import annotations

import numpy as np

from orchestration.routing.reliability import Counted, Place, design_effect, grouped, posteriors

A, B = 1, 2


def counted(n: int, failures: int) -> Counted:
    return Counted(n, failures, counted=(n, failures))


def test_an_agent_with_few_calls_is_taken_for_what_its_like_are() -> None:
    counts = {Place(agent, "db"): counted(1000, 50) for agent in range(2, 12)} | {Place(A, "db"): counted(4, 4)}

    found = posteriors(counts)[Place(A, "db")]

    assert 0.1 < found.mean < 0.95
    assert found.high - found.low > 0.05


def test_twenty_calls_without_a_failure_are_never_told_as_sure() -> None:
    found = posteriors({Place(A, "db"): counted(20, 1), Place(B, "crm"): counted(400, 60)})[Place(A, "db")]

    assert found.low < 0.9
    assert found.high > 0.95


def test_many_calls_speak_for_themselves() -> None:
    found = posteriors({Place(A, "db"): counted(5000, 1500), Place(B, "db"): counted(5000, 350)})

    assert abs(found[Place(A, "db")].mean - 0.70) < 0.01
    assert abs(found[Place(B, "db")].mean - 0.93) < 0.01


def test_seeds_of_the_same_task_are_no_fresh_evidence() -> None:
    same = grouped([(6, 6)] * 10 + [(6, 0)] * 30)
    mixed = grouped([(6, 1), (6, 2)] * 20)

    assert 5 < design_effect(same) <= 6.5
    assert design_effect(mixed) == 1.0


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    random = np.random.default_rng(7)
    inside = total = 0
    for _ in range(20):
        truth = {Place(agent, str(system)): random.beta(18, 2) for agent in range(6) for system in range(5)}
        counts = {}
        for place, share in truth.items():
            n = int(random.integers(5, 200))
            counts[place] = counted(n, n - int(random.binomial(n, share)))
        for place, found in posteriors(counts).items():
            inside += found.low <= truth[place] <= found.high
            total += 1

    assert 0.91 <= inside / total <= 0.99


def test_nothing_counted_is_nothing_told() -> None:
    assert posteriors({}) == {}
    assert posteriors({Place(A, "db"): counted(3, 0)})[Place(A, "db")].mean > 0.5
