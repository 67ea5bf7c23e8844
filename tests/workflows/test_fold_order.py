"""The order of arrival changes nothing, repeats change nothing, and work grows with the number of steps."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows.fold import fold
from orchestration.workflows.story import Step
from tests.telemetry import manifests, replayed

KINDS = [kind for kind in Kind if kind < Kind.RUN]
PARENTS = [b"", *(n.to_bytes(8, "big") for n in range(1, 16))]
WORDS = ["", "triage", "billing", "Billing", "refund"]
TOOLS = ["", "transfer_to_billing", "escalate", "get_invoice", "final_answer"]
HINTS: list[dict[str, Any]] = [
    {},
    {"sum": [5, 2]},
    {"to": "billing"},
    {"to": "billing", "soft": 1},
    {"wait": "interrupt", "asks": "ok?"},
    {"wants": ["billing"]},
    {"team": ["refund"]},
    {"call": 7},
    {"said": "DENIED by policy p-1"},
    {"hit": ""},
    {"above": "triage"},
    {"twin": "agent"},
]


def some_step(random: Random, number: int) -> Step:
    """With any parent: one that never came, one that began later, itself."""
    start, length, any_of = random.randint(0, 12), random.randint(-1, 9), random.choice
    return Step(
        any_of([b"t" * 16, b"u" * 16]),
        number.to_bytes(8, "big"),
        any_of(PARENTS),
        10**18 + start * 10**6,
        10**18 + (start + length) * 10**6 if length >= 0 else 0,
        any_of(["a", "b", "refund"]),
        any_of(KINDS),
        any_of(list(Outcome)),
        any_of(["desk", "crm"]),
        any_of(WORDS),
        "",
        any_of(TOOLS),
        any_of(["", "desk"]),
        random.randint(0, 9),
        random.randint(0, 9),
        any_of([None, *range(100)]),
        "",
        any_of(["", "c-1"]),
        any_of(HINTS),
    )


EXPLORE = bool(os.environ.get("EXPLORE"))


def test_any_order_and_any_repeats_tell_the_same_story_within_bounds() -> None:
    for seed in range(2000) if EXPLORE else range(400):
        random = Random(None if EXPLORE else seed)
        steps = [some_step(random, number) for number in range(1, random.randint(1, 14) + 1)]
        mixed = [*steps, *random.choices(steps, k=random.randint(0, 5))]
        random.shuffle(mixed)
        story = fold(steps)

        assert fold(mixed) == story, steps

        assert len(story.placed) == sum(step.kind != Kind.REGISTRATION for step in steps)
        assert story.agents_ns + story.people_ns + story.waiting_ns == max(story.ended_ns - story.started_ns, 0)
        assert 0 <= story.active_ns <= max(story.ended_ns - story.started_ns, 0)
        assert all(row.work_ns >= 0 and row.wait_ns >= 0 for row in story.steps)
        assert story.errors == sum(placed.failed for placed in story.placed)


@pytest.mark.parametrize("folder", manifests.FOLDERS)
def test_every_beginning_of_a_real_program_can_be_told(folder: str) -> None:
    """Spans arrive a few at a time, children first: each partial run folds, and none that has no root is finished."""
    told = replayed.spans(replayed.bodies(manifests.CAPTURES / folder))
    seen = [span for span in told if span.kind != Kind.REGISTRATION]
    first = seen[0].trace_id
    steps = [replayed.step(span) for span in seen if span.trace_id == first]

    for known in range(1, len(steps) + 1):
        story = fold(steps[:known])
        assert story.root_came == any(not step.parent_id for step in steps[:known])
        assert story.status in ("running", "waiting", "completed", "failed")


def _above(i: int, shape: str) -> int:
    return {"flat": 1, "chain": i}.get(shape, max(1, i // 7))


def many(n: int, shape: str) -> Sequence[Step]:
    kinds = [Kind.AGENT, Kind.LLM, Kind.TOOL, Kind.STEP, Kind.OTHER]
    return [
        Step(
            b"t" * 16,
            (i + 1).to_bytes(8, "big"),
            _above(i, shape).to_bytes(8, "big") if i else b"",
            10**18 + i * 10**6,
            10**18 + (2 * n - i) * 10**6 if shape == "chain" else 10**18 + (i + 1) * 10**6,
            "step",
            kinds[i % 5],
            Outcome.ERROR if i % 3 == 2 else Outcome.OK,
            "desk",
            f"agent-{i % 7}" if i % 5 == 0 else "",
            "",
            f"tool-{i % 11}",
            "",
            1,
            1,
            None,
            "",
            "",
            {"wait": "interrupt"} if i % 9 == 0 else {},
        )
        for i in range(n)
    ]


@pytest.mark.parametrize("shape", ["flat", "chain", "bush"])
def test_a_run_of_10000_steps_costs_about_ten_times_one_of_1000(shape: str) -> None:
    few, lots = (many(n, shape) for n in (1_000, 10_000))

    def cost(steps: Sequence[Step]) -> float:
        start = time.process_time()
        fold(steps)
        return time.process_time() - start

    assert min(cost(lots) for _ in range(2)) < 25 * min(cost(few) for _ in range(3))
