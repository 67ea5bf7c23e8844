"""The order of arrival changes nothing, repeats change nothing, and work grows with the number of steps."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows.fold import fold
from orchestration.workflows.story import Step
from tests.telemetry import manifests, replayed

KINDS = st.sampled_from([k for k in Kind if k < Kind.RUN])
WORDS = st.sampled_from(["", "triage", "billing", "Billing", "refund"])
TOOLS = st.sampled_from(["", "transfer_to_billing", "escalate", "get_invoice", "final_answer"])
HINTS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
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
)


# made once: to make strategies anew for each step takes longer than to draw from them
FIELDS = st.tuples(
    st.sampled_from([b"t" * 16, b"u" * 16]),
    st.sampled_from([b"", *(n.to_bytes(8, "big") for n in range(1, 16))]),
    st.integers(0, 12),
    st.integers(-1, 9),
    st.sampled_from(["a", "b", "refund"]),
    KINDS,
    st.sampled_from(list(Outcome)),
    st.sampled_from(["desk", "crm"]),
    WORDS,
    TOOLS,
    st.sampled_from(["", "desk"]),
    st.integers(0, 9),
    st.integers(0, 9),
    st.none() | st.integers(0, 99),
    st.sampled_from(["", "c-1"]),
    HINTS,
)


def made(number: int, fields: tuple[Any, ...]) -> Step:
    trace, parent, start, length, name, kind, outcome, application, agent, subject, flow, *rest = fields
    tokens_in, tokens_out, cost, conversation, hints = rest
    began, ended = 10**18 + start * 10**6, 10**18 + (start + length) * 10**6 if length >= 0 else 0
    told = (name, kind, outcome, application, agent, "", subject, flow)
    return Step(
        trace,
        number.to_bytes(8, "big"),
        parent,
        began,
        ended,
        *told,
        tokens_in,
        tokens_out,
        cost,
        "",
        conversation,
        hints,
    )


# Up to fourteen steps, with any parent: one that never came, one that began later, itself.
RUNS = (
    st.integers(1, 14)
    .flatmap(lambda n: st.lists(FIELDS, min_size=n, max_size=n))
    .map(lambda rows: [made(number, fields) for number, fields in enumerate(rows, 1)])
)


@settings(max_examples=400 if os.environ.get("EXPLORE") else 250)
@given(st.data(), RUNS)
def test_any_order_and_any_repeats_tell_the_same_story_within_bounds(data: st.DataObject, steps: list[Step]) -> None:
    again = data.draw(st.lists(st.sampled_from(steps), max_size=5))
    mixed = data.draw(st.permutations([*steps, *again]))
    story = fold(steps)

    assert fold(mixed) == story

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
