"""What the pages show, as JSON: shapes, filters, who may ask, what is answered to nonsense."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from orchestration.autonomy import ordering
from orchestration.autonomy.aims import Aim
from orchestration.autonomy.models import Kind as Act
from orchestration.autonomy.models import Target
from orchestration.autonomy.ordering import Wish
from orchestration.holds.models import Hold
from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.make import Made

pytestmark = pytest.mark.django_db
LISTS = ("agents", "systems", "runs", "workflows")
TRACE = b"t" * 16


class Api:
    """A program with a key."""

    def __init__(self, workspace: Workspace, *scopes: str) -> None:
        self.key = create_key(workspace, "reader", scopes)[1]
        self.client = Client()

    def get(self, address: str, **query: Any) -> Any:
        headers = {"authorization": f"Bearer {self.key}"}
        return self.client.get(f"/api/v1/{address}", query, headers=headers)


@pytest.fixture
def api(workspace: Workspace) -> Api:
    return Api(workspace, "read")


def refund(workspace: Workspace) -> Any:
    """A finished run of two agents, stored and counted."""
    began = timezone.now().replace(microsecond=0) - timedelta(minutes=5)
    triage, who, payments = make.agent(workspace, "triage"), make.agent(workspace), make.system(workspace)
    top = Made("invoke_workflow", Kind.WORKFLOW, ms=900, values={"workflow": "Refund"})
    first = Made("invoke_agent triage", Kind.AGENT, triage, parent=top, at_ms=10, ms=100)
    second = Made("invoke_agent refund", Kind.AGENT, who, parent=top, at_ms=200, ms=600)
    tool = Made("pay", Kind.TOOL, who, payments, second, 300, 50, Outcome.ERROR)
    again = Made("pay", Kind.TOOL, who, payments, second, 400, 60)
    make.spans(workspace, TRACE, began, top, first, second, tool, again)
    make.calls(workspace, who, on=payments, n=2, failures=1)
    make.ended(make.workflow(workspace), 900)
    return make.run(
        workspace, agents=[triage.pk, who.pk], traces=[TRACE], started_at=began, conversation="c-1", cost=1_500_000_000
    )


def assert_problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body


def test_the_overview_answers_the_five_questions(api: Api, workspace: Workspace) -> None:
    refund(workspace)
    make.stepped(make.workflow(workspace), "pay", "payments", wait_ms=90)

    body = api.get("overview", window="24h").json()

    assert body["window"] == "24h"
    assert body["as_of"].endswith("Z")
    assert set(body["agents"]) == {"working", "waiting", "idle", "held", "silent", "quarantined"}
    assert {"workflow", "step", "wait_p95_ms", "share_of_elapsed"} <= set(body["bottlenecks"][0])
    assert body["failing_agents"][0]["failure_rate"] == 0.5
    assert len(body["failing_agents"][0]["interval"]) == 2
    assert {"workflow", "runs", "p50_ms", "p90_ms", "p99_ms"} <= set(body["durations"][0])
    assert set(body["holds"]) == {"open", "per_100_runs"}
    assert set(body["spans"]) == {"accepted", "digested", "backlog", "lag_ms"}


def test_whatever_needs_somebody_is_told_by_its_kind(api: Api, workspace: Workspace) -> None:
    Hold.objects.create(
        workspace=workspace, source="agent", agent="desk", question="May I?", due_at=timezone.now() - timedelta(hours=1)
    )
    pause = Wish(Act.PAUSE, "person:ada", "key", "It runs away")
    ordering.order(workspace.pk, pause, Aim(Target.AGENT, "1", "desk"), proposed=True)

    told = api.get("overview").json()

    assert {each["kind"] for each in told["attention"]} == {"overdue", "acts"}


def test_a_run_has_the_shape_that_clients_rely_on(api: Api, workspace: Workspace) -> None:
    run = refund(workspace)

    body = api.get("runs").json()
    (line,) = body["items"]

    assert body["next"] is None
    assert {
        "id", "workflow", "title", "status", "root_said_ok", "conversation", "trace_ids", "started_at", "ended_at",
        "duration_ms", "active_ms", "agents", "spans", "errors", "retries", "tokens", "cost", "tool_calls",
        "tool_failures", "handoffs", "escalations",
    } <= set(line)  # fmt: skip
    assert (line["id"], line["agents"], line["trace_ids"]) == (str(run.id), ["triage", "refund"], [TRACE.hex()])
    assert line["cost"] == {"amount": 1.5, "currency": "USD"}
    assert line["tokens"] == {"input": 0, "output": 0}


def test_a_run_alone_tells_steps_calls_and_handoffs(api: Api, workspace: Workspace) -> None:
    run = refund(workspace)

    body = api.get(f"runs/{run.id}").json()

    assert {"escalation_list", "guardrail_hits", "joins", "findings"} <= set(body)
    assert [step["name"] for step in body["steps"]][:2] == ["invoke_workflow", "invoke_agent triage"]
    assert {
        "id", "parent", "kind", "name", "agent", "system", "status", "attempt", "started_at", "duration_ms", "tokens",
    } <= set(body["steps"][0])  # fmt: skip
    assert [(call["ok"], call["attempt"], call["system"]) for call in body["tool_call_list"]] == [
        (False, 1, "payments"),
        (True, 2, "payments"),
    ]
    (handoff,) = body["handoff_list"]
    assert (handoff["from"], handoff["to"]) == ("triage", "refund")
    assert {"at", "rule"} <= set(handoff)


def test_steps_come_in_pages(api: Api, workspace: Workspace) -> None:
    run = refund(workspace)

    first = api.get(f"runs/{run.id}", limit=3).json()
    second = api.get(f"runs/{run.id}", limit=3, cursor=first["next_steps"]).json()

    assert [len(part["steps"]) for part in (first, second)] == [3, 2]
    assert second["next_steps"] is None
    assert len({step["id"] for part in (first, second) for step in part["steps"]}) == first["step_count"] == 5


def test_a_run_is_asked_for_by_trace_and_a_merged_one_answers_as_the_other(api: Api, workspace: Workspace) -> None:
    run = refund(workspace)
    part = make.run(workspace, merged_into=run.id, traces=[])

    for name in (TRACE.hex(), part.id):
        assert api.get(f"runs/{name}").json()["id"] == str(run.id)


def test_an_agent_has_the_shape_that_clients_rely_on(api: Api, workspace: Workspace) -> None:
    refund(workspace)

    (line,) = api.get("agents", q="refund").json()["items"]
    alone = api.get(f"agents/{line['id']}").json()

    assert {
        "id", "name", "application", "environment", "kind", "state", "current", "last_seen", "version", "runs",
        "calls", "failures", "failure_rate", "interval", "tokens", "cost", "p50_ms", "p95_ms", "systems",
    } <= set(line)  # fmt: skip
    assert (line["id"], line["calls"], line["failures"], line["cost"]) == ("desk-refund", 2, 1, None)
    assert (line["systems"][0]["system"], line["systems"][0]["calls"]) == ("payments", 2)
    assert alone["points"]["calls"].count(2) == 1
    assert api.get("agents/desk/refund").json() == alone


def test_a_workflow_has_the_shape_that_clients_rely_on(api: Api, workspace: Workspace) -> None:
    refund(workspace)
    make.stepped(make.workflow(workspace), "pay", "payments", n=2, failed=1, work_ms=10)

    (line,) = api.get("workflows").json()["items"]
    alone = api.get("workflows/refund").json()

    assert set(line) == set(alone) - {"points"}
    assert {"agents", "people", "waiting"} == set(line["shares"])
    assert (line["name"], line["runs"], line["in_progress"], line["failed"]) == ("Refund", 1, 0, 0)
    assert {"name", "owner", "started", "finished", "failed", "wait_p50_ms", "work_p50_ms"} <= set(line["steps"][0])


def test_a_system_tells_who_uses_it(api: Api, workspace: Workspace) -> None:
    refund(workspace)

    (line,) = api.get("systems").json()["items"]
    alone = api.get("systems/payments").json()

    assert (line["id"], line["kind"], line["calls"], line["failures"]) == ("payments", "system", 2, 1)
    assert [user["agent"] for user in alone["users"]] == ["refund"]


@pytest.mark.parametrize("what", LISTS)
def test_a_list_goes_on_with_its_cursor(api: Api, workspace: Workspace, what: str) -> None:
    for name in "abc":
        make.run(workspace, make.workflow(workspace, name), title=name)
        make.calls(workspace, make.agent(workspace, name), on=make.system(workspace, name))
    seen, cursor = [], ""

    for _ in range(2):
        body = api.get(what, limit=2, cursor=cursor).json()
        seen += [item["id"] for item in body["items"]]
        cursor = body["next"]

    assert cursor is None
    assert len(set(seen)) == 3


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ("runs?status=done", "status"),
        ("runs?limit=0", "limit"),
        ("runs?limit=501", "limit"),
        ("runs?limit=x", "limit"),
        ("runs?since=yesterday", "since"),
        ("runs?until=99999999999999999999999999", "until"),
        ("runs?until=0001-01-01T00:00:00%2B14:00", "until"),
        ("runs?cursor=nonsense", "cursor"),
        ("runs?trace=xyz", "trace"),
        ("runs?q=%00", "q"),
        ("agents?window=31d", "window"),
        ("agents?window=59m", "window"),
        ("agents?window=0h", "window"),
        ("agents?state=dead", "state"),
        ("agents?sort=color", "sort"),
        ("agents?cursor=LTE", "cursor"),
        ("agents?cursor=Wy0xXQ", "cursor"),
        ("systems?kind=person", "kind"),
        ("overview?window=%D9%A1h", "window"),
        ("workflows?window=", "window"),
        ("workflows/x?window=1w", "window"),
        ("agents/%00", "agent_id"),
        ("runs?workfow=refund", "workfow"),
        ("runs?status=failed&status=running", "status"),
        ("agents/x?q=refund", "q"),
        ("policies/bundle?state=live", "state"),
    ],
)
def test_a_value_that_is_none_is_named(api: Api, address: str, field: str) -> None:
    body = assert_problem(api.client.get(f"/api/v1/{address}", headers={"authorization": f"Bearer {api.key}"}), 422)

    assert [error["field"] for error in body["errors"]] == [field]
    assert field in body["detail"]


def test_a_filter_that_nobody_knows_is_told_which_there_are(api: Api) -> None:
    body = assert_problem(api.get("overview", windw="24h"), 422)

    assert body["detail"] == "windw: no parameter of this address; there are window"


def test_runs_are_told_by_a_window_too(api: Api, workspace: Workspace) -> None:
    now = timezone.now()
    for title, hours in (("now", 0), ("lately", 2), ("earlier", 30)):
        make.run(workspace, title=title, started_at=now - timedelta(hours=hours))

    assert [line["title"] for line in api.get("runs", window="24h").json()["items"]] == ["now", "lately"]
    both = {"window": "24h", "since": (now - timedelta(hours=1)).isoformat()}
    assert [line["title"] for line in api.get("runs", **both).json()["items"]] == ["now"]


@pytest.mark.parametrize("since", ["2026-03-01T12:00:00Z", "2026-03-01T14:00:00+02:00", "1772366400000000000"])
def test_times_are_rfc_3339_or_nanoseconds(api: Api, workspace: Workspace, since: str) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    make.run(workspace, title="before", started_at=noon - timedelta(seconds=1))
    make.run(workspace, title="after", started_at=noon)

    assert [line["title"] for line in api.get("runs", since=since).json()["items"]] == ["after"]
    assert [line["title"] for line in api.get("runs", until=since).json()["items"]] == ["before"]


@pytest.mark.parametrize("address", ["agents/x", "systems/x", "workflows/x", "runs/x", "nothing", "", "runs/a/b"])
def test_what_is_not_there_is_a_problem_and_no_page(api: Api, address: str) -> None:
    assert_problem(api.get(address), 404)


def test_a_method_that_is_not_served_is_a_problem(api: Api) -> None:
    response = api.client.post("/api/v1/overview", headers={"authorization": f"Bearer {api.key}"})

    assert_problem(response, 405)
    assert response["Allow"] == "GET"


@pytest.mark.parametrize("address", ["overview", *LISTS])
def test_nobody_reads_without_a_key(client: Client, address: str) -> None:
    response = client.get(f"/api/v1/{address}")

    assert_problem(response, 401)
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_key_that_may_only_send_does_not_read(workspace: Workspace) -> None:
    assert_problem(Api(workspace, "ingest").get("agents"), 403)


def test_a_person_who_is_logged_in_reads_what_the_pages_show(as_operator: Client, workspace: Workspace) -> None:
    make.agent(workspace)

    assert [agent["id"] for agent in as_operator.get("/api/v1/agents").json()["items"]] == ["desk-refund"]


def test_nothing_of_another_workspace_is_told(api: Api, stranger: User) -> None:
    other = make.workspace("elsewhere")
    run = refund(other)

    for what in LISTS:
        assert api.get(what).json()["items"] == []
    for address in (
        f"runs/{run.id}",
        f"runs/{TRACE.hex()}",
        "agents/desk-refund",
        "systems/payments",
        "workflows/refund",
    ):
        assert_problem(api.get(address), 404)
    assert api.get("overview").json()["failing_agents"] == []


def test_answers_are_not_kept_in_caches(api: Api) -> None:
    assert "no-store" in api.get("overview")["Cache-Control"]
