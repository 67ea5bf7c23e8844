"""The client that agents use: what it sends, what it sends again, and that it never stands in the way."""

from __future__ import annotations

import ast
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from orchestration import client
from orchestration.client import Baton, Context, Sending
from tests.client.receiver import receiver
from tests.waiting import LONG_S, allowed

QUICK = Sending(linger_s=0.02, timeout_s=2.0)


def baton(url: str, sending: Sending = QUICK, **more: Any) -> Baton:
    return Baton(url, "a-key", service="refunds", environment="test", sending=sending, **more)


def attributes(span: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}


def test_a_finished_span_arrives_with_its_parent_its_resource_and_the_key() -> None:
    with receiver() as got:
        agent = baton(got.url)
        with agent.span("invoke_agent refund", {"gen_ai.agent.name": "refund"}) as turn:
            agent.span("execute_tool pay", {"amount": 40.5, "dry": True, "n": 3, "of": ["a", 1]}, parent=turn).finish()
        assert agent.close()

    tool, root = got.spans
    path, headers, body = got.requests[0]
    assert (path, headers["Authorization"], headers["Content-Type"]) == (
        "/v1/traces",
        "Bearer a-key",
        "application/json",
    )
    assert tool["parentSpanId"] == root["spanId"]
    assert "parentSpanId" not in root
    assert tool["traceId"] == root["traceId"] == turn.context.trace_id
    assert attributes(tool) | {"of": None} == {"amount": 40.5, "dry": True, "n": "3", "of": None}
    assert int(root["startTimeUnixNano"]) <= int(tool["startTimeUnixNano"]) <= int(root["endTimeUnixNano"])
    resource = body["resourceSpans"][0]["resource"]
    assert attributes(resource) == {"service.name": "refunds", "deployment.environment.name": "test"}


def test_an_exception_marks_the_span_as_failed_and_passes_on() -> None:
    with receiver() as got:
        agent = baton(got.url)
        with pytest.raises(TimeoutError), agent.span("execute_tool pay"):
            raise TimeoutError("no answer in 30 s")
        agent.close()

    (span,) = got.spans
    assert span["status"] == {"code": 2, "message": "no answer in 30 s"}
    assert attributes(span)["error.type"] == "TimeoutError"
    assert span["events"][0]["name"] == "exception"


def test_a_span_is_sent_once_however_often_it_is_finished() -> None:
    with receiver() as got:
        agent = baton(got.url)
        with agent.span("once") as span:
            span.finish()
        span.finish()
        agent.close()

    assert len(got.spans) == 1


def test_a_trace_goes_on_in_another_service() -> None:
    here = Context("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")

    there = Context.parse(here.traceparent)

    assert there == here
    assert here.traceparent == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
    ],
)
def test_a_header_that_names_no_context_gives_none(header: str) -> None:
    assert Context.parse(header) is None


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_refusal_that_may_pass_is_tried_again_after_retry_after(status: int) -> None:
    with receiver((status, {"Retry-After": "1"})) as got:
        agent = baton(got.url)
        agent.span("work").finish()

        assert agent.flush(LONG_S)

    assert len(got.requests) == 2
    assert 0.99 <= got.times[1] - got.times[0] < 2.0
    assert agent.counts() == {"taken": 1, "refused": 0, "dropped": 0}
    agent.close(0.0)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 415, 500, 301])
def test_a_refusal_that_will_not_pass_is_counted_and_never_repeated(status: int) -> None:
    with receiver((status, {})) as got:
        agent = baton(got.url)
        agent.span("work").finish()
        agent.close()

    assert len(got.requests) == 1
    assert agent.counts() == {"taken": 0, "refused": 1, "dropped": 0}


def test_spans_outlive_a_time_without_a_server() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    agent = baton(f"http://127.0.0.1:{port}")
    agent.span("before").finish()
    time.sleep(0.2)

    with receiver(port=port) as got:
        assert agent.flush(LONG_S)
        agent.close()

    assert [span["name"] for span in got.spans] == ["before"]


def test_a_connection_that_was_closed_while_idle_costs_no_wait() -> None:
    with receiver(idle_s=0.2) as got:
        agent = baton(got.url)
        agent.span("one").finish()
        agent.flush()
        time.sleep(0.5)
        begin = time.monotonic()
        agent.span("two").finish()
        agent.flush()

    assert [span["name"] for span in got.spans] == ["one", "two"]
    assert got.times[1] - begin < allowed(0.2)
    agent.close()


def test_a_full_queue_drops_and_counts_and_never_blocks() -> None:
    agent = baton("http://127.0.0.1:9", Sending(batch=10, queue=20, linger_s=0.0))
    begin = time.monotonic()

    for _ in range(500):
        agent.span("much").finish()

    assert time.monotonic() - begin < allowed(0.5)
    assert agent.counts()["dropped"] >= 470
    agent.close(0.1)


def test_close_gives_up_in_time_when_nobody_answers() -> None:
    agent = baton("http://127.0.0.1:9")
    agent.span("lost").finish()
    begin = time.monotonic()

    assert not agent.close(0.3)

    assert time.monotonic() - begin < allowed(1.5)


def test_many_spans_travel_in_few_requests() -> None:
    with receiver() as got:
        agent = baton(got.url, Sending(batch=100, linger_s=0.2))
        for _ in range(250):
            agent.span("work").finish()
        agent.close()

    assert len(got.spans) == 250
    assert len(got.requests) <= 4


def test_a_run_told_by_events_says_when_it_starts_and_how_it_ends() -> None:
    with receiver() as got:
        agent = baton(got.url)
        with agent.run("invoice-1", workflow="invoice entry", agent="bot") as run:
            with run.step("read", system="mailbox"):
                run.heartbeat()
            with pytest.raises(ValueError, match="no total"), run.step("parse"):
                raise ValueError("no total")
        agent.close()

    types = [event["type"] for event in got.events]
    assert types == [
        "run.started",
        "step.started",
        "heartbeat",
        "step.finished",
        "step.started",
        "step.failed",
        "run.finished",
    ]
    assert {event["run"] for event in got.events} == {"invoice-1"}
    assert got.events[1]["step"] == got.events[3]["step"] != got.events[4]["step"]
    assert got.events[5]["error"] == "ValueError: no total"
    assert got.events[0]["workflow"] == "invoice entry"


def test_odd_values_are_sent_as_json_allows() -> None:
    with receiver() as got:
        agent = baton(got.url)
        agent.span(
            "odd", {"nan": float("nan"), "none": None, "big": 1 << 70, "map": {"a": [1]}, "\ud800": "x"}
        ).finish()
        agent.close()

    (span,) = got.spans
    values = {one["key"]: one["value"] for one in span["attributes"]}
    assert values["nan"] == {"doubleValue": "NaN"}
    assert "none" not in values
    assert values["big"] == {"stringValue": str(1 << 70)}
    assert values["map"]["kvlistValue"]["values"][0]["value"] == {"arrayValue": {"values": [{"intValue": "1"}]}}


def test_the_client_imports_nothing_but_the_standard_library() -> None:
    tree = ast.parse(Path(client.__file__).read_text())

    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert names <= sys.stdlib_module_names
