"""Claims over HTTP: one of many is granted the work, and the others get its result."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest

from orchestration.api import coordination
from orchestration.autonomy.models import Kind
from orchestration.handoffs.models import Claim
from orchestration.ledger.models import Entry
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Workspace
from tests import make
from tests.api.door import JSON, Door
from tests.autonomy.ordered import aimed, done
from tests.handoffs.spoken import envelope, work
from tests.waiting import came_true


@pytest.fixture
def works(served: int, tenant: Workspace) -> Door:
    return Door(served, create_key(tenant, "works", ["work"])[1])


def call(door: Door, path: str, body: Any = None, key: str = "", method: str = "POST") -> tuple[int, Any]:
    headers: Any = {"Idempotency_Key": key} if key else {}
    sent = b"" if body is None else orjson.dumps(body)
    reply = door.send(f"/api/v1/{path}", sent, JSON, method=method, **headers)
    return reply.status, reply.json()


def test_exactly_one_of_fifty_is_granted(works: Door, tenant: Workspace) -> None:
    together = threading.Barrier(50)
    call(works, "claims/none", method="GET")  # the key is known from now on

    def claim(n: int) -> tuple[int, Any]:
        together.wait()
        return call(works, "claims", work(agent=f"agent-{n}"))

    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(claim, range(50)))

    granted = [told for _, told in answers if told["granted"]]
    assert {status for status, _ in answers} == {200}
    assert len(granted) == 1
    assert {told["holder"] for _, told in answers} == {granted[0]["holder"]}
    row = Claim.objects.get(workspace=tenant)
    assert row.asked_again == 49
    assert Entry.objects.filter(workspace=tenant.pk, kind="claim.granted").count() == 1


def test_who_waits_gets_the_result_of_who_was_quicker(works: Door) -> None:
    _, mine = call(works, "claims", work())
    with ThreadPoolExecutor(2) as threads:
        second = threads.submit(call, works, "claims?wait=60", work(agent="billing"))
        looking = threads.submit(call, works, f"claims/{mine['id']}?wait=60", None, "", "GET")
        assert came_true(lambda: len(coordination.ending) == 2)

        call(works, f"claims/{mine['id']}/result", {"result": {"name": "Ann"}}, method="PUT")

        for status, told in (second.result(), looking.result()):
            assert (status, told["granted"], told["state"], told["result"]) == (200, False, "done", {"name": "Ann"})


def test_who_waits_is_granted_what_was_given_back(works: Door) -> None:
    _, mine = call(works, "claims", work())
    with ThreadPoolExecutor(1) as threads:
        second = threads.submit(call, works, "claims?wait=60", work(agent="billing"))
        assert came_true(lambda: len(coordination.ending) == 1)

        call(works, f"claims/{mine['id']}/release")

        told = second.result()[1]
    assert (told["granted"], told["holder"], told["fence"]) == (True, "billing", 1)


def test_a_holder_whose_time_is_over_frees_it_for_who_waits(works: Door) -> None:
    _, dead = call(works, "claims", work(ttl_s=1))

    _, heir = call(works, "claims?wait=60", work(agent="billing"))
    status, told = call(works, f"claims/{dead['id']}/result", {"result": 1}, method="PUT")

    assert (heir["granted"], heir["fence"]) == (True, dead["fence"] + 1)
    assert (status, told["title"]) == (409, "Conflict")


def test_a_claim_has_all_that_is_promised(works: Door) -> None:
    _, told = call(works, "claims", work())

    assert {"granted", "holder", "since", "state", "result"} <= set(told)


@pytest.mark.parametrize(
    ("path", "body", "method", "status", "field"),
    [
        ("claims", {}, "POST", 422, "run"),
        ("claims", [], "POST", 422, ""),
        ("claims", None, "POST", 422, ""),
        ("claims", work(ttl_s=9999), "POST", 422, "ttl_s"),
        ("claims?wait=soon", work(), "POST", 422, "wait"),
        ("claims", None, "GET", 405, None),
        ("claims/none", None, "GET", 404, None),
        ("claims/00000000-0000-0000-0000-000000000009/result", {"result": 1}, "PUT", 404, None),
        ("claims/00000000-0000-0000-0000-000000000009/steal", {}, "POST", 404, None),
    ],
)
def test_bad_calls_are_told_what_is_wrong(
    works: Door, path: str, body: Any, method: str, status: int, field: str | None
) -> None:
    answered, told = call(works, path, body, method=method)

    assert (answered, told["status"]) == (status, status)
    if field is not None:
        assert field in [error["field"] for error in told["errors"]]


def test_who_is_stopped_is_told_so_in_words_and_when_to_ask_again(works: Door, tenant: Workspace) -> None:
    triage, billing = make.agent(tenant, "triage"), make.agent(tenant, "billing")
    done(tenant, Kind.QUARANTINE, aimed(triage))
    done(tenant, Kind.PAUSE, aimed(billing))

    status, told = call(works, "claims", work())
    later, paused = call(works, "claims?wait=9", work(agent="billing"))

    assert (status, told["stopped"], told["retry_after_s"]) == (403, "quarantine", None)
    assert "triage" in told["detail"]
    assert (later, paused["stopped"], paused["retry_after_s"]) == (403, "pause", 30)
    assert call(works, "handoffs", envelope(**{"from": "triage"}))[0] == 403


def test_a_key_needs_the_scope_and_the_agent(served: int, tenant: Workspace) -> None:
    asks = Door(served, create_key(tenant, "asks", ["decide"])[1])
    bound = Door(served, create_key(tenant, "bound", ["work"], ["billing"])[1])

    assert call(asks, "claims", work())[0] == 403
    assert call(bound, "claims", work())[0] == 403
    assert call(Door(served), "claims", work())[0] == 401
    assert call(bound, "claims", work(agent="Billing"))[0] == 200


def test_what_another_workspace_claims_is_its_own(works: Door, workspace: Workspace, served: int) -> None:
    other = Door(served, create_key(workspace, "other", ["work"])[1])
    _, mine = call(works, "claims", work())

    assert call(other, "claims", work())[1]["granted"]
    assert call(other, f"claims/{mine['id']}", method="GET")[0] == 404
    assert call(other, f"claims/{mine['id']}/release")[0] == 404
