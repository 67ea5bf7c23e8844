"""An hour of the simulated company, played in no time and received by a stand-in for the network."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from itertools import pairwise
from operator import itemgetter
from typing import Any

import pytest

from orchestration.demo.arrivals import Plan
from orchestration.demo.rhythm import Rhythm
from tests.demo.hour import Hour, once, play, values


@pytest.fixture(scope="module")
def hour() -> Hour:
    return play(once(4, 8.0))


def test_every_agent_has_an_exporter_of_its_own(hour: Hour) -> None:
    services = {span["service"] for span in hour.spans} - {"lending"}  # which is at it once in hours, see below
    assert services == {
        "customer-service",
        "billing",
        "refunds",
        "kyc",
        "lending-documents",
        "payments-desk",
    }
    assert len(hour.of("gen_ai.agent.name", "customer-service")) > 500
    assert len(hour.of("agent.name", "refund")) > 100


def test_a_trace_is_one_across_programs_and_every_parent_comes(hour: Hour) -> None:
    assert max(len({span["service"] for span in spans}) for spans in hour.traces.values()) == 3
    whole = [spans for spans in hour.traces.values() if any("parentSpanId" not in span for span in spans)]
    assert len(whole) > 0.97 * len(hour.traces)  # the others are under way, and few have lost their root
    for spans in whole:
        known = {span["spanId"] for span in spans}
        assert len([span for span in spans if "parentSpanId" not in span]) == 1
        assert all(span["parentSpanId"] in known for span in spans if "parentSpanId" in span)


def test_a_span_lies_inside_its_trace_and_ends_after_it_starts(hour: Hour) -> None:
    for span in hour.spans:
        assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) <= time.time_ns()


def test_work_is_handed_over_by_a_tool_and_by_an_agent_below_a_tool(hour: Hour) -> None:
    by_id = {span["spanId"]: span for span in hour.spans}

    assert len(hour.of("gen_ai.tool.name", "transfer_to_billing")) > 80
    turns = hour.of("agent.name", "refund")
    below_tool = [t for t in turns if by_id[t["parentSpanId"]]["a"].get("gen_ai.tool.name") == "ask_refund_agent"]
    assert len(below_tool) > 80


def test_some_payments_are_tried_again_and_some_fail_for_good(hour: Hour) -> None:
    payments = [
        [s for s in sorted(spans, key=start) if s["a"].get("tool.name") == "issue_refund"]
        for spans in hour.traces.values()
    ]
    failures = [[span.get("status", {}).get("code") == 2 for span in calls] for calls in payments]

    assert [True, False] in failures
    assert [True, True, True] in failures


def test_two_agents_look_up_the_same_customer_with_equal_arguments(hour: Hour) -> None:
    repeated = 0
    for spans in hour.traces.values():
        calls = [s for s in spans if s["a"].get("gen_ai.tool.name") == "lookup_customer"]
        services = {(s["service"], s["a"]["gen_ai.tool.call.arguments"]) for s in calls}
        repeated += len(services) == 2 and len({arguments for _, arguments in services}) == 1

    assert repeated > 50


def test_a_person_who_was_asked_answers_in_another_trace_of_the_conversation(hour: Hour) -> None:
    asked = hour.of("tool.name", "escalate_to_human")
    answered = [s for s in hour.of("openinference.span.kind", "CHAIN") if "parentSpanId" not in s]

    assert len(asked) >= len(answered) > 5
    for root in answered:
        assert root["name"] == "Refund approval"
        same = [t for t, spans in hour.traces.items() if any(conversation(s) == conversation(root) for s in spans)]
        assert len(same) == 2


def conversation(span: dict[str, Any]) -> Any:
    return span["a"].get("session.id") or span["a"].get("gen_ai.conversation.id")


def test_a_guardrail_stops_what_is_not_meant_well(hour: Hour) -> None:
    checks = hour.of("gen_ai.operation.name", "apply_guardrail")
    denied = [span for span in checks if span.get("status", {}).get("code") == 2]

    assert 0 < len(denied) < len(checks) / 10
    assert all(values(span["events"][0])["gen_ai.guardrail.result.value"] == "deny" for span in denied)


def test_tokens_are_on_calls_of_models_alone(hour: Hour) -> None:
    counted = [s for s in hour.spans if any("tokens" in key or "token_count" in key for key in s["a"])]

    assert {key for s in counted for key in s["a"] if key.endswith(("model", "model_name"))} >= {
        "gen_ai.request.model",
        "llm.model_name",
    }
    assert all(s["a"].get("gen_ai.operation.name", "chat") == "chat" for s in counted)


def test_robots_tell_their_runs_by_events_and_stay_alive_between(hour: Hour) -> None:
    types = defaultdict(list)
    for event in sorted(hour.events, key=itemgetter("at")):
        types[event.get("run", "")].append(event["type"])

    alive = types.pop("")
    assert set(alive) == {"heartbeat"}
    assert len(alive) > 300
    assert len(types) > 30
    assert all(kinds[0] == "run.started" for kinds in types.values())
    robots = {"invoice-entry/entry-bot", "cron/reconcile-payouts", "rules/limits-engine", "loan-desk/loan-process"}
    assert {event["agent"] for event in hour.events if "agent" in event} == robots


def test_a_loan_has_seventeen_steps_of_which_people_take_four() -> None:
    one = play(once(3, 0.1), 60 * 60, signs=False)
    loans = defaultdict(list)
    for event in one.events:
        if event.get("workflow") == "Loan approval":
            loans[event["run"]].append(event)
    paid = [events for events in loans.values() if any(event.get("name") == "Pay out" for event in events)]

    assert paid
    for events in paid:
        started = {event["step"][:2]: event for event in events if event["type"] == "step.started"}
        assert len(started) == 17
        assert sum(event["kind"] == "human" for event in started.values()) == 4
        assert not any("agent" in event for event in started.values() if event["kind"] == "human")
        traced = [span for span in one.spans if span["a"].get("baton.run.id") == events[0]["run"]]
        assert {span["service"] for span in traced} == {"lending-documents", "kyc", "lending"}


def test_the_bot_falls_silent_now_and_then_and_hangs_in_what_it_did(hour: Hour) -> None:
    told = sorted(e["at"] for e in hour.events if e.get("agent") == "invoice-entry/entry-bot")
    gaps = [later - one for one, later in pairwise(told)]

    assert 2 <= sum(gap > 200e9 for gap in gaps) <= 3
    assert sorted(gaps)[len(gaps) // 2] <= 2e9


def test_the_same_seed_tells_the_same_stories_to_the_last_id() -> None:
    plan = once(7, 20.0)

    one, two = play(plan, 10), play(plan, 10)

    assert sorted(one.spans, key=start) == sorted(two.spans, key=start)
    assert sorted(map(repr, one.events)) == sorted(map(repr, two.events))


def test_a_company_founded_at_another_moment_has_other_ids() -> None:
    plan = once(7, 20.0)
    later = Plan(Rhythm(plan.rhythm.founded_ns + 1, days=0), plan.seed, plan.per_minute)

    assert not set(play(plan, 5).traces) & set(play(later, 5).traces)


def start(span: dict[str, Any]) -> tuple[int, str]:
    return int(span["startTimeUnixNano"]), span["spanId"]


def test_another_seed_tells_other_stories() -> None:
    assert len(play(once(8, 20.0), 5).spans) != len(play(once(9, 20.0), 5).spans)


def test_prompts_are_json_that_can_be_read(hour: Hour) -> None:
    messages = [json.loads(s["a"]["gen_ai.input.messages"]) for s in hour.of("gen_ai.operation.name", "chat")]

    assert all(one[0]["role"] == "user" for one in messages)
