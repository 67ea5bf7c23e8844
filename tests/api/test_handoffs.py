"""Handoffs over HTTP: the sender is told what is missing, the receiver waits without a thread."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.test import Client
from django.utils import timezone

from orchestration.api import coordination
from orchestration.handoffs.models import Envelope
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import User, Workspace
from tests.api.door import JSON, Door
from tests.api.test_claims import call
from tests.handoffs.spoken import envelope
from tests.waiting import came_true


@pytest.fixture
def works(served: int, tenant: Workspace) -> Door:
    return Door(served, create_key(tenant, "works", ["work"])[1])


def get(door: Door, path: str) -> tuple[int, Any]:
    return call(door, path, method="GET")


def test_it_goes_from_one_agent_to_the_other(works: Door) -> None:
    status, sent = call(works, "handoffs", envelope(), "k-1")
    path = f"handoffs/{sent['id']}"
    (waiting,) = get(works, "handoffs?to=Billing&state=sent")[1]["items"]

    accepted = call(works, f"{path}/accept")[1]
    done = call(works, f"{path}/complete", {"result": {"ok": True}})[1]

    assert (status, sent["state"], waiting["id"]) == (200, "sent", sent["id"])
    assert {name: waiting[name] for name in envelope()} == envelope()
    assert (accepted["state"], done["state"], done["result"]) == ("accepted", "completed", {"ok": True})
    assert get(works, path)[1] == done
    assert get(works, "handoffs?to=billing&state=sent")[1]["items"] == []


def test_the_sender_is_told_every_field_that_is_at_fault(works: Door) -> None:
    status, told = call(works, "handoffs", envelope(asked="", done=None, version=7, surprise=1))

    assert status == 422
    assert {(error["field"], error["type"]) for error in told["errors"]} == {
        ("asked", "missing"),
        ("done", "missing"),
        ("version", "not_allowed"),
        ("surprise", "unknown"),
    }


def test_a_receiver_waits_until_something_is_handed_to_it(works: Door) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(get, works, "handoffs?to=billing&state=sent&wait=60")
        assert came_true(lambda: len(coordination.arriving) == 1)

        _, sent = call(works, "handoffs", envelope())

        status, told = waiting.result()
    assert (status, [item["id"] for item in told["items"]]) == (200, [sent["id"]])


def test_many_wait_with_one_query_and_no_thread_each(works: Door) -> None:
    with ThreadPoolExecutor(30) as threads:
        waiting = [threads.submit(get, works, "handoffs?to=billing&state=sent&wait=60") for _ in range(30)]
        assert came_true(lambda: len(coordination.arriving) == 30)
        mine = [thread for thread in threading.enumerate() if thread.name.startswith("coordination")]

        call(works, "handoffs", envelope())

        assert {len(each.result()[1]["items"]) for each in waiting} == {1}
    assert len(mine) <= 4


def test_who_waits_in_vain_is_told_so(works: Door) -> None:
    assert get(works, "handoffs?to=billing&state=sent&wait=0.1") == (200, {"items": [], "next": None})


def test_exactly_one_of_many_accepts(works: Door) -> None:
    _, sent = call(works, "handoffs", envelope())

    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(lambda n: call(works, f"handoffs/{sent['id']}/accept", None, f"k{n}"), range(12)))

    assert sorted(status for status, _ in found) == [200] + [409] * 11
    assert {told.get("state") for status, told in found if status == 409} == {"accepted"}


def test_the_same_key_is_the_same_handoff(works: Door, tenant: Workspace) -> None:
    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(lambda _: call(works, "handoffs", envelope(), "k"), range(12)))

    assert len({told["id"] for _, told in found}) == 1
    assert Envelope.objects.filter(workspace=tenant).count() == 1
    status, told = call(works, "handoffs", envelope(asked="Other"), "k")
    assert (status, told["errors"][0]["field"]) == (422, "key")


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("handoffs?wait=5", 422, "wait"),
        ("handoffs?to=b&state=sent&wait=-1", 422, "wait"),
        ("handoffs?state=lost", 422, "state"),
        ("handoffs?limit=0", 422, "limit"),
        ("handoffs?cursor=abc", 422, "cursor"),
        ("handoffs?cursor=WzEsIngiXQ", 422, "cursor"),
        ("handoffs?to=%00", 422, "to"),
        ("handoffs?receiver=billing", 422, "receiver"),
        ("handoffs?to=billing&to=refund", 422, "to"),
        ("handoffs/demands?run=4711", 422, "run"),
        ("handoffs/none", 404, None),
        ("handoffs/00000000-0000-0000-0000-000000000009", 404, None),
    ],
)
def test_bad_questions_are_told_what_is_wrong(works: Door, path: str, status: int, field: str | None) -> None:
    answered, told = get(works, path)

    assert (answered, told["status"]) == (status, status)
    if field:
        assert [error["field"] for error in told["errors"]] == [field]


@pytest.mark.parametrize("body", [b"{", b"[]", b"7", b"\xff", b'{"asked": "\\ud800"}', b"null"])
def test_no_body_makes_the_door_fail(works: Door, body: bytes) -> None:
    assert works.send("/api/v1/handoffs", body, JSON).status in (400, 422)


def test_a_key_with_agents_speaks_for_them_alone(served: int, tenant: Workspace, works: Door) -> None:
    bound = Door(served, create_key(tenant, "bound", ["work"], ["billing"])[1])
    _, sent = call(works, "handoffs", envelope())
    _, other = call(works, "handoffs", envelope(to="refund"))

    assert call(bound, "handoffs", envelope())[0] == 403
    assert get(bound, "handoffs?to=refund&state=sent&wait=1")[0] == 403
    assert [item["id"] for item in get(bound, "handoffs")[1]["items"]] == [sent["id"]]
    assert get(bound, f"handoffs/{other['id']}")[0] == 404
    assert call(bound, f"handoffs/{other['id']}/accept")[0] == 404
    assert call(bound, f"handoffs/{sent['id']}/accept")[0] == 200


def test_a_key_that_only_reads_hands_nothing_over(served: int, tenant: Workspace, works: Door) -> None:
    reads = Door(served, create_key(tenant, "reads", ["read"])[1])
    _, sent = call(works, "handoffs", envelope())

    assert get(reads, f"handoffs/{sent['id']}")[0] == 200
    assert call(reads, "handoffs", envelope())[0] == 403
    assert call(reads, f"handoffs/{sent['id']}/accept")[0] == 403
    assert get(Door(served), "handoffs")[0] == 401


def test_another_workspace_has_none_of_it(served: int, workspace: Workspace, works: Door) -> None:
    other = Door(served, create_key(workspace, "other", ["work"])[1])
    _, sent = call(works, "handoffs", envelope())

    assert get(other, "handoffs?to=billing&state=sent")[1]["items"] == []
    assert get(other, f"handoffs/{sent['id']}")[0] == 404
    assert call(other, f"handoffs/{sent['id']}/accept")[0] == 404


def test_people_read_them_and_what_was_said_only_with_the_right_to(
    client: Client, transactional_db: None, workspace: Workspace, operator: User, admin: User
) -> None:
    row = Envelope.objects.create(
        workspace=workspace,
        digest=b"",
        run="R-1",
        sender="a",
        sender_key="a",
        receiver="b",
        receiver_key="b",
        body={"asked": "Refund"},
        expires_at=timezone.now() + timedelta(hours=1),
    )
    said = {}
    for person in (operator, admin):
        client.force_login(person)
        said[person.username] = client.get(f"/api/v1/handoffs/{row.pk}").json()["asked"]

    assert said == {"operator": None, "admin": "Refund"}
    assert orjson.loads(client.get("/api/v1/handoffs").content)["items"][0]["from"] == "a"
