"""Who should get the work, asked over HTTP."""

from __future__ import annotations

import secrets
import time
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone

from orchestration.autonomy.aims import aim
from orchestration.autonomy.models import Action, Kind, Target
from orchestration.control import routes
from orchestration.control.candidates import Work
from orchestration.policies import lifecycle
from orchestration.policies.models import Policy
from orchestration.registry.models import Agent, System
from orchestration.routing import limits
from orchestration.routing.limits import May
from orchestration.routing.models import Breaker, Choice, Circuit, Incumbent
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.api.door import JSON, Door
from tests.api.test_actions import ask
from tests.autonomy.ordered import aimed, done
from tests.routing.made import measured, record
from tests.waiting import allowed

Answer = dict[str, Any]


@pytest.fixture
def door(served: int, tenant: Workspace) -> Door:
    return Door(served, create_key(tenant, "asks", ["decide"])[1])


@pytest.fixture
def db_(tenant: Workspace) -> System:
    return make.system(tenant, "customer-db")


@pytest.fixture
def pair(tenant: Workspace, db_: System) -> tuple[Agent, Agent]:
    """One that succeeds in 70 % of a hundred calls, and one in 93 % of four hundred."""
    weak, strong = (
        make.agent(tenant, f"weak-{secrets.token_hex(2)}"),
        make.agent(tenant, f"strong-{secrets.token_hex(2)}"),
    )
    record(weak, db_, 100, 30)
    record(strong, db_, 400, 28)
    measured(tenant)
    limits.allow(tenant, May(exploration=0.0), "person:admin")
    limits.forget()
    return weak, strong


def route(door: Door, key: str = "", **work: Any) -> tuple[int, Answer]:
    headers = {"Idempotency_Key": key} if key else {}
    reply = door.send("/api/v1/route", orjson.dumps(work), JSON, **headers)  # type: ignore[arg-type]
    return reply.status, reply.json()


def test_the_more_reliable_one_gets_the_work_and_the_figures_are_said(door: Door, pair: tuple[Agent, Agent]) -> None:
    weak, strong = pair

    status, said = route(door, system="customer-db")

    assert (status, said["agent"], said["explored"]) == (200, strong.name, False)
    assert f"{strong.name} 93% (" in said["why"]
    assert "n=400" in said["why"]
    (other,) = said["alternatives"]
    assert (other["agent"], other["n"], other["failures"]) == (weak.name, 100, 30)
    assert other["interval"][0] < 0.7 < other["interval"][1]


def test_the_same_key_gets_the_same_answer_and_another_question_is_refused(
    door: Door, pair: tuple[Agent, Agent], tenant: Workspace
) -> None:
    _, first = route(door, "k1", system="customer-db")
    _, second = route(door, "k1", system="customer-db")
    status, _ = route(door, "k1", system="customer-db", risk="high")

    assert first == second
    assert status == 422
    assert Choice.objects.filter(workspace=tenant).count() == 1


def test_who_is_quarantined_or_behind_an_open_circuit_is_never_chosen(
    door: Door, pair: tuple[Agent, Agent], tenant: Workspace, db_: System
) -> None:
    weak, strong = pair
    Breaker.objects.create(workspace=tenant, agent=strong, system=db_, state=Circuit.OPEN, words="9 of 9 calls failed")

    _, said = route(door, system="customer-db")
    done(tenant, Kind.QUARANTINE, aimed(weak))
    _, nobody = route(door, system="customer-db")

    assert said["agent"] == weak.name
    assert "circuit" in said["alternatives"][0]["barred"]
    assert nobody["agent"] is None
    assert "quarantined" in nobody["why"]


def test_a_policy_forbids_a_candidate_and_the_next_one_is_taken(
    door: Door, pair: tuple[Agent, Agent], tenant: Workspace
) -> None:
    weak, strong = pair
    forbid(tenant, strong)

    _, said = route(door, task="refund", system="customer-db")

    assert said["agent"] == weak.name
    assert "policy" in next(each["barred"] for each in said["alternatives"] if each["agent"] == strong.name)


def test_who_has_the_work_keeps_it_until_another_is_surely_better(
    door: Door, pair: tuple[Agent, Agent], tenant: Workspace
) -> None:
    weak, strong = pair
    work = Work(system="customer-db")
    row = {"workspace": tenant, "what": routes.what_of(work), "agent_id": weak.pk}
    Incumbent.objects.create(since=timezone.now(), **row)

    _, kept = route(door, system="customer-db")
    Incumbent.objects.filter(workspace=tenant).update(since=timezone.now() - timedelta(hours=1))
    _, moved = route(door, system="customer-db")

    assert kept["agent"] == weak.name
    assert "keeps this work" in kept["why"]
    assert moved["agent"] == strong.name


def test_moved_work_goes_elsewhere_by_route_and_by_decision_and_comes_back(
    door: Door, pair: tuple[Agent, Agent], tenant: Workspace
) -> None:
    weak, strong = pair
    about = {"about": {"to": weak.slug, "system": "customer-db"}}
    action = done(tenant, Kind.REROUTE, aimed(strong), told=about)
    assert action.state == "done", action.error

    _, said = route(door, system="customer-db")
    sent = asked(door, strong, "customer-db")
    elsewhere = asked(door, strong, "crm")
    done(tenant, Kind.RESTORE, aimed(strong))
    back = asked(door, strong, "customer-db")

    assert said["agent"] == weak.name
    assert (sent["effect"], sent["route_to"], sent["reasons"][0]["policy"]) == ("route", weak.name, "reroute")
    assert (elsewhere["effect"], back["effect"]) == ("allow", "allow")
    action.refresh_from_db()
    assert action.state == "undone"


def test_a_question_that_names_nothing_or_somebody_unknown_says_which_field(door: Door, db_: System) -> None:
    for body, field in (
        ({}, "task"),
        ({"system": "nowhere"}, "system"),
        ({"system": "customer-db", "candidates": ["nobody"]}, "candidates"),
        ({"system": "customer-db", "risk": "odd"}, "risk"),
        ({"system": "customer-db", "amount": -1}, "amount"),
        ({"system": "a\0b"}, "system"),
    ):
        status, said = route(door, **body)
        assert (status, said["errors"][0]["field"].rpartition(".")[2]) == (422, field), said


def test_an_answer_comes_quickly(door: Door, pair: tuple[Agent, Agent]) -> None:
    took = []
    for _ in range(40):
        begun = time.perf_counter()
        route(door, system="customer-db")
        took.append(time.perf_counter() - begun)

    assert sorted(took)[-2] < allowed(0.02)


def test_nobody_is_chosen_for_a_run_whose_workflow_is_paused(
    door: Door, pair: tuple[Agent, Agent], tenant: Workspace
) -> None:
    flow = make.workflow(tenant, "Refunds")
    run, other = make.run(tenant, flow), make.run(tenant)
    found = aim(tenant.pk, Target.WORKFLOW, flow.slug)
    assert found
    done(tenant, Kind.PAUSE, found)

    _, said = route(door, system="customer-db", run=str(run.id))
    _, elsewhere = route(door, system="customer-db", run=str(other.id))

    assert said["agent"] is None
    assert "Refunds" in said["why"]
    assert elsewhere["agent"]


def test_a_rule_that_looks_back_is_asked_of_who_would_get_the_work(
    door: Door, pair: tuple[Agent, Agent], tenant: Workspace
) -> None:
    weak, strong = pair
    publish(tenant, {"condition": "past.count_agent_24h >= 2.0", "then": {"kind": "deny", "words": "Enough for today"}})

    _, first = route(door, task="refund", system="customer-db")
    for _ in range(2):
        assert asked(door, strong, "customer-db", "refund")["effect"] == "allow"
    _, then = route(door, task="refund", system="customer-db")

    assert (first["agent"], then["agent"]) == (strong.name, weak.name)
    assert "Enough for today" in next(each["barred"] for each in then["alternatives"] if each["agent"] == strong.name)


def test_a_circuit_that_opens_is_seen_at_once(
    door: Door, pair: tuple[Agent, Agent], tenant: Workspace, db_: System
) -> None:
    """Though what is measured is remembered for some seconds."""
    weak, strong = pair
    _, before = route(door, system="customer-db")
    Breaker.objects.create(workspace=tenant, agent=strong, system=db_, state=Circuit.OPEN, words="9 of 9 calls failed")
    _, after = route(door, system="customer-db")

    assert (before["agent"], after["agent"]) == (strong.name, weak.name)


@pytest.mark.parametrize("about", [{"to": "{name}s"}, {"to": "stronk"}, {"to": "{name}", "system": "nowhere"}])
def test_work_that_is_to_go_to_nobody_is_refused_at_the_door_with_the_names_that_come_near(
    served: int, pair: tuple[Agent, Agent], tenant: Workspace, about: dict[str, str]
) -> None:
    weak, strong = pair
    admin = Door(served, create_key(tenant, "admin", ["admin"])[1])
    said = {name: text.format(name=strong.name) for name, text in about.items()}

    body = {"kind": "reroute", "target": {"kind": "agent", "id": weak.slug}, "about": said, "key": "k"}
    reply = admin.send("/api/v1/actions", orjson.dumps(body), JSON)

    words = str(reply.json()["detail"])
    assert reply.status == 422
    assert ("nowhere" if "system" in said else strong.slug if said["to"] != "stronk" else "stronk") in words
    assert not Action.objects.filter(workspace=tenant).exists()


def test_stopping_is_stricter_than_moving(door: Door, pair: tuple[Agent, Agent], tenant: Workspace) -> None:
    weak, strong = pair
    done(tenant, Kind.REROUTE, aimed(strong), told={"about": {"to": weak.slug}})
    done(tenant, Kind.QUARANTINE, aimed(strong))

    assert ask(door, strong)["effect"] == "deny"


def asked(door: Door, agent: Agent, system: str, act: str = "write") -> Answer:
    body = {"agent": agent.name, "action": {"type": act, "system": system}}
    said: Answer = door.send("/api/v1/decisions", orjson.dumps(body), JSON).json()
    return said


def forbid(tenant: Workspace, agent: Agent) -> Policy:
    return publish(tenant, {"condition": f'agent.name == "{agent.name}"', "then": {"kind": "deny", "words": "No"}})


def publish(tenant: Workspace, body: dict[str, Any]) -> Policy:
    author = User.objects.get_or_create(username=f"author-{tenant.slug}")[0]
    draft = lifecycle.create(tenant, "Forbid", author, body)
    return lifecycle.publish(draft.policy_id, draft.number, author, "Never").policy
