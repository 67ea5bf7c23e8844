"""Figures say what the runs say: agents, tools, failures and tokens of every capture, counted twice and compared."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from uuid_utils.compat import uuid7

from orchestration.control import digest, fleet, systems
from orchestration.control.overview import overview
from orchestration.telemetry import packing
from orchestration.telemetry.models import Delivery, Signal
from orchestration.workflows import account, runs
from orchestration.workflows.account import RunDetail
from orchestration.workspaces.models import Workspace
from tests import captures
from tests.control.test_digest import Sender, settle_all

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("days")]
HOUR = timedelta(hours=1)


def taken(workspace: Workspace, folder: str) -> list[RunDetail]:
    """The runs of a capture, digested and settled."""
    for request in captures.requests(folder, "once"):
        if request.path == "/v1/traces":
            packed = "content-encoding" in request.headers
            Delivery.objects.create(
                workspace=workspace,
                id=uuid7(),
                signal=Signal.TRACES,
                encoding="json" if "json" in request.headers["content-type"] else "protobuf",
                compression="zstd",
                items=1,
                body=packing.pack(gzip.decompress(request.body) if packed else request.body),
            )
    while digest.digest(workspace.pk):
        pass
    settle_all(workspace)
    found = [account.run(workspace.pk, str(line.id)) for line in runs.runs(workspace.pk).items]
    return [each for each in found if each is not None]


@pytest.mark.parametrize("folder", captures.FOLDERS)
def test_agents_do_in_figures_what_they_do_in_runs(folder: str, workspace: Workspace) -> None:
    told = taken(workspace, folder)
    now = timezone.now()
    calls = Counter((call.agent, call.ok) for each in told for call in each.tool_call_list)
    served = Counter(call.system for each in told for call in each.tool_call_list)

    lines = fleet.agents(workspace.pk, HOUR, now)
    alone = [fleet.agent(workspace.pk, line.id, HOUR, now) for line in lines]

    tools = {each.agent.name: kind for each in alone if each for kind in each.kinds if kind.kind == "tool"}
    assert {line.name for line in lines} == {name for each in told for name in each.run.agents}
    assert {name: (kind.calls - kind.failures, kind.failures) for name, kind in tools.items()} == {
        name: (calls[name, True], calls[name, False]) for name, _ in calls
    }
    assert sum(line.tokens.input for line in lines) == sum(each.run.tokens.input for each in told)
    used: Counter[str] = Counter()
    for use in (use for line in lines for use in line.systems if use.kind == "system"):
        used[use.system] += use.calls
    assert used == served
    assert overview(workspace.pk, HOUR, now).active_agents == len(lines)


def test_a_call_that_is_seen_twice_and_fails_inside_is_one_call_that_failed(workspace: Workspace) -> None:
    sender = Sender(workspace)
    turn = sender.span("invoke_agent refund", gen_ai__operation__name="invoke_agent", gen_ai__agent__name="refund")
    tool = {"gen_ai__operation__name": "execute_tool", "gen_ai__tool__name": "pay"}
    outer = sender.span("execute_tool pay", turn, at=0.1, took=0.5, **tool)
    sender.span("tools/call pay", outer, at=0.2, took=0.2, error="refused", mcp__method__name="tools/call", **tool)
    sender.deliver()
    digest.digest(workspace.pk)
    settle_all(workspace)

    (line,) = fleet.agents(workspace.pk, HOUR, timezone.now())
    (told,) = runs.runs(workspace.pk).items

    assert (line.calls, line.failures) == (told.tool_calls, told.tool_failures) == (1, 1)
    assert [(use.system, use.calls, use.failures) for use in line.systems] == [("pay", 1, 1)]


def test_a_retrieval_counts_for_the_system_that_a_request_below_it_names(workspace: Workspace) -> None:
    sender = Sender(workspace)
    turn = sender.span("invoke_agent desk", gen_ai__operation__name="invoke_agent", gen_ai__agent__name="desk")
    source = {"gen_ai__operation__name": "retrieval", "gen_ai__data_source__id": "search_help"}
    read = sender.span("retrieval search_help", turn, at=0.1, took=0.5, **source)
    sender.span("GET /search", read, at=0.2, took=0.2, http__request__method="GET", server__address="kb")
    sender.spans[-1].kind = OtlpSpan.SPAN_KIND_CLIENT
    sender.deliver()
    while digest.digest(workspace.pk):
        pass
    settle_all(workspace)

    found = systems.systems(workspace.pk, HOUR, timezone.now())

    assert [(line.name, line.calls) for line in found if line.calls] == [("kb", 1)]
