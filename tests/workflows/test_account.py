"""One run, told from its stored spans."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows import account
from orchestration.workflows.account import RunDetail
from orchestration.workflows.models import TraceKey
from orchestration.workspaces.models import Workspace
from tests import make
from tests.make import Made

pytestmark = pytest.mark.django_db
TRACE = b"t" * 16
BEGAN = timezone.now().replace(microsecond=0) - timedelta(minutes=5)


def refund(workspace: Workspace) -> tuple[UUID, list[Made]]:
    """A run of one agent: a model call, a tool that fails and succeeds."""
    who, pay = make.agent(workspace), make.system(workspace)
    turn = Made("invoke_agent refund", Kind.AGENT, who, ms=900)
    made = [
        turn,
        Made("chat", Kind.LLM, who, parent=turn, at_ms=10, values={"tokens_in": 100, "tokens_out": 20, "cost": 7_000}),
        Made("pay", Kind.TOOL, who, pay, turn, 200, 50, Outcome.ERROR, {"error": "Timeout: slow"}),
        Made("pay", Kind.TOOL, who, pay, turn, 300, 60),
    ]
    make.spans(workspace, TRACE, BEGAN, *made)
    run = make.run(workspace, traces=[TRACE], agents=[who.pk], started_at=BEGAN)
    return run.id, made


def told(workspace: Workspace, run_id: object, **wanted: int | None) -> RunDetail:
    found = account.run(workspace.pk, str(run_id), **wanted)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_a_run_is_told_step_by_step(workspace: Workspace) -> None:
    run_id, made = refund(workspace)

    steps = told(workspace, run_id).steps

    assert [(step.name, step.kind, step.depth) for step in steps] == [
        ("invoke_agent refund", "agent", 0),
        ("chat", "llm", 1),
        ("pay", "tool", 1),
        ("pay", "tool", 1),
    ]
    assert [step.parent for step in steps] == [None, *[made[0].id.hex()] * 3]
    assert [step.offset_ms for step in steps] == [0, 10, 200, 300]
    assert [step.duration_ms for step in steps] == [900, 100, 50, 60]
    assert {step.agent_slug for step in steps} == {"desk-refund"}


def test_a_failed_try_and_the_next_one_are_told_apart(workspace: Workspace) -> None:
    run_id, _ = refund(workspace)

    found = told(workspace, run_id)

    assert [(call.tool, call.system, call.ok, call.attempt) for call in found.tool_call_list] == [
        ("pay", "payments", False, 1),
        ("pay", "payments", True, 2),
    ]
    assert found.tool_call_list[0].error == "Timeout: slow"
    assert [step.status for step in found.steps] == ["ok", "ok", "failed", "ok"]
    assert [step.counted for step in found.steps] == [False, False, True, False]


def test_the_figures_of_a_run_alone_are_those_of_its_spans(workspace: Workspace) -> None:
    run_id, _ = refund(workspace)

    run = told(workspace, run_id).run

    assert (run.spans, run.tool_calls, run.tool_failures, run.retries, run.errors) == (4, 2, 1, 1, 1)
    assert (run.tokens.input, run.tokens.output, run.status, run.duration_ms) == (100, 20, "completed", 900)
    assert run.cost is not None
    assert run.cost.amount * 1_000_000_000 == 7_000


def test_rows_come_in_pages_and_the_lists_whole(workspace: Workspace) -> None:
    run_id, _ = refund(workspace)

    found = told(workspace, run_id, steps_from=1, steps=2)

    assert ([step.name for step in found.steps], found.step_count, found.steps_from) == (["chat", "pay"], 4, 1)
    assert len(found.tool_call_list) == 2
    assert len(told(workspace, run_id, steps=None).steps) == 4


def test_spans_that_retention_took_leave_the_run_as_it_was_settled(workspace: Workspace) -> None:
    run = make.run(workspace, spans=17, status="failed", title="Old")

    found = told(workspace, run.id)

    assert (found.run.spans, found.run.status, found.run.title, found.step_count) == (17, "failed", "Old", 0)
    assert found.steps == []


def test_a_stalled_run_stays_stalled_until_its_root_comes(workspace: Workspace) -> None:
    who = make.agent(workspace)
    gone = Made("never sent", Kind.AGENT, who)
    make.spans(workspace, TRACE, BEGAN, Made("chat", Kind.LLM, who, parent=gone))
    run = make.run(workspace, traces=[TRACE], status="stalled", started_at=BEGAN)

    found = told(workspace, run.id)

    assert (found.run.status, found.run.ended_at, found.run.orphans) == ("stalled", None, 1)
    assert found.steps[0].orphan


def test_a_merged_run_answers_as_the_one_that_took_it(workspace: Workspace) -> None:
    run_id, _ = refund(workspace)
    part = make.run(workspace, merged_into=run_id, traces=[])

    assert told(workspace, part.id).run.id == run_id


def test_a_run_of_another_workspace_is_not_told(workspace: Workspace) -> None:
    run_id, made = refund(make.workspace("elsewhere"))

    assert account.run(workspace.pk, str(run_id)) is None
    assert account.span(workspace.pk, run_id, made[0].id.hex()) is None


def test_the_same_trace_id_in_two_workspaces_stays_apart(workspace: Workspace) -> None:
    run_id, _ = refund(workspace)
    refund(make.workspace("elsewhere"))

    assert told(workspace, run_id).step_count == 4


def test_traces_tell_why_they_are_one_run(workspace: Workspace) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    run = make.run(workspace, traces=[bytes([i]) * 16 for i in (1, 2, 3, 4)], started_at=at)
    TraceKey.objects.create(workspace=workspace, kind="link", key="01" * 16, trace_id=bytes([2]) * 16)
    TraceKey.objects.create(workspace=workspace, kind="runtime", key="team", trace_id=bytes([2]) * 16)
    TraceKey.objects.create(workspace=workspace, kind="runtime", key="team", trace_id=bytes([3]) * 16)
    TraceKey.objects.create(workspace=workspace, kind="baton", key="alone", trace_id=bytes([4]) * 16)

    joins = told(workspace, run.id).joins

    assert [(join.trace_id[:2], join.by, join.exact) for join in joins] == [
        ("01", "link", True),
        ("02", "link", True),
        ("03", "runtime", False),
        ("04", "conversation", False),
    ]


def test_prompts_and_results_are_for_those_who_may_read_them(workspace: Workspace) -> None:
    attributes = {"gen_ai.input.messages": "a secret", "gen_ai.request.model": "gpt-4.1", "n": [1, {"x": None}]}
    event = ["exception", 0, {"exception.type": "Timeout"}]
    chat = Made("chat", Kind.LLM, make.agent(workspace), values={"attrs": {"a": attributes, "e": [event], "k": 1}})
    make.spans(workspace, TRACE, BEGAN, chat)
    run = make.run(workspace, traces=[TRACE], started_at=BEGAN)

    hidden = account.span(workspace.pk, run.id, chat.id.hex())
    shown = account.span(workspace.pk, run.id, chat.id.hex(), content=True)

    assert hidden is not None
    assert shown is not None
    assert hidden.hidden == 1
    assert hidden.attributes == [
        ("gen_ai.request.model", "gpt-4.1"),
        ("n", '[1,{"x":null}]'),
        ("event exception", ""),
        ("exception: exception.type", "Timeout"),
    ]
    assert ("gen_ai.input.messages", "a secret") in shown.attributes


@pytest.mark.parametrize("span_id", ["", "zz", "00" * 8, "é"])
def test_a_row_that_is_not_there_is_not_opened(workspace: Workspace, span_id: str) -> None:
    run_id, _ = refund(workspace)

    assert account.span(workspace.pk, run_id, span_id) is None
