"""Baton is away: what an agent is told, and what is told to Baton afterwards."""

from __future__ import annotations

import time

import pytest

from orchestration.client import Answer, Baton, Sending
from tests.client.receiver import receiver
from tests.config.running import free_port
from tests.waiting import LONG_S

ACT = {"type": "refund", "system": "payments", "amount": 620, "currency": "USD", "arguments": {"card": "4711"}}
QUICK = Sending(linger_s=0.02, timeout_s=2.0)


@pytest.mark.parametrize(("fail", "effect"), [("closed", "deny"), ("open", "allow")])
@pytest.mark.parametrize("run", ["order-7", "5b8efff798038103d269b633813fc60c"])
def test_what_was_decided_without_baton_arrives_when_it_is_back(fail: str, effect: str, run: str) -> None:
    port, before = free_port(), time.time_ns()
    agent = Baton(f"http://127.0.0.1:{port}", "a-key", service="refunds", sending=QUICK)
    assert agent.decide("refund", ACT, fail=fail, timeout_s=0.2, run=run).effect == effect
    after = time.time_ns()

    with receiver(port=port) as got:
        assert agent.flush(LONG_S)
        agent.close()

    (span,) = got.spans
    told = {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}
    assert before <= int(span["startTimeUnixNano"]) <= after
    assert span["name"] == f"{effect} without Baton"
    assert told["gen_ai.agent.name"] == "refund"
    assert told["gen_ai.guardrail.result.value"] == effect
    assert (told["action.type"], told["action.amount"], "action.arguments" in told) == ("refund", "620", False)
    assert (span["traceId"] == run, told.get("baton.run.id", span["traceId"])) == (len(run) == 32, run)


def test_of_a_run_that_nobody_named_nothing_is_told() -> None:
    agent = Baton(f"http://127.0.0.1:{free_port()}", "a-key", service="refunds", sending=QUICK)

    agent.decide("refund", ACT, timeout_s=0.1)

    assert agent.flush(0.1)


def test_an_answer_without_a_hold_is_waited_for_by_nobody() -> None:
    agent = Baton(f"http://127.0.0.1:{free_port()}", "a-key", service="refunds")
    answer = Answer("deny")

    assert agent.wait(answer, fail="open") is answer


def test_the_words_of_the_person_are_at_hand() -> None:
    assert Answer("deny", told={"note": "No photo"}).note == "No photo"
    assert Answer("deny", told={"note": None}).note == ""
