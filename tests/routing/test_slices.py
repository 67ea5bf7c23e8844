"""Slices that are worse than the rest: found where planted, and nowhere else."""

from __future__ import annotations

import random

from orchestration.routing.slices import Case, worse

AGENTS = ("billing", "refund", "kyc")
SEGMENTS = ("retail", "business", "private")
TOOLS = ("crm", "payments", "ledger")


def cases(n: int, seed: int, planted: float = 0.0, usual: float = 0.08) -> list[Case]:
    """A third of the cases are of one agent; of these, those on payments fail as often as is planted."""
    draw, made = random.Random(seed), []
    for _ in range(n):
        agent, segment, tool = draw.choice(AGENTS), draw.choice(SEGMENTS), draw.choices(TOOLS, (2, 5, 2))[0]
        share = planted if planted and (agent, tool) == ("refund", "payments") else usual
        traits = frozenset({("agent", agent), ("segment", segment), ("system", tool)})
        made.append(Case(traits, draw.random() < share))
    return made


def test_a_planted_slice_is_found_within_two_hundred_cases() -> None:
    found = 0
    for seed in range(20):
        said = worse(cases(200, seed, planted=0.6))
        found += any(("agent", "refund") in each.traits for each in said)

    assert found >= 18


def test_what_is_said_is_the_slice_and_not_all_that_overlaps_it() -> None:
    said = worse(cases(2000, 5, planted=0.5))

    assert [set(each.traits) for each in said] == [{("agent", "refund"), ("system", "payments")}]
    assert said[0].rate > 0.4
    assert said[0].rest_rate < 0.15


def test_shuffled_outcomes_show_nothing_however_often_they_are_looked_at() -> None:
    alarms = 0
    for seed in range(40):
        made = cases(600, seed, planted=0.5)
        outcomes = [case.failed for case in made]
        random.Random(seed).shuffle(outcomes)
        shuffled = [Case(case.traits, failed) for case, failed in zip(made, outcomes, strict=True)]
        alarms += any(worse(shuffled[:n]) for n in range(200, 601, 100))

    assert alarms <= 5


def test_a_bad_hour_makes_no_slice_guilty() -> None:
    """Failures rise for all at once, and one segment is asked for mostly then."""
    draw, made = random.Random(2), []
    for place in range(1200):
        bad = 400 <= place < 520
        segment = draw.choices(SEGMENTS, (1, 6, 1) if bad else (3, 1, 3))[0]
        made.append(Case(frozenset({("segment", segment)}), draw.random() < (0.5 if bad else 0.05)))

    assert worse(made) == []


def test_seeds_of_one_task_do_not_add_up_to_evidence() -> None:
    """Four tasks of twenty of one agent happen to be hard, and each is run ten times."""
    draw, made = random.Random(4), []
    for task in range(60):
        agent, hard = AGENTS[task % 3], (task % 3 == 0 and task < 12) or task == 1
        made += [Case(frozenset({("agent", agent)}), hard, f"task {task}") for _ in range(10)]
    draw.shuffle(made)

    assert worse(made) == []
    assert worse([Case(case.traits, case.failed) for case in made]) != [], "without it there would be an alarm"


def test_few_cases_are_no_slice() -> None:
    assert worse(cases(29, 1)) == []
    assert worse([]) == []
