"""A person is asked, and the verdict waited for: over HTTP of the served application, with PostgreSQL behind it."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone

from orchestration.api import holds as door_of_holds
from orchestration.api import root
from orchestration.holds import verdicts
from orchestration.holds.asking import NEEDED
from orchestration.holds.models import Answered, Hold
from orchestration.holds.verdicts import Verdict
from orchestration.ledger.models import Entry
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import User, Workspace
from tests.api.door import JSON, Door
from tests.api.test_decisions import ask as may_i
from tests.api.test_decisions import author, rule

QUESTION = {
    "agent": "refund-bot",
    "run": "R-1",
    "question": "Is this the customer's own account?",
    "proposal": "Refund 620 EUR to CH93",
    "why": "The name differs by one letter",
    "evidence": [{"kind": "scan", "page": 2}],
    "cost_of_waiting": "The customer waits at the counter",
    "reversible": False,
}
YES = Verdict(Answered.APPROVE)
__all__ = ["author"]  # a fixture


@pytest.fixture
def may(served: int, tenant: Workspace) -> Door:
    return Door(served, create_key(tenant, "asks", ["decide"])[1])


@pytest.fixture
def judge(tenant: Workspace) -> User:
    return User.objects.create_user(username=f"judge-{tenant.pk}")


def ask(door: Door, body: Any = None, key: str = "") -> tuple[int, dict[str, Any]]:
    headers: Any = {"Idempotency_Key": key} if key else {}
    reply = door.send("/api/v1/holds", orjson.dumps(QUESTION if body is None else body), JSON, **headers)
    return reply.status, reply.json()


def look(door: Door, hold: Any, wait: Any = "") -> tuple[int, dict[str, Any]]:
    reply = door.send(f"/api/v1/holds/{hold}" + (f"?wait={wait}" if wait != "" else ""), method="GET", timeout=70)
    return reply.status, reply.json()


def pass_time(hold: Any) -> None:
    Hold.objects.filter(pk=hold).update(apply_at=timezone.now() - timedelta(milliseconds=1))


def answered(hold: Any, judge: User, verdict: Verdict = YES) -> None:
    verdicts.decide(Hold.objects.get(pk=hold), verdict, judge, revision=0)
    pass_time(hold)


def later(work: Callable[[], Any], seconds: float = 0.7) -> threading.Timer:
    timer = threading.Timer(seconds, work)
    timer.start()
    return timer


# ---- asking


def test_a_question_opens_a_hold_and_leaves_a_receipt(may: Door, tenant: Workspace) -> None:
    status, told = ask(may)

    hold = Hold.objects.get(workspace=tenant)
    assert (status, told["id"], told["state"], told["verdict"]) == (200, str(hold.pk), "open", None)
    assert (hold.agent, hold.run, hold.reversible, hold.evidence) == ("refund-bot", "R-1", False, QUESTION["evidence"])
    entry = Entry.objects.get(workspace=tenant.pk, subject_id=told["id"])
    assert (entry.kind, entry.actor) == ("hold.opened", "agent:refund-bot")
    assert "CH93" not in entry.body


def test_what_a_person_needs_and_is_missing_is_named(may: Door, tenant: Workspace) -> None:
    status, told = ask(may, {})

    assert status == 422
    assert {error["field"] for error in told["errors"]} == set(NEEDED)
    assert not Hold.objects.filter(workspace=tenant).exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"question": " "}, "question"),
        ({"why": 7}, "why"),
        ({"reversible": "yes"}, "reversible"),
        ({"reversible": 1}, "reversible"),
        ({"evidence": "all of it"}, "evidence"),
        ({"evidence": [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}, "evidence"),
        ({"due_at": "tomorrow"}, "due_at"),
        ({"due_at": "2001-01-01T00:00:00Z"}, "due_at"),
        ({"agent": "x" * 300}, "agent"),
        ({"urgent": True}, "urgent"),
        ({"run": ["R"]}, "run"),
    ],
)
def test_a_bad_question_is_told_which_part(may: Door, change: dict[str, Any], field: str) -> None:
    status, told = ask(may, {**QUESTION, **change})

    assert status == 422
    assert field in [error["field"] for error in told["errors"]]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"\xff", b'{"question": "\\ud800"}'])
def test_no_body_makes_the_door_fail(may: Door, body: bytes) -> None:
    assert may.send("/api/v1/holds", body, JSON).status in (400, 422)


def test_the_same_key_asks_once(may: Door, tenant: Workspace, judge: User) -> None:
    first = ask(may, key="q-1")
    answered(first[1]["id"], judge)
    verdicts.apply_due()

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: ask(may, key="q-1"), range(20)))

    assert all(answer == first for answer in answers)
    assert Hold.objects.filter(workspace=tenant).count() == 1
    assert Entry.objects.filter(workspace=tenant.pk, kind="hold.opened").count() == 1


def test_twenty_at_once_with_a_new_key_ask_once(may: Door, tenant: Workspace) -> None:
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: ask(may, key="q-2"), range(20)))

    assert len({told["id"] for _, told in answers}) == 1
    assert Hold.objects.filter(workspace=tenant).count() == 1


def test_a_key_that_was_used_for_another_question_is_refused(may: Door) -> None:
    ask(may, key="q-3")

    assert ask(may, {**QUESTION, "run": "R-2"}, key="q-3")[0] == 422


def test_secrets_are_not_shown_to_people_either(may: Door, tenant: Workspace) -> None:
    ask(may, {**QUESTION, "evidence": [{"password": "hunter2-and-more"}]})

    assert "hunter2" not in str(Hold.objects.get(workspace=tenant).evidence)


def test_who_may_not_ask_is_told_so(served: int, tenant: Workspace, may: Door) -> None:
    assert ask(Door(served))[0] == 401
    assert ask(Door(served, create_key(tenant, "reads", ["read"])[1]))[0] == 403
    assert ask(Door(served, create_key(tenant, "bound", ["decide"], ["billing"])[1]))[0] == 403
    assert may.send("/api/v1/holds", b"{}", "text/plain").status == 415
    assert may.send("/api/v1/holds", b"{}", JSON, method="PUT").status == 405


# ---- waiting


def test_a_verdict_that_may_still_be_taken_back_is_none_yet(may: Door, judge: User) -> None:
    hold = ask(may)[1]["id"]
    verdicts.decide(Hold.objects.get(pk=hold), Verdict(Answered.REJECT, "no"), judge, revision=0)

    told = look(may, hold)[1]

    assert (told["state"], told["verdict"], told["note"], told["decided_at"]) == ("open", None, None, None)


def test_who_waits_is_told_within_a_second_of_the_end_of_the_undo_window(may: Door, judge: User) -> None:
    """With no worker at all: the door applies what is due."""
    hold = ask(may)[1]["id"]
    ended: list[float] = []

    def decide() -> None:
        answered(hold, judge, Verdict(Answered.AMEND, "less", {"amount": 100}))
        ended.append(time.monotonic())

    timer = later(decide)
    status, told = look(may, hold, 30)
    took = time.monotonic() - ended[0]
    timer.join()

    assert (status, told["state"], told["verdict"], told["amend"]) == (200, "applied", "amend", {"amount": 100})
    assert took < 1.0


def test_a_wait_that_is_over_answers_with_the_hold_as_it_is(may: Door) -> None:
    hold = ask(may)[1]["id"]
    began = time.monotonic()

    status, told = look(may, hold, 1)

    assert (status, told["state"]) == (200, "open")
    assert 0.9 < time.monotonic() - began < 3


def test_a_verdict_that_is_taken_back_is_never_told(may: Door, judge: User) -> None:
    hold = ask(may)[1]["id"]
    row = Hold.objects.get(pk=hold)
    verdicts.decide(row, YES, judge, revision=0)
    timer = later(lambda: verdicts.undo(row, judge), 0.3)

    told = look(may, hold, 1.5)[1]
    timer.join()

    assert (told["state"], told["verdict"]) == ("open", None)


def test_many_who_wait_cost_one_query_a_moment_and_no_thread_each(may: Door, judge: User) -> None:
    hold = ask(may)[1]["id"]
    before, threads_before = door_of_holds.waiting.looks, threading.active_count()
    waiting = [start(may, hold) for _ in range(100)]
    time.sleep(1.2)
    looks, threads = door_of_holds.waiting.looks - before, threading.active_count() - threads_before

    answered(hold, judge)
    states = [orjson.loads(each.getresponse().read())["state"] for each in waiting]

    assert states == ["applied"] * 100
    assert looks <= 6
    assert threads <= 4
    assert len(door_of_holds.waiting) == 0


def test_who_goes_away_waits_no_longer(may: Door) -> None:
    hold = ask(may)[1]["id"]
    connection = start(may, hold)
    time.sleep(0.3)
    assert len(door_of_holds.waiting) == 1

    connection.close()

    until = time.monotonic() + 3
    while len(door_of_holds.waiting) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(door_of_holds.waiting) == 0


def test_one_key_does_not_take_all_places(may: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    hold = ask(may)[1]["id"]
    monkeypatch.setattr("orchestration.api.waiting.MOST_OF_KEY", 1)
    connection = start(may, hold)
    time.sleep(0.3)

    reply = may.send(f"/api/v1/holds/{hold}?wait=5", method="GET")
    connection.close()

    assert (reply.status, reply.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize("wait", ["-1", "soon", "nan", "inf"])
def test_a_wait_that_is_none_is_refused(may: Door, wait: str) -> None:
    assert look(may, ask(may)[1]["id"], wait)[0] == 422


def test_a_hold_is_seen_by_its_own(served: int, tenant: Workspace, may: Door) -> None:
    hold = ask(may)[1]["id"]
    other = Workspace.objects.create(slug=f"other-{tenant.slug}", name="Other")
    keys = {
        "mine": create_key(tenant, "k", ["decide"], ["Refund_Bot"])[1],
        "reads": create_key(tenant, "k", ["read"])[1],
        "another agent's": create_key(tenant, "k", ["decide"], ["billing"])[1],
        "elsewhere": create_key(other, "k", ["decide"])[1],
        "sends": create_key(tenant, "k", ["ingest"])[1],
    }

    found = {name: look(Door(served, key), hold)[0] for name, key in keys.items()}

    assert found == {"mine": 200, "reads": 200, "another agent's": 404, "elsewhere": 404, "sends": 403}
    assert look(may, "no-such-thing")[0] == 404


def test_time_that_ran_out_is_told_as_a_no(may: Door) -> None:
    hold = ask(may)[1]["id"]
    Hold.objects.filter(pk=hold).update(due_at=timezone.now() - timedelta(seconds=1), on_timeout="reject")

    told = look(may, hold, 5)[1]

    assert (told["state"], told["verdict"]) == ("expired", "reject")


def test_the_hold_of_a_decision_is_waited_for_alike(may: Door, tenant: Workspace, author: User, judge: User) -> None:
    rule(tenant, author)
    hold = may_i(may)[1]["hold"]
    timer = later(lambda: answered(hold, judge), 0.2)

    told = look(may, hold, 10)[1]
    timer.join()

    assert (told["state"], told["verdict"], told["policy"], told["version"]) == (
        "applied",
        "approve",
        "refund-limit",
        1,
    )


# ---- lists


def test_the_list_narrows_and_goes_on(served: int, may: Door, tenant: Workspace, judge: User) -> None:
    ids = [ask(may, {**QUESTION, "run": f"R-{n}", "agent": f"bot-{n % 2}"})[1]["id"] for n in range(5)]
    answered(ids[0], judge)
    verdicts.apply_due()
    reads = Door(served, create_key(tenant, "reads", ["read"])[1])

    def listed(query: str, door: Door = reads) -> Any:
        return door.send(f"/api/v1/holds?{query}", method="GET").json()

    first = listed("limit=3")
    rest = listed(f"limit=3&cursor={first['next']}")
    bound = Door(served, create_key(tenant, "bound", ["read"], ["BOT_1"])[1])
    assert [item["id"] for item in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next"] is None
    assert [item["id"] for item in listed("state=applied")["items"]] == ids[:1]
    assert [item["run"] for item in listed("agent=Bot_1")["items"]] == ["R-3", "R-1"]
    assert [item["run"] for item in listed("run=R-4")["items"]] == ["R-4"]
    assert [item["run"] for item in listed("", bound)["items"]] == ["R-3", "R-1"]


def test_both_ways_of_looking_tell_the_same_shape(served: int, may: Door, tenant: Workspace) -> None:
    hold = ask(may)[1]
    reads = Door(served, create_key(tenant, "reads", ["read"])[1])
    described = root.api.get_openapi_schema()["components"]["schemas"]["HoldOut"]["properties"]

    item = reads.send("/api/v1/holds", method="GET").json()["items"][0]  # type: ignore[index]

    assert look(may, hold["id"])[1] == hold == item
    assert set(hold) == set(described)


def start(door: Door, hold: str) -> http.client.HTTPConnection:
    """A request that waits."""
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=40)
    connection.request("GET", f"/api/v1/holds/{hold}?wait=30", headers={"Authorization": f"Bearer {door.key}"})
    return connection
