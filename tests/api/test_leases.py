"""Declared runs over HTTP: started once, taken by waiting agents, kept, finished, lost, cancelled, rolled back."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from orchestration.control import clocks
from orchestration.workflows.declared_models import DeclaredRun, Task
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Workspace
from tests import make
from tests.api.door import JSON, Door
from tests.autonomy.ordered import aimed, done
from tests.control import flows
from tests.waiting import allowed, came_true


@pytest.fixture
def works(served: int, tenant: Workspace) -> Door:
    flows.declare(tenant, flows.undoable("look"), flows.undoable("pay", "look", retry={"rules": [{"wait_s": 60}]}))
    return Door(served, create_key(tenant, "works", ["work", "read"])[1])


def post(door: Door, path: str, body: Any = None, key: str = "") -> tuple[int, Any]:
    headers: Any = {"Idempotency_Key": key} if key else {}
    reply = door.send(f"/api/v1/{path}", json.dumps(body or {}).encode(), JSON, **headers)
    return reply.status, reply.json()


def start(door: Door, **told: Any) -> Any:
    status, run = post(door, "runs", {"workflow": "Refund", "input": told})
    assert status == 200, run
    return run


def take(door: Door, agent: str = "worker", **more: Any) -> list[Any]:
    status, answer = post(door, "leases", {"agent": agent, "skills": ["any", "undo"]} | more)
    assert status == 200, answer
    found: list[Any] = answer["items"]
    return found


def test_a_run_is_started_once_and_worked_through(works: Door) -> None:
    body = {"workflow": "Refund", "input": {"order": 17}, "title": "Order 17"}
    first, again = (post(works, "runs", body, "order-17")[1] for _ in range(2))

    assert first["id"] == again["id"]
    assert [(each["id"], each["state"]) for each in first["steps"]] == [("look", "ready"), ("pay", "blocked")]
    for step in ("look", "pay"):
        (lease,) = take(works)
        assert (lease["step"], lease["input"], lease["key"]) == (step, {"order": 17}, f"{first['id']}:{step}")
        assert post(works, f"leases/{lease['id']}/heartbeat")[1]["stop"] is False
        assert post(works, f"leases/{lease['id']}/complete", {"result": {"ok": 1}})[1]["state"] == "done"
    told = works.send(f"/api/v1/runs/{first['id']}/steps", method="GET").json()
    assert (told["state"], [each["state"] for each in told["effects"]]) == ("completed", ["done", "done"])  # type: ignore[attr-defined]


def test_who_waits_is_given_what_comes(works: Door) -> None:
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(take, works, name, wait=30) for name in ("x", "y")]
        for _ in range(2):
            start(works)
        leases = [each.result()[0] for each in waiting]

    assert len({lease["run"] for lease in leases}) == 2


def test_who_waits_in_vain_is_answered_when_the_time_is_over(works: Door) -> None:
    began = time.monotonic()

    assert take(works, wait=0.3) == []
    assert 0.3 <= time.monotonic() - began < allowed(2)


def test_a_dead_holders_late_word_is_a_conflict_that_says_so(works: Door, tenant: Workspace) -> None:
    start(works)
    (dead,) = take(works, "dead")
    flows.pass_time(tenant, 40)
    (alive,) = take(works, "alive")

    for word in ("heartbeat", "complete", "fail"):
        status, problem = post(works, f"leases/{dead['id']}/{word}")
        assert (status, "alive" in problem["detail"]) == (409, True)
    assert post(works, f"leases/{alive['id']}/complete")[0] == 200


def test_a_failed_step_says_when_it_is_tried_again(works: Door) -> None:
    start(works)
    post(works, f"leases/{take(works)[0]['id']}/complete")

    status, told = post(works, f"leases/{take(works)[0]['id']}/fail", {"error_class": "busy", "error": "Later"})

    assert (status, told["state"], told["due_at"] is not None, take(works)) == (200, "ready", True, [])


def test_a_run_is_cancelled_and_rolled_back_newest_first(works: Door, tenant: Workspace) -> None:
    run = start(works)
    for _ in range(2):
        post(works, f"leases/{take(works)[0]['id']}/complete", {"result": {"ok": 1}})

    assert post(works, f"runs/{run['id']}/cancel")[0] == 409
    for _ in range(2):
        told = post(works, f"runs/{run['id']}/rollback", {"reason": "Not wanted"})[1]
    assert (told["state"], [each["state"] for each in told["effects"]]) == ("undoing", ["asked", "done"])
    for step in ("pay", "look"):
        (lease,) = take(works)
        assert (lease["step"], lease["undo"]["data"], lease["name"]) == (step, {"ok": 1}, f"Undo {step}")
        post(works, f"leases/{lease['id']}/complete")
    assert flows.state(DeclaredRun.objects.get(id=run["id"])) == "undone"


def test_a_cancelled_run_is_shown_so_as_soon_as_it_is_known(works: Door, tenant: Workspace) -> None:
    run = start(works)

    assert post(works, f"runs/{run['id']}/cancel", {"reason": "A mistake"})[1]["state"] == "cancelled"
    make.run(tenant, id=run["id"])
    clocks.sweep()

    assert works.send(f"/api/v1/runs/{run['id']}", method="GET").json()["status"] == "cancelled"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("runs", {"workflow": "Nothing"}, "workflow"),
        ("runs", {}, "workflow"),
        ("runs", {"workflow": "Refund", "input": {"x": "y" * 20_000}}, "input"),
        ("runs", {"workflow": "Refund", "input": {"x": "\0"}}, "input"),
        ("runs", {"workflow": "Refund", "input": {"x": 2**70}}, "input"),
        ("leases", {}, "agent"),
        ("leases", {"agent": "\0"}, "agent"),
        ("leases", {"agent": "a", "wait": -1}, "wait"),
        ("leases", {"agent": "a", "most": 1000}, "most"),
        ("leases", {"agent": "a", "skills": [7]}, "skills"),
        ("leases", {"agent": "a", "colour": 7}, "colour"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(works: Door, path: str, body: Any, field: str) -> None:
    status, problem = post(works, path, body)

    assert status == 422, problem
    assert any(field in each["field"] or field in each["detail"] for each in problem["errors"])


def test_a_result_that_is_too_large_is_refused_and_the_lease_stays(works: Door) -> None:
    start(works)
    (lease,) = take(works)

    status, problem = post(works, f"leases/{lease['id']}/complete", {"result": {"x": "y" * 20_000}})

    assert (status, problem["errors"][0]["field"]) == (422, "result")
    assert post(works, f"leases/{lease['id']}/complete", {"result": {"x": "y"}})[0] == 200


def test_a_key_without_the_scope_takes_nothing(works: Door, tenant: Workspace) -> None:
    run = start(works)
    reads = Door(works.port, create_key(tenant, "reads", ["read", "decide"])[1])

    for path in ("runs", "leases", f"runs/{run['id']}/cancel", f"runs/{run['id']}/rollback"):
        assert post(reads, path, {"workflow": "Refund", "agent": "x"})[0] == 403


def test_a_key_of_some_agents_works_for_these_alone(works: Door, tenant: Workspace) -> None:
    start(works)
    mine = Door(works.port, create_key(tenant, "mine", ["work"], ["payer"])[1])

    assert post(mine, "leases", {"agent": "worker", "skill": "any"})[0] == 403
    (lease,) = take(works, "worker")
    assert post(mine, f"leases/{lease['id']}/complete")[0] == 403
    post(works, f"leases/{lease['id']}/complete")
    assert post(mine, "leases", {"agent": "desk/Payer"})[1]["items"] == []
    assert take(mine, "desk/payer")[0]["step"] == "pay"


def test_a_stranger_finds_neither_run_nor_lease(works: Door) -> None:
    run = start(works)
    (lease,) = take(works)
    other = Workspace.objects.create(slug=f"other-{secrets.token_hex(4)}", name="Other")
    stranger = Door(works.port, create_key(other, "x", ["work", "read"])[1])

    assert post(stranger, f"leases/{lease['id']}/complete")[0] == 404
    for path in (f"runs/{run['id']}/cancel", f"runs/{run['id']}/rollback", f"runs/{uuid7()}/cancel"):
        assert post(stranger, path)[0] == 404
    assert stranger.send(f"/api/v1/runs/{run['id']}/steps", method="GET").status == 404
    assert post(stranger, "leases/nonsense/complete")[0] == 404
    assert take(stranger) == []


def test_who_is_quarantined_is_told_so(works: Door, tenant: Workspace) -> None:
    start(works)
    done(tenant, flows.QUARANTINE, aimed(make.agent(tenant, "worker")))

    status, problem = post(works, "leases", {"agent": "worker", "skill": "any"})

    assert (status, "quarantined" in problem["detail"]) == (403, True)
    make.agent(tenant, "worker", "shop")
    assert post(works, "leases", {"agent": "shop/worker", "skill": "any"})[0] == 200
    for name in ("desk/Worker", "nowhere/worker"):
        assert post(works, "leases", {"agent": name, "skill": "any"})[0] == 403


def side_by_side(work: Callable[[str, Event], None], names: list[str]) -> None:
    """Each in a thread. Of one who fails the others hear, who would wait for it for ever."""
    broken = Event()

    def one(name: str) -> None:
        try:
            work(name, broken)
        except BaseException:
            broken.set()
            raise

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(one, names))


def test_hundreds_of_runs_end_once_each_though_workers_die(works: Door, tenant: Workspace) -> None:
    """Four workers; every seventh lease is dropped without a word and comes back when its time is over. Time passes for
    the others too, so that a step may be lost several times."""
    often = {"budget": 100, "rules": [{"attempts": 20, "wait_s": 1}]}
    steps = flows.undoable("look", retry=often), flows.undoable("pay", "look", retry=often)
    flows.declare(tenant, *steps, name="Many", retry_budget=100)
    runs = [post(works, "runs", {"workflow": "Many"})[1]["id"] for _ in range(40)]
    finished: list[str] = []

    def work(name: str, broken: Event) -> None:
        taken = 0
        while not (all_done() or broken.is_set()):
            for lease in take(works, name, most=3):
                taken += 1
                if taken % 7 and post(works, f"leases/{lease['id']}/complete", {"result": {"by": name}})[0] == 200:
                    finished.append(f"{lease['run']} {lease['step']}")
            if name == "w0":
                flows.pass_time(tenant, 31)

    def all_done() -> bool:
        return not DeclaredRun.objects.filter(workspace_id=tenant.pk, state="running").exists()

    side_by_side(work, [f"w{n}" for n in range(4)])

    assert came_true(all_done)
    assert (
        len(finished) == len(set(finished)) == Task.objects.filter(workspace_id=tenant.pk, state="done").count() == 80
    )
    assert DeclaredRun.objects.filter(workspace_id=tenant.pk, id__in=runs, state="completed").count() == 40
