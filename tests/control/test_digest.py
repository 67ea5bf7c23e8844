from __future__ import annotations

import os
import time
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from uuid_utils.compat import uuid7

from orchestration.control import digest, settling
from orchestration.telemetry import packing, rows
from orchestration.telemetry.models import Delivery, Intake, Pulse, Refusal, Signal, Span, SpanMinute
from orchestration.telemetry.spans import Kind
from orchestration.workflows.models import Run, RunStatus, Trace
from orchestration.workspaces.models import ApiKey, Workspace

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("days")]
SECOND = 1_000_000_000


def kv(key: str, value: Any) -> KeyValue:
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=value))


class Sender:
    """Builds one trace and delivers its spans, as a request of a workspace."""

    def __init__(self, workspace: Workspace, key: ApiKey | None = None, environment: str = "") -> None:
        self.workspace, self.key, self.environment = workspace, key, environment
        self.trace_id = os.urandom(16)
        self.begun = time.time_ns() - 10 * SECOND
        self.spans: list[OtlpSpan] = []

    def span(
        self, name: str, parent: bytes = b"", *, at: float = 0, took: float = 1, error: str = "", **attributes: Any
    ) -> bytes:
        span = OtlpSpan(
            trace_id=self.trace_id,
            span_id=os.urandom(8),
            parent_span_id=parent,
            name=name,
            start_time_unix_nano=self.begun + int(at * SECOND),
            end_time_unix_nano=self.begun + int((at + took) * SECOND),
        )
        span.attributes.extend(kv(k.replace("__", "."), v) for k, v in attributes.items())
        if error:
            span.status.code, span.status.message = Status.STATUS_CODE_ERROR, error
        self.spans.append(span)
        return span.span_id

    def deliver(self, *spans: OtlpSpan) -> UUID:
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        group.resource.attributes.append(kv("service.name", "shop"))
        if self.environment:
            group.resource.attributes.append(kv("deployment.environment.name", self.environment))
        group.scope_spans.add().spans.extend(spans or self.spans)
        return deliver(self.workspace, request.SerializeToString(), len(spans or self.spans), self.key)


def deliver(
    workspace: Workspace, body: bytes, items: int, key: ApiKey | None = None, signal: int = Signal.TRACES
) -> UUID:
    row = Delivery.objects.create(
        workspace=workspace,
        id=uuid7(),
        key=key.pk if key else None,
        signal=signal,
        encoding="json" if signal == Signal.EVENTS else "protobuf",
        compression="zstd",
        items=items,
        body=packing.pack(body),
    )
    return row.id


def settle_all(workspace: Workspace) -> None:
    Trace.objects.filter(due_at__isnull=False).update(due_at="2020-01-01T00:00:00Z")
    while settling.settle(workspace.pk):
        pass


def refund(sender: Sender) -> None:
    root = sender.span("invoke_agent desk", gen_ai__operation__name="invoke_agent", gen_ai__agent__name="desk", took=5)
    sender.span(
        "chat", root, at=0.1, gen_ai__operation__name="chat", gen_ai__response__model="gpt-4.1",
        gen_ai__usage__input_tokens=1000, gen_ai__usage__output_tokens=500,
    )  # fmt: skip
    sender.span("execute_tool crm", root, at=2, gen_ai__operation__name="execute_tool", gen_ai__tool__name="crm")


def figures() -> dict[tuple[int, int], tuple[int, int, int]]:
    sums: dict[tuple[int, int], tuple[int, int, int]] = {}
    for row in SpanMinute.objects.all():  # a trace may lie on both sides of a minute's end
        n, errors, tokens = sums.get((row.agent_id, row.kind), (0, 0, 0))
        sums[row.agent_id, row.kind] = n + row.n, errors + row.errors, tokens + row.tokens_in
    return {key: sums_of for key, sums_of in sums.items() if sums_of[0] or sums_of[2]}


def test_a_delivery_becomes_spans_figures_and_a_run(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.deliver()

    assert digest.digest(workspace.pk) == 1
    settle_all(workspace)

    assert Span.objects.filter(workspace=workspace).count() == 3
    assert not Delivery.objects.exists()
    run = Run.objects.get(workspace=workspace)
    assert (run.status, run.spans, run.tokens_in, run.tokens_out, run.tool_calls) == (
        RunStatus.COMPLETED,
        3,
        1000,
        500,
        1,
    )
    intake = Intake.objects.get()
    assert (intake.requests, intake.accepted, intake.digested) == (1, 3, 3)


def test_a_nameless_call_counts_for_the_agent_above_it(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.deliver()
    digest.digest(workspace.pk)
    agent = Pulse.objects.get().agent_id
    assert figures()[0, Kind.LLM] == (1, 0, 1000)

    settle_all(workspace)

    assert figures()[agent, Kind.LLM] == (1, 0, 1000)
    assert (0, Kind.LLM) not in figures()


def test_the_order_and_number_of_deliveries_change_nothing(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.deliver()
    digest.digest(workspace.pk)
    settle_all(workspace)
    whole, run = figures(), Run.objects.values("spans", "tokens_in", "status", "duration_ms", "tool_calls").get()
    for model in (Span, Run, Trace, SpanMinute, Pulse):
        with connection.cursor() as cursor:
            cursor.execute(f"delete from {model._meta.db_table}")
    with connection.cursor() as cursor:
        cursor.execute("delete from workflows_runbooking")

    for span in [*reversed(sender.spans), *sender.spans]:
        sender.deliver(span)
        digest.digest(workspace.pk)
        settle_all(workspace)

    assert figures() == whole
    assert Run.objects.values("spans", "tokens_in", "status", "duration_ms", "tool_calls").get() == run


def test_a_body_that_cannot_be_decoded_is_set_aside_and_its_neighbours_are_kept(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.deliver()
    bad = deliver(workspace, b"\xff\xff\xff\xff", 1)

    digest.digest(workspace.pk)

    assert Span.objects.count() == 3
    poisoned = Delivery.objects.get()
    assert poisoned.id == bad
    assert poisoned.poisoned_at is not None
    assert digest.digest(workspace.pk) == 0


def test_what_the_door_refuses_is_left_out_and_counted(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.spans[1].span_id = b"short"
    sender.deliver()

    digest.digest(workspace.pk)

    assert Span.objects.count() == 2
    assert Refusal.objects.values_list("reason", "n").get() == ("span_id", 1)


def test_a_span_that_claims_an_agent_its_key_does_not_vouch_for_counts_for_nobody(workspace: Workspace) -> None:
    key = ApiKey.objects.create(
        workspace=workspace, name="k", prefix="bat_x", digest=b"d" * 32, scopes=["ingest"], agents=["Other-Agent"]
    )
    sender = Sender(workspace, key)
    refund(sender)
    sender.deliver()

    digest.digest(workspace.pk)
    settle_all(workspace)

    assert Span.objects.filter(claimed=True).count() == 1
    assert {agent for agent, _ in figures()} == {0}
    assert not Pulse.objects.exists()


def test_an_error_in_the_code_blames_the_deliveries_and_does_not_stop_the_queue(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.deliver()
    monkeypatch.setattr(rows.Builder, "rows", lambda *_: 1 / 0)  # whether its spans are known or not

    for _ in range(5):
        digest.digest(workspace.pk)

    row = Delivery.objects.get()
    assert row.poisoned_at is not None
    assert row.fault == "ZeroDivisionError"
    assert not Span.objects.exists()


def test_secrets_are_gone_before_anything_is_stored(workspace: Workspace) -> None:
    sender = Sender(workspace)
    secret = "sk-" + "a1B2" * 10
    sender.span(
        "chat", gen_ai__operation__name="chat", gen_ai__input__messages=f"my key is {secret}", password="hunter22"
    )
    sender.deliver()

    digest.digest(workspace.pk)

    kept = str(Span.objects.get().attrs)
    assert secret not in kept
    assert "hunter22" not in kept


def test_a_workspace_that_keeps_no_content_stores_none(workspace: Workspace) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(keeps_content=False)
    sender = Sender(workspace)
    sender.span("chat", gen_ai__operation__name="chat", gen_ai__input__messages="where is my parcel")
    sender.deliver()

    digest.digest(workspace.pk)

    assert "parcel" not in str(Span.objects.get().attrs)


def test_a_span_that_never_ends_is_kept_and_its_run_goes_on(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.spans[0].end_time_unix_nano = 0
    sender.deliver()

    digest.digest(workspace.pk)
    settle_all(workspace)

    assert Span.objects.filter(ended_at=None).count() == 1
    assert Run.objects.get().status == RunStatus.RUNNING


def test_ordinary_web_traffic_is_no_run(workspace: Workspace) -> None:
    sender = Sender(workspace)
    sender.span("GET /health", http__request__method="GET")
    sender.deliver()

    digest.digest(workspace.pk)
    settle_all(workspace)

    assert Span.objects.count() == 1
    assert not Run.objects.exists()


def test_a_late_span_reopens_the_figures_of_a_finished_run(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    late = sender.spans.pop()
    sender.deliver()
    digest.digest(workspace.pk)
    settle_all(workspace)
    assert Run.objects.get().tool_calls == 0

    sender.deliver(late)
    digest.digest(workspace.pk)
    settle_all(workspace)

    run = Run.objects.get()
    assert (run.tool_calls, run.spans, run.late) == (1, 3, True)


def test_the_same_trace_id_in_two_workspaces_is_two_runs(workspace: Workspace) -> None:
    other = Workspace.objects.create(slug="other", name="Other")
    sender = Sender(workspace)
    refund(sender)
    sender.deliver()
    sender.workspace = other
    sender.deliver()

    for one in (workspace, other):
        digest.digest(one.pk)
        settle_all(one)

    assert sorted(Run.objects.values_list("workspace_id", "spans")) == sorted([(workspace.pk, 3), (other.pk, 3)])
