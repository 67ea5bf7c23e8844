"""The past of the simulated company, told to a Baton that knows nothing of it: totals are exact, nobody wakes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from orchestration.demo.arrivals import Plan
from orchestration.demo.company import found
from orchestration.demo.history import PATIENT, tell
from orchestration.demo.memory import past_of
from orchestration.demo.rhythm import HOUR, Rhythm
from orchestration.demo.stage import Stage
from tests.bench.stand import Stand, Tenant
from tests.client.receiver import receiver
from tests.demo.hour import Hour, hour_of

AS_LONG = "30d"
MAKE_KEY = """
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Workspace
said = create_key(Workspace.objects.get(pk={}), "journey", {})[1]
"""
DECIDED = "select action_type, effect, verdict, reviewer, outcome from policies_decision where workspace_id = %s"


@dataclass
class Told:
    tenant: Tenant
    plan: Plan
    sent: Hour
    past_key: str

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.sent.events if event["type"] == kind]


def tell_to(url: str, key: str, plan: Plan, past_key: str) -> None:
    company = found(url, key, plan, Stage(), PATIENT, past_key=past_key)
    assert all(tell(company, chapter) for chapter in past_of(plan).left)
    company.close()


@pytest.fixture(scope="module")
def told(baton: Stand) -> Told:
    tenant = baton.workspace()
    plan = Plan(Rhythm(time.time_ns() - HOUR // 12, days=3), seed=4, per_minute=0.5)
    past_key = baton.ask(MAKE_KEY.format(tenant.id, ["ingest", "admin"]))
    tell_to(baton.url, tenant.key, plan, past_key)
    tenant.settled()
    with receiver() as got:
        tell_to(got.url, "a-key", plan, "a-past-key")
    return Told(tenant, plan, hour_of(got), past_key)


def figures(told: Told) -> dict[str, Any]:
    found = told.tenant.get(f"/api/v1/overview?window={AS_LONG}")
    agents = told.tenant.get(f"/api/v1/agents?window={AS_LONG}&limit=100")["items"]
    return {
        "durations": found["durations"],
        "digested": found["spans"]["digested"],
        "decisions": sorted(told.tenant.rows(DECIDED)),
        "agents": {a["name"]: (a["calls"], a["failures"], a["tokens"], a["runs"]) for a in agents},
    }


def test_every_span_is_there_and_every_end_of_a_run(told: Told) -> None:
    found = figures(told)

    assert found["digested"] == len(told.sent.spans) > 1500
    ended = Counter(event["workflow"] for event in told.sent.events if event["type"] in ("run.finished", "run.failed"))
    assert ended <= Counter({each["workflow"]: each["runs"] for each in found["durations"]})


def test_tokens_are_those_that_were_sent(told: Told) -> None:
    keys = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
    came = {span["spanId"]: span for span in told.sent.spans}
    sent = sum(int(span["a"].get(key, 0)) for span in came.values() if has_agent(span, came) for key in keys)

    assert sum(tokens["input"] for _, _, tokens, _ in figures(told)["agents"].values()) == sent


def has_agent(span: dict[str, Any], came: Mapping[str, dict[str, Any]]) -> bool:
    """Whether it names its agent or lies in the turn of one. Of a program that was killed the turn never came, and
    model calls that name nobody are nobody's."""
    if span["a"].get("gen_ai.agent.name"):
        return True
    at: dict[str, Any] | None = span
    while at is not None:
        told = at["a"]
        if told.get("gen_ai.operation.name") == "invoke_agent" or told.get("openinference.span.kind") == "AGENT":
            return True
        at = came.get(at.get("parentSpanId", ""))
    return False


def test_decisions_of_the_past_are_there_with_what_people_said_and_what_came_later(told: Told) -> None:
    verdicts = {event["decision"]: event for event in told.of("hold.decided")}
    sent = [
        (
            event["facts"]["action.type"],
            event["effect"],
            *(verdicts.get(event["decision"], {}).get(name, "") for name in ("verdict", "reviewer")),
            verdicts.get(event["decision"], event).get("outcome", ""),
        )
        for event in told.of("decision.recorded")
    ]

    assert figures(told)["decisions"] == sorted(sent)
    assert len(verdicts) > 20
    assert {event["agent"] for event in told.of("decision.recorded")} >= {"refunds/refund", "invoice-entry/entry-bot"}


def test_each_agent_is_one_however_many_processes_met_it(told: Told) -> None:
    names = [agent["name"] for agent in told.tenant.get("/api/v1/agents?window=30d&limit=100")["items"]]

    assert len(names) == len(set(names)) > 5  # fewer work at a weekend


def test_the_past_wakes_no_agent(told: Told) -> None:
    agents = told.tenant.get("/api/v1/agents?limit=100")["items"]

    over = {event["run"] for event in told.sent.events if event["type"] in ("run.finished", "run.failed")}
    began = told.of("run.started")
    # who has told of a run that is still open has something open, whenever that was told
    busy = {event["agent"].partition("/")[2] for event in began if event["run"] not in over}
    assert {a["name"] for a in agents if a["state"] != "idle"} <= busy
    assert not busy & {"refund", "billing", "customer-service", "kyc-screener", "credit-analyst"}
    assert {a["last_seen"] for a in agents} == {None}


def test_the_past_told_again_changes_nothing(told: Told, baton: Stand) -> None:
    before = figures(told)

    tell_to(baton.url, told.tenant.key, told.plan, told.past_key)
    told.tenant.settled()

    assert figures(told) == before
