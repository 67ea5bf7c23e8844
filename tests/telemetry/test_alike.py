"""A span that means what others did is stored as if it had been read itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from orchestration.telemetry import alike
from orchestration.telemetry.alike import Alike, Memory
from orchestration.telemetry.conventions import observe
from orchestration.telemetry.otlp import decode_known, decode_traces
from orchestration.telemetry.rows import Builder
from orchestration.telemetry.spans import Observed, RawSpan
from orchestration.workspaces.models import Workspace
from tests.bench.conventions import any_value
from tests.bench.load import templates
from tests.bench.traces import Shape
from tests.telemetry import replayed

CAPTURES = sorted(path.parent for path in (Path(__file__).parent / "captures").glob("*/requests.jsonl"))
NOW = replayed.RECEIVED_NS
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 7}


def request(*attributes: dict[str, Any], name: str = "chat m", scope: str = "s") -> bytes:
    made = ExportTraceServiceRequest()
    group = made.resource_spans.add()
    group.resource.attributes.append(KeyValue(key="service.name", value=any_value("shop")))
    into = group.scope_spans.add()
    into.scope.name = scope
    for number, held in enumerate(attributes, 1):
        span = into.spans.add(trace_id=b"t" * 16, span_id=number.to_bytes(8, "big"), name=name, kind=1)
        span.start_time_unix_nano = span.end_time_unix_nano = NOW - 10**9 * number
        span.attributes.extend(KeyValue(key=key, value=any_value(value)) for key, value in held.items())
    return made.SerializeToString()


def known(body: bytes, memory: Memory) -> list[RawSpan | Alike]:
    return decode_known(body, "protobuf", NOW, 30, memory).items


def read(body: bytes) -> list[RawSpan]:
    return decode_traces(body, "protobuf", NOW, 30).items


def meant(span: RawSpan | Alike) -> tuple[Observed, Any]:
    """What a span means, and what is kept of it where nothing has to be taken out."""
    if isinstance(span, RawSpan):
        kept = None if span.kept is None else {"a": orjson.loads(span.kept), "k": span.span_kind, "s": span.scope}
        return observe(span), kept
    meaning, trace_id, span_id, parent_id, start_ns, end_ns, numbers, attributes = span
    seen = replace(meaning.with_numbers(numbers), trace_id=trace_id, span_id=span_id, parent_id=parent_id)
    return replace(seen, start_ns=start_ns, end_ns=end_ns), orjson.loads(attributes[1:])


def compare(bodies: Iterable[bytes], memory: Memory) -> int:
    """How many spans were known of those that mean just what reading them tells."""
    found = 0
    for body in bodies:
        spans = known(body, memory)
        assert [meant(span) for span in spans] == [meant(span) for span in read(body)]
        found += sum(isinstance(span, tuple) for span in spans)
    return found


@pytest.mark.parametrize("folder", CAPTURES, ids=lambda folder: folder.name)
def test_captured_spans_mean_the_same_when_they_are_known(folder: Path) -> None:
    memory = Memory()
    told = [(body, read(body)) for body, encoding in replayed.bodies(folder) if encoding == "protobuf"]
    meanings = [[meant(span) for span in spans] for _, spans in told]

    for _ in range(5):
        spans = [known(body, memory) for body, _ in told]
        assert [[meant(span) for span in each] for each in spans] == meanings
        found = sum(isinstance(span, tuple) for each in spans for span in each)

    assert found or not any(plain(span) for _, spans in told for span in spans)


def plain(span: RawSpan) -> bool:
    return span.kept is not None and not (span.status or span.events or span.links)


def test_nearly_all_spans_of_a_load_are_known_soon() -> None:
    memory = Memory()
    bodies = [template.fresh()[0] for template in templates(6)]
    received = max(span.start_ns for body in bodies for span in read(body)) + 10**9
    spans = []
    for _ in range(4):
        items = [decode_known(body, "protobuf", received, 30, memory).items for body in bodies]
        spans = [span for found in items for span in found]

    assert sum(isinstance(span, tuple) for span in spans) > 0.9 * len(spans)


def test_unique_values_that_tell_nothing_stand_in_no_way() -> None:
    memory = Memory()
    bodies = [request({**CHAT, "gen_ai.input.messages": f"prompt {i} " * 30}) for i in range(12)]

    assert compare(bodies, memory) >= 8


def test_unique_values_that_tell_something_are_read_each_time() -> None:
    memory = Memory()
    bodies = [request({**CHAT, "gen_ai.conversation.id": f"{i} " * 100}) for i in range(12)]

    assert compare(bodies, memory) == 0


@pytest.mark.parametrize("number", [0, -1, 1, 127, 128, 2**31 - 1, 2**31, 2**62])
def test_each_number_of_tokens_arrives(number: int) -> None:
    memory = Memory()
    compare([request({**CHAT, "100%": "%d"}, scope="50 %")] * 4, memory)

    compare([request({**CHAT, "100%": "%d", "gen_ai.usage.input_tokens": number}, scope="50 %")] * 4, memory)


def test_spans_that_say_that_they_went_well_are_known_among_each_other() -> None:
    memory, body = Memory(), request(CHAT, CHAT)
    well = ExportTraceServiceRequest.FromString(body)
    for span in well.resource_spans[0].scope_spans[0].spans:
        span.status.code = Status.STATUS_CODE_OK
    bodies = [body, well.SerializeToString()] * 3

    assert compare(bodies, memory) > 0

    assert all(isinstance(span, tuple) for body in bodies for span in known(body, memory))


def test_a_span_that_says_in_words_how_it_went_is_read_each_time() -> None:
    memory, made = Memory(), ExportTraceServiceRequest.FromString(request(CHAT, CHAT))
    for span in made.resource_spans[0].scope_spans[0].spans:
        span.status.code, span.status.message = Status.STATUS_CODE_ERROR, "no room"

    assert compare([made.SerializeToString()] * 4, memory) == 0


def test_a_key_that_came_twice_is_never_known() -> None:
    body = ExportTraceServiceRequest.FromString(request(CHAT))
    body.resource_spans[0].scope_spans[0].spans[0].attributes.append(
        KeyValue(key="gen_ai.usage.input_tokens", value=any_value(9))
    )

    assert compare([body.SerializeToString()] * 6, Memory()) == 0


def test_a_secret_is_taken_out_of_a_span_that_is_known_otherwise() -> None:
    memory = Memory()
    compare([request({**CHAT, "note": "fine"})] * 5, memory)
    (span,) = known(request({**CHAT, "note": "sk-" + "a1B2" * 10}), memory)

    assert isinstance(span, RawSpan)


def test_what_was_met_is_forgotten_before_it_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alike, "MOST", 50)
    memory = Memory()

    for i in range(400):
        compare([request(CHAT, name=f"chat {i}")] * 3, memory)

    assert memory.met <= 60


@pytest.mark.django_db(transaction=True)
def test_rows_are_the_same(workspace: Workspace) -> None:
    memory = Memory()
    bodies = [template.fresh()[0] for template in templates(3, Shape(spans=200))]
    received = max(span.start_ns for body in bodies for span in read(body)) + 10**9

    def rows(spans: Sequence[RawSpan | Alike]) -> list[Any]:
        builder = Builder(workspace.pk, keeps_content=True)
        return sorted((plainly(row), taken) for row, taken in builder.rows(spans, frozenset({"greeter"}), 0))

    def plainly(row: tuple[Any, ...]) -> str:
        return repr((*row[:20], row[20] and orjson.loads(row[20][1:]), orjson.loads(row[21][1:])))

    for _ in range(4):
        for body in bodies:
            found = decode_known(body, "protobuf", received, 30, memory).items
            assert rows(found) == rows([*decode_traces(body, "protobuf", received, 30).items])
