"""Hours of the simulated company: what Baton tells of it, against what its exporters sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from tests.bench.stand import Stand
from tests.demo.hour import Hour, lately, play, rush

MINUTES, SEED, CUSTOMERS = 120, 13, 2.0  # in one hour too few of the questions to people are answered
SIDES = {
    "input": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    "output": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"),
}
TOOL_KEYS = ("gen_ai.tool.name", "tool.name")


@dataclass
class Story:
    """The same stories twice: as they were sent, and as Baton tells them."""

    sent: Hour
    runs: list[dict[str, Any]]

    def of(self, workflow: str) -> list[dict[str, Any]]:
        return [run for run in self.runs if run["workflow"] == workflow]

    def whole(self, workflow: str) -> list[dict[str, Any]]:
        """Runs of which some root came: what is under way at the end, or crashed, has none yet."""
        ended = {spans[0]["traceId"] for spans in self.ended()}
        return [run for run in self.of(workflow) if ended & set(run["trace_ids"])]

    def ended(self) -> list[list[dict[str, Any]]]:
        """Traces whose root came."""
        return [spans for spans in self.sent.traces.values() if any("parentSpanId" not in span for span in spans)]


@pytest.fixture(scope="module")
def story(baton: Stand) -> Story:
    tenant = baton.workspace()
    plan = lately(MINUTES, SEED, CUSTOMERS)
    rush(baton.url, tenant.key, plan, MINUTES, signs=False)
    tenant.settled()
    runs, cursor = [], ""
    while cursor is not None:
        page = tenant.get(f"/api/v1/runs?limit=100&cursor={cursor}")
        runs += [tenant.get(f"/api/v1/runs/{run['id']}") for run in page["items"]]
        cursor = page["next"]
    return Story(play(plan, MINUTES, signs=False), runs)


def tool(span: dict[str, Any]) -> str:
    return str(next((span["a"][key] for key in TOOL_KEYS if key in span["a"]), ""))


def failed(span: dict[str, Any]) -> bool:
    return bool(span.get("status", {}).get("code") == 2)


def test_every_customer_is_a_run_and_a_person_who_answers_makes_no_new_one(story: Story) -> None:
    roots = [next(s for s in spans if "parentSpanId" not in s) for spans in story.ended()]
    began = Counter(
        r["name"].removeprefix("invoke_workflow ") for r in roots if r["name"].startswith("invoke_workflow")
    )

    assert {name: len(story.whole(name)) for name in began} == began


def test_tokens_are_counted_once(story: Story) -> None:
    for side, keys in SIDES.items():
        sent = sum(int(span["a"].get(key, 0)) for span in story.sent.spans for key in keys)
        assert sum(run["tokens"][side] for run in story.runs) == sent


def test_tools_and_their_failures_are_told_with_the_systems_they_touched(story: Story) -> None:
    calls = [span for span in story.sent.spans if tool(span) in ("lookup_customer", "get_bookings", "issue_refund")]
    told = [call for run in story.runs for call in run["tool_call_list"] if "agent" in call]

    sent = Counter((tool(span), not failed(span)) for span in calls)
    assert Counter((c["tool"], c["ok"]) for c in told if c["tool"] in {tool(span) for span in calls}) == sent
    systems = {(c["tool"], c["system"]) for c in told}
    assert {("lookup_customer", "crm"), ("get_bookings", "core-banking"), ("issue_refund", "payments")} <= systems


def test_work_goes_from_customer_service_by_billing_to_refunds(story: Story) -> None:
    ways = [[(h["from"], h["to"]) for h in run["handoff_list"]] for run in story.whole("Refund request")]

    heard = [way for way in ways if way]
    assert len(heard) > 0.9 * len(ways)
    assert all(way == [("customer-service", "billing"), ("billing", "refund")] for way in heard)


def test_a_question_to_a_person_waits_and_goes_on_in_another_trace(story: Story) -> None:
    asked = [run for run in story.of("Refund request") if run["escalations"]]

    assert len(asked) == len([span for span in story.sent.spans if tool(span) == "escalate_to_human"]) > 3
    answered = [run for run in asked if len(run["trace_ids"]) == 2]
    assert len(answered) >= len(asked) / 2
    unpaid = [sum(not c["ok"] for c in run["tool_call_list"] if c["tool"] == "issue_refund") == 3 for run in answered]
    assert [run["status"] for run in answered] == ["failed" if lost else "completed" for lost in unpaid]
    assert all(run["status"] != "completed" for run in asked if len(run["trace_ids"]) == 1)


def test_what_is_not_meant_well_meets_a_guardrail(story: Story) -> None:
    denied = [s for s in story.sent.spans if failed(s) and s["a"].get("gen_ai.operation.name") == "apply_guardrail"]
    hits = [hit for run in story.runs for hit in run["guardrail_hits"] if hit["guardrail"] == "abuse_check"]

    assert len(hits) == len(denied)


def test_robots_that_know_no_tracing_have_runs_that_end_as_they_said(story: Story) -> None:
    said = {
        event["run"]: event["type"]
        for event in story.sent.events
        if event["type"] in ("run.finished", "run.failed") and not event["run"].startswith("loan-")
    }
    told = [
        run
        for run in story.runs
        if run["workflow"] in ("Invoice matching", "Card limit change", "Payout reconciliation")
    ]

    assert Counter(run["status"] for run in told if run["status"] in ("completed", "failed")) == Counter(
        {"run.finished": "completed", "run.failed": "failed"}[how] for how in said.values()
    )


def test_payments_that_never_came_through_fail_the_run(story: Story) -> None:
    lost = [
        run for run in story.runs if sum(not c["ok"] for c in run["tool_call_list"] if c["tool"] == "issue_refund") == 3
    ]

    assert {run["status"] for run in lost} <= {"failed"}


def test_a_model_that_was_asked_again_fails_no_run(story: Story) -> None:
    fine = [
        run for run in story.runs if all(call["ok"] for call in run["tool_call_list"]) and len(run["trace_ids"]) == 1
    ]

    assert [run["id"] for run in fine if run["status"] == "failed" and run["handoffs"]] == []


def test_a_question_that_was_answered_is_open_no_more(story: Story) -> None:
    answered = [run for run in story.of("Refund request") if run["escalations"] and len(run["trace_ids"]) == 2]

    assert {question["state"] for run in answered for question in run["escalation_list"]} == {"answered"}
