"""Agents and what they did in a window."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from orchestration.control import fleet
from orchestration.control.fleet import AgentDetail, AgentLine
from orchestration.lib.money import Money
from orchestration.telemetry.spans import Kind
from orchestration.workspaces.models import Workspace
from tests import make

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def listed(workspace: Workspace, window: timedelta = HOUR, **wanted: Any) -> list[AgentLine]:
    return fleet.agents(workspace.pk, window, timezone.now(), **wanted)


def alone(workspace: Workspace, called: str) -> AgentDetail | None:
    return fleet.agent(workspace.pk, called, HOUR, timezone.now())


def test_calls_are_of_models_tools_and_sources_and_of_nothing_else(workspace: Workspace) -> None:
    refund = make.agent(workspace)
    for kind in (Kind.LLM, Kind.TOOL, Kind.RETRIEVAL, Kind.EMBEDDING):
        make.calls(workspace, refund, kind=kind, n=2, failures=1)
    for kind in (Kind.AGENT, Kind.STEP, Kind.HANDOFF, Kind.HUMAN, Kind.GUARDRAIL):
        make.calls(workspace, refund, kind=kind, n=1, failures=1)

    (line,) = listed(workspace)

    assert (line.calls, line.failures, line.failure_rate) == (8, 4, 0.5)
    assert (line.spans, line.errors) == (13, 9)
    assert line.interval == pytest.approx((0.215, 0.785), abs=0.001)


def test_runs_are_counted_by_themselves(workspace: Workspace) -> None:
    make.calls(workspace, make.agent(workspace), kind=Kind.RUN, n=3, failures=1)

    (line,) = listed(workspace)

    assert (line.runs, line.calls, line.spans) == (3, 0, 0)
    assert (line.failure_rate, line.interval, line.p50_ms) == (None, None, None)


def test_a_cost_that_nobody_knows_is_no_zero(workspace: Workspace) -> None:
    refund, billing = make.agent(workspace), make.agent(workspace, "billing")
    make.calls(workspace, refund, kind=Kind.LLM, tokens=(100, 20), cost=1_500_000)
    make.calls(workspace, billing, kind=Kind.LLM, tokens=(7, 3))

    unknown, known = listed(workspace)

    assert (unknown.id, unknown.cost, unknown.tokens.input) == ("desk-billing", None, 7)
    assert known.cost == Money(Decimal("0.0015"), "USD")


def test_an_agents_time_is_that_of_its_turns(workspace: Workspace) -> None:
    refund, bot = make.agent(workspace), make.agent(workspace, "bot")
    make.calls(workspace, refund, kind=Kind.AGENT, ms=2000)
    make.calls(workspace, refund, kind=Kind.TOOL, ms=50, n=9)
    make.calls(workspace, bot, kind=Kind.TOOL, ms=50)

    by_calls, by_turns = listed(workspace)

    assert by_turns.p50_ms == pytest.approx(2000, rel=0.13)
    assert by_calls.p50_ms == pytest.approx(50, rel=0.13)


def test_systems_are_those_an_agent_called(workspace: Workspace) -> None:
    refund = make.agent(workspace)
    make.calls(workspace, refund, on=make.system(workspace), n=5, failures=2)
    make.calls(workspace, refund, on=make.system(workspace, "gpt-4.1", "model"), kind=Kind.LLM, n=9)
    make.calls(workspace, None, on=make.system(workspace, "crm"), n=7)

    (line,) = listed(workspace)

    assert [(use.system, use.kind, use.calls, use.failures) for use in line.systems] == [
        ("gpt-4.1", "model", 9, 0),
        ("payments", "system", 5, 2),
    ]


def test_the_sort_by_failures_asks_how_sure_one_can_be(workspace: Workspace) -> None:
    unlucky, bad = make.agent(workspace, "unlucky"), make.agent(workspace, "bad")
    make.calls(workspace, unlucky, n=1, failures=1)
    make.calls(workspace, bad, n=200, failures=100)
    make.agent(workspace, "a good one")

    assert [line.name for line in listed(workspace, sort="failure_rate")] == ["bad", "unlucky", "a good one"]


@pytest.mark.parametrize("sort", fleet.AGENT_SORTS)
def test_every_sort_takes_agents_of_which_nothing_is_known(workspace: Workspace, sort: str) -> None:
    make.agent(workspace, "silent one")
    make.pulse(make.agent(workspace), timezone.now())
    make.calls(workspace, make.agent(workspace), kind=Kind.LLM, cost=3, n=2, failures=1)

    assert len(listed(workspace, sort=sort)) == 2


def test_the_list_can_be_narrowed(workspace: Workspace) -> None:
    make.agent(workspace, "refund", "desk")
    make.pulse(make.agent(workspace, "reader", "claims"), timezone.now())

    assert [line.name for line in listed(workspace, q="REF")] == ["refund"]
    assert [line.name for line in listed(workspace, q="clai")] == ["reader"]
    assert [line.name for line in listed(workspace, state="working")] == ["reader"]
    assert [line.name for line in listed(workspace, state="held")] == []


def test_one_agent_is_found_by_slug_by_full_name_and_by_a_name_of_its_own(workspace: Workspace) -> None:
    make.agent(workspace, "refund", "desk")
    make.agent(workspace, "refund", "shop")
    make.agent(workspace, "billing", "shop")

    found = [alone(workspace, called) for called in ("desk-refund", "desk/refund", "billing", "refund", "nobody")]

    assert [each and each.agent.id for each in found] == ["desk-refund", "desk-refund", "shop-billing", None, None]


def test_an_agent_alone_tells_kinds_systems_and_the_course_of_its_calls(workspace: Workspace) -> None:
    refund = make.agent(workspace)
    make.calls(workspace, refund, on=make.system(workspace), n=4, failures=1, ms=80)
    make.calls(workspace, refund, kind=Kind.LLM, n=2)

    found = alone(workspace, "desk-refund")

    assert found is not None
    assert [(kind.kind, kind.calls, kind.failures) for kind in found.kinds] == [("llm", 2, 0), ("tool", 4, 1)]
    assert (sum(found.calls), sum(found.failures), len(found.calls)) == (6, 1, 24)
    assert found.agent.systems[0].p95_ms == pytest.approx(80, rel=0.13)


def test_agents_are_listed_in_as_many_queries_however_many_there_are(
    workspace: Workspace, django_assert_num_queries: Any
) -> None:
    for name in "abcdefgh":
        who = make.agent(workspace, name)
        make.calls(workspace, who, on=make.system(workspace, f"system {name}"))
        make.pulse(who, timezone.now())
    listed(workspace, timedelta(days=1))  # what a connection has planned once it does not plan again

    with django_assert_num_queries(8):
        lines = listed(workspace, timedelta(days=1))

    assert [len(line.systems) for line in lines] == [1] * 8


def test_agents_of_another_workspace_are_not_listed(workspace: Workspace) -> None:
    make.calls(make.workspace("elsewhere"), make.agent(make.workspace("elsewhere")))

    assert listed(workspace) == []
    assert alone(workspace, "desk-refund") is None
