"""The three agents of a refund: what they do to each other unless they are told to coordinate."""

from __future__ import annotations

import time
from collections import Counter
from random import Random
from typing import Any

import pytest

from orchestration.demo import agents
from orchestration.demo.arrivals import Plan
from orchestration.demo.asking import Asking
from orchestration.demo.company import found
from orchestration.demo.line import Line
from orchestration.demo.refunds import small_refund
from orchestration.demo.rhythm import Rhythm
from orchestration.demo.scene import Scene, key_of
from orchestration.demo.shared import Shared
from orchestration.demo.stage import Stage

NOWHERE = "http://127.0.0.1:9"


class Board(Line):
    """What Baton would say, kept in one place."""

    def __init__(self, *, on: bool) -> None:
        super().__init__(NOWHERE, "a-key")
        self.on, self.held, self.handed = on, dict[str, dict[str, Any]](), list[dict[str, Any]]()

    def now(self, method: str, path: str, body: dict[str, Any] | None = None, key: str = "") -> dict[str, Any]:
        body = body or {}
        if "/context" in path:
            facts = [{"key": name, "source": "claim"} for name, row in self.held.items() if row["state"] == "done"]
            return {"coordination": self.on, "facts": facts}
        if path == "/api/v1/claims":
            known = self.held.get(body["key"])
            if known is None:
                self.held[body["key"]] = {"id": body["key"], "state": "held", "holder": body["agent"]}
            return self.held[body["key"]] | {"granted": known is None}
        if path.endswith("/result"):
            self.held[path.removeprefix("/api/v1/claims/").removesuffix("/result")]["state"] = "done"
        elif path == "/api/v1/handoffs":
            self.handed.append(body | {"id": f"h{len(self.handed)}"})
            return self.handed[-1]
        return {}


def tools(line: Line | None, number: int) -> Counter[str]:
    """Which tools the agents called in one matter, and which of the calls timed out."""
    company = found(NOWHERE, "a-key", Plan(Rhythm(time.time_ns(), days=0), 1), Stage(clock=lambda: 10**18))
    called: Counter[str] = Counter()

    def put(item: dict[str, Any]) -> None:
        values = {each["key"]: next(iter(each["value"].values())) for each in item["attributes"]}
        name = values.get("gen_ai.tool.name") or values.get("tool.name") or ""
        called[f"{name} {values.get('error.type', '')}".strip()] += bool(name)

    for baton in company.exporters:
        baton.spans.put = put  # type: ignore[method-assign]
    asking = Asking(line, since_ns=0, clock=lambda: 1 << 62)
    company.stage.begin(small_refund(Scene(company.actors, company.plan.rhythm, Random(number), asking)))
    company.stage.rush(2 * 10**18)
    return called


def messy() -> int:
    """A matter in which everything goes wrong that can, but for the payment service."""
    company = found(NOWHERE, "a-key", Plan(Rhythm(time.time_ns(), days=0), 1), Stage())
    for number in range(5000):
        scene = Scene(company.actors, company.plan.rhythm, Random(number))
        mess, faults = scene.mess, scene.faults
        wrong = mess.asks_first and mess.asks_too and mess.rereads and mess.locked and mess.promises and mess.recounts
        if wrong and faults.looks_up_twice and not (faults.timeouts or faults.abusive or faults.crashes):
            return number
    pytest.fail("no such matter")


@pytest.fixture(scope="module")
def number() -> int:
    return messy()


def test_without_being_told_to_they_make_a_mess(number: int) -> None:
    called = tools(None, number)

    assert (called["lookup_customer"], called["ask_customer"]) == (2, 2)
    assert (called["get_bookings"], called["get_bookings CoreTimeout"]) == (2, 1)


def test_being_asked_and_not_told_to_they_do_what_they_did(number: int) -> None:
    assert tools(Board(on=False), number) == tools(None, number)


def test_being_told_to_each_thing_is_done_once_and_nothing_times_out(number: int) -> None:
    board = Board(on=True)

    called = tools(board, number)

    assert [called[name] for name in ("lookup_customer", "ask_customer", "get_bookings", "issue_refund")] == [1] * 4
    assert not any("Timeout" in name for name in called)
    assert [(each["from"], each["to"]) for each in board.handed] == [
        ("customer-service", "billing"),
        ("billing", "refund"),
    ]
    assert {row["state"] for row in board.held.values()} == {"done"}


def test_with_baton_away_they_work_on_as_if_alone(number: int) -> None:
    class Away(Board):
        def now(self, method: str, path: str, body: dict[str, Any] | None = None, key: str = "") -> dict[str, Any]:
            return {"coordination": True} if "workflow=" in path else {}

    called = tools(Away(on=True), number)

    assert (called["lookup_customer"], called["get_bookings CoreTimeout"], called["issue_refund"]) == (2, 1, 1)


def test_a_line_that_is_dead_is_left_alone_for_a_while() -> None:
    class Counted(Line):
        calls = 0

        def _call(self, *given: Any, **more: Any) -> tuple[int, dict[str, Any]]:
            self.calls += 1
            return super()._call(*given, **more)

    line = Counted(NOWHERE, "a-key")

    assert Shared.of(line, "a-run", "Refund request") is None
    assert line.now("GET", "/") == {}
    assert line.calls == 1


def test_who_would_make_the_same_call_names_it_the_same() -> None:
    assert key_of(agents.BOOKINGS, {"days": 90, "account": "A-1"}) == "get_bookings account=A-1 days=90"
