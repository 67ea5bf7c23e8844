"""Acts ordered over HTTP, and what agents that ask are told of them by every process."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.autonomy import work
from orchestration.autonomy.aims import aim
from orchestration.autonomy.models import Action, Kind, Stop, Target
from orchestration.control import recorded
from orchestration.holds.models import Hold
from orchestration.ledger.models import Entry
from orchestration.policies.models import Decision
from orchestration.registry.models import Agent
from orchestration.workflows.models import Run
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Workspace
from tests import make
from tests.api.door import JSON, Door
from tests.autonomy.ordered import aimed, at_run, done


@pytest.fixture
def may(served: int, tenant: Workspace) -> Door:
    return Door(served, create_key(tenant, "asks", ["decide"])[1])


@pytest.fixture
def acts(served: int, tenant: Workspace) -> Door:
    return Door(served, create_key(tenant, "acts", ["admin", "read"])[1])


@pytest.fixture
def bot(tenant: Workspace) -> Agent:
    return make.agent(tenant, f"bot-{secrets.token_hex(3)}")


def ask(door: Door, bot: Agent, run: str = "") -> dict[str, Any]:
    body = {"agent": bot.name, "action": {"type": "refund"}} | ({"run": run} if run else {})
    answer: dict[str, Any] = door.send("/api/v1/decisions", orjson.dumps(body), JSON).json()
    return answer


def post(door: Door, path: str, body: Any, key: str = "") -> tuple[int, Any]:
    headers = {"Idempotency_Key": key} if key else {}
    reply = door.send(f"/api/v1/{path}", orjson.dumps(body), JSON, **headers)  # type: ignore[arg-type]
    return reply.status, reply.json()


def get(door: Door, path: str) -> Any:
    return door.send(path, method="GET").json()


def quarantine(bot: Agent, **more: Any) -> dict[str, Any]:
    return {"kind": "quarantine", "target": {"kind": "agent", "id": bot.slug}, "reason": "Odd", **more}


def test_a_quarantined_agent_is_denied_with_the_commit_and_told_why(may: Door, tenant: Workspace, bot: Agent) -> None:
    assert ask(may, bot)["effect"] == "allow"
    done(tenant, Kind.QUARANTINE, aimed(bot))

    told = ask(may, bot)

    assert (told["effect"], told["reasons"][0]["policy"]) == ("deny", "quarantine")
    assert told["reasons"][0]["words"] == f"{bot.name} is quarantined: It pays twice."
    entry = Entry.objects.get(workspace=tenant.pk, subject_id=told["id"])
    assert orjson.loads(entry.body)["told"]["stopped"] == "quarantine"
    assert Decision.objects.filter(workspace=tenant, effect="deny", policy_id=None).count() == 1

    done(tenant, Kind.RELEASE, aimed(bot))
    assert ask(may, bot)["effect"] == "allow"


def test_a_paused_agent_is_told_when_to_ask_again(may: Door, tenant: Workspace, bot: Agent) -> None:
    done(tenant, Kind.PAUSE, aimed(bot), minutes=5)

    body = orjson.dumps({"agent": bot.name, "action": {"type": "refund"}})
    reply = may.send("/api/v1/decisions", body, JSON)

    told = reply.json()
    assert (told["effect"], told["retry_after_s"]) == ("delay", 30)
    assert reply.headers["retry-after"] == "30"


def test_what_a_supervised_agent_could_do_alone_is_a_persons_to_decide(
    may: Door, tenant: Workspace, bot: Agent
) -> None:
    done(tenant, Kind.SUPERVISE, aimed(bot), reason="It gets worse")

    told = ask(may, bot)

    assert told["effect"] == "hold"
    assert told["reasons"] == [
        {
            "policy": "supervise",
            "version": 0,
            "words": f"{bot.name} is supervised: It gets worse. A person decides instead.",
            "effect": "hold",
        }
    ]
    hold = Hold.objects.get(pk=told["hold"])
    assert (hold.policy, hold.policy_id, hold.why) == ("supervise", None, told["reasons"][0]["words"])
    assert recorded.stretch(tenant.pk, None, None) is None  # no policy would say so again

    done(tenant, Kind.TRUST, aimed(bot))
    assert ask(may, bot)["effect"] == "allow"


def test_a_rule_that_is_stricter_speaks_before_supervision(may: Door, tenant: Workspace, bot: Agent) -> None:
    done(tenant, Kind.SUPERVISE, aimed(bot))
    done(tenant, Kind.PAUSE, aimed(bot), minutes=5)

    assert ask(may, bot)["effect"] == "delay"


def test_a_paused_workflow_stops_asks_of_its_runs_alone(may: Door, tenant: Workspace, bot: Agent) -> None:
    flow, other = make.workflow(tenant, "Refund"), make.workflow(tenant, "Loan")
    run, free = make.run(tenant, flow, status="running"), make.run(tenant, other, status="running")
    target = aim(tenant.pk, Target.WORKFLOW, flow.slug)
    assert target
    done(tenant, Kind.PAUSE, target)

    effects = [ask(may, bot, run=str(each))["effect"] for each in (run.id, free.id, "")]

    assert effects == ["delay", "allow", "allow"]


def test_a_cancelled_run_is_told_to_whoever_asks_for_it(may: Door, tenant: Workspace, bot: Agent) -> None:
    trace = secrets.token_bytes(16)
    run = make.run(tenant, status="running", traces=[trace])
    done(tenant, Kind.CANCEL, at_run(run))

    assert [ask(may, bot, run=name)["effect"] for name in (str(run.id), trace.hex(), "another")] == [
        "deny",
        "deny",
        "allow",
    ]


def test_an_act_is_ordered_once_whatever_is_sent_twice(acts: Door, tenant: Workspace, bot: Agent) -> None:
    first = post(acts, "actions", quarantine(bot), "k-1")
    again = post(acts, "actions", quarantine(bot), "k-1")
    other = post(acts, "actions", quarantine(bot, minutes=5), "k-1")

    assert (first[0], again[1]["action"]["id"]) == (200, first[1]["action"]["id"])
    assert other[0] == 422
    assert Action.objects.filter(workspace=tenant).count() == 1


def test_it_is_carried_out_shown_and_taken_back(acts: Door, tenant: Workspace, bot: Agent) -> None:
    _, ordered = post(acts, "actions", quarantine(bot))
    path = f"actions/{ordered['action']['id']}"
    work.carry_out()
    told = get(acts, f"/api/v1/{path}")
    assert (told["state"], told["undoable"], told["result"]["changed"]) == ("done", True, True)
    agent = get(acts, f"/api/v1/agents/{bot.slug}")
    assert agent["state"] == "quarantined"

    status, _ = post(acts, f"{path}/undo", {"reason": "A mistake"})
    work.carry_out()

    assert status == 200
    assert get(acts, f"/api/v1/{path}")["state"] == "undone"
    assert not Stop.objects.filter(workspace=tenant).exists()


def test_a_filter_takes_what_the_list_of_the_same_filter_shows(acts: Door, tenant: Workspace) -> None:
    flow = make.workflow(tenant, "Refund")
    one = make.run(tenant, flow, status="running", conversation="c-1")
    other = make.run(tenant, flow, status="running", started_at=timezone.now() - timedelta(hours=2))
    wanted = {"kind": "cancel", "target": {"kind": "run", "id": ""}, "reason": "x"}

    told = post(acts, "actions", wanted | {"filter": {"conversation": "c-1"}}, "one")[1]
    recent = {"since": (timezone.now() - timedelta(hours=1)).isoformat(), "status": "running"}
    again = post(acts, "actions", wanted | {"filter": recent}, "recent")[1]
    work.carry_out()

    assert (told["order"]["total"], again["order"]["total"]) == (1, 1)
    assert set(Run.objects.filter(pk__in=[one.pk, other.pk], status="running").values_list("pk", flat=True)) == {
        other.pk
    }


def test_a_filtered_set_is_done_with_a_result_for_each(acts: Door, tenant: Workspace) -> None:
    flow = make.workflow(tenant, "Refund")
    for _ in range(3):
        make.run(tenant, flow, status="running")
    make.run(tenant, flow)
    wanted = {"kind": "cancel", "target": {"kind": "run", "id": ""}, "filter": {"status": "in_progress"}, "reason": "x"}

    status, told = post(acts, "actions", wanted, "all")
    work.carry_out()

    order = get(acts, f"/api/v1/actions/orders/{told['order']['id']}")
    items = get(acts, f"/api/v1/actions?order={order['id']}")["items"]
    assert (status, order["total"], order["ended"], order["changed"], order["done"]) == (200, 3, 3, 3, True)
    assert [item["state"] for item in items] == ["done"] * 3
    assert post(acts, "actions", wanted, "all")[1]["order"]["id"] == order["id"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"reason": ""}, 422),
        ({"kind": "explode"}, 422),
        ({"target": {"kind": "run", "id": "x"}}, 404),
        ({"target": {"kind": "agent", "id": "no\u0000ne"}}, 422),
        ({"minutes": 0}, 422),
        ({"filter": {}}, 422),
        ({"filter": {"state": "held"}}, 422),
        ({"filter": {"q": "a", "status": "running"}}, 422),
        ({"filter": {"name": "bot"}}, 422),
        ({"kind": "cancel", "target": {"kind": "run"}, "filter": {"state": "held"}}, 422),
        ({"kind": "cancel", "target": {"kind": "run"}, "filter": {"status": "running", "title": "A"}}, 422),
    ],
)
def test_a_bad_order_is_told_what_is_wrong(acts: Door, bot: Agent, change: dict[str, Any], status: int) -> None:
    answered, told = post(acts, "actions", quarantine(bot) | change)

    assert (answered, told["status"]) == (status, status)
    assert not Action.objects.filter(workspace=bot.workspace).exists()


def test_a_fault_of_the_body_is_named_as_the_caller_wrote_it(acts: Door, bot: Agent) -> None:
    _, wrong = post(acts, "actions", quarantine(bot) | {"kind": "explode", "minutes": "soon"})
    none: Any = acts.send("/api/v1/actions/retry", b"", JSON).json()

    assert {error["field"] for error in wrong["errors"]} == {"kind", "minutes"}
    assert [error["field"] for error in none["errors"]] == ["body"]


def test_a_key_that_may_only_decide_orders_nothing(may: Door, bot: Agent) -> None:
    assert post(may, "actions", quarantine(bot))[0] == 403


def test_what_another_workspace_did_is_not_there(acts: Door, workspace: Workspace) -> None:
    theirs = done(workspace, Kind.PAUSE, aimed(make.agent(workspace)))

    assert get(acts, f"/api/v1/actions/{theirs.pk}")["status"] == 404
    assert post(acts, f"actions/{theirs.pk}/undo", {})[0] == 404
    assert get(acts, f"/api/v1/actions/orders/{uuid7()}")["status"] == 404
    assert get(acts, "/api/v1/actions")["items"] == []


def test_a_check_is_answered_by_the_agent_that_was_asked_and_by_no_other(
    acts: Door, tenant: Workspace, bot: Agent
) -> None:
    told = {"by": "checker"}
    action = done(tenant, Kind.VERIFY, aimed(bot), told={"about": told})
    path = f"actions/{action.pk}/answer"
    checker = Door(acts.port, create_key(tenant, "c", ["decide", "read"], ["checker"])[1])
    stranger = Door(acts.port, create_key(tenant, "s", ["decide", "read"], ["other"])[1])

    assert post(stranger, path, {"answer": "approve"})[0] == 403
    assert post(checker, path, {"answer": "perhaps"})[0] == 422
    assert post(checker, path, {"answer": "approve"})[0] == 409  # it had no address and was given up
    Action.objects.filter(pk=action.pk).update(state="running")
    assert post(checker, path, {"answer": "approve", "note": "Fine"})[1]["result"]["answer"] == "approve"
