"""A span that is known by its bytes is what decoding it gives, however it is laid out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from orchestration.telemetry.admission import window
from orchestration.telemetry.alike import Memory
from orchestration.telemetry.otlp import decode_known, decode_traces
from tests.telemetry.test_alike import CHAT, NOW, compare, known, request

SPENT = {**CHAT, "gen_ai.usage.output_tokens": 300}
Change = Callable[[Span], None]


def changed(change: Change, *attributes: dict[str, object]) -> bytes:
    made = ExportTraceServiceRequest.FromString(request(*attributes))
    for span in made.resource_spans[0].scope_spans[0].spans:
        change(span)
    return made.SerializeToString()


def extended(body: bytes, tail: bytes) -> bytes:
    """The same request with `tail` behind the last field of its only span."""
    made = ExportTraceServiceRequest.FromString(body)
    raw = made.resource_spans[0].scope_spans[0].spans[0].SerializeToString() + tail
    inner = b"\n\x03\n\x01s" + b"\x12" + varint(len(raw)) + raw
    resource = made.resource_spans[0].resource.SerializeToString()
    group = b"\n" + varint(len(resource)) + resource + b"\x12" + varint(len(inner)) + inner
    return b"\n" + varint(len(group)) + group


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128, number >> 7])


def test_spans_are_known_by_their_bytes() -> None:
    memory, body = Memory(), request(CHAT, SPENT)
    for _ in range(5):
        compare([body], memory)
    imprints = memory.of(("shop", "", "s")).imprints
    made = ExportTraceServiceRequest.FromString(body)
    within = window(NOW, 30)

    found = [imprints.find(span.SerializeToString(), within) for span in made.resource_spans[0].scope_spans[0].spans]

    assert all(found)


@pytest.mark.parametrize("number", [1, 127, 128, 16_383, 16_384, 2**31, 0, -5])
def test_a_number_of_any_length_is_read_where_others_stood(number: int) -> None:
    memory = Memory()
    compare([request(SPENT)] * 5, memory)

    compare([request({**SPENT, "gen_ai.usage.input_tokens": number}), request(SPENT)] * 2, memory)


def above(parent: bytes) -> Change:
    def change(span: Span) -> None:
        span.parent_span_id = parent

    return change


def test_a_parent_of_zeros_makes_no_other_span_a_root() -> None:
    memory = Memory()
    compare([changed(above(bytes(8)), CHAT)] * 5, memory)

    compare([changed(above(b"p" * 8), CHAT), changed(above(b""), CHAT)] * 5, memory)


@pytest.mark.parametrize(
    "tail",
    [b"0\x00", b"*\x00", b'"\x00', b"*\x05other", b"A" + bytes(8), b"J\x00", b"x\x07", b"\x85\x01\x01\x01\x00\x00"],
)
def test_a_field_that_comes_twice_counts_as_it_does_when_decoded(tail: bytes) -> None:
    memory, plain = Memory(), request(SPENT)

    compare([plain, extended(plain, tail)] * 6, memory)


def test_a_tail_that_is_cut_off_is_refused_also_where_others_are_known() -> None:
    memory, plain = Memory(), request(SPENT)
    compare([plain] * 5, memory)
    broken = extended(plain, b"J\x7f")

    assert decode_known(plain, "protobuf", NOW, 30, memory).items
    with pytest.raises(ValueError, match="nothing in the body"):
        known(broken, memory)


def test_a_known_span_that_is_too_old_or_has_no_id_is_refused() -> None:
    memory = Memory()
    compare([request(SPENT)] * 5, memory)

    def old(span: Span) -> None:
        span.start_time_unix_nano = NOW - 40 * 24 * 3600 * 10**9

    def nameless(span: Span) -> None:
        span.trace_id = bytes(16)

    for change in (old, nameless):
        body = changed(change, SPENT)
        found = decode_known(body, "protobuf", NOW, 30, memory)
        assert not found.items
        assert found.rejected == decode_traces(body, "protobuf", NOW, 30).rejected


def test_what_looks_like_a_number_of_tokens_within_a_text_stays_text() -> None:
    memory, key = Memory(), b"gen_ai.usage.input_tokens"

    def said(number: int) -> dict[str, object]:
        pair = b"\n" + bytes([len(key)]) + key + b"\x12\x02\x18" + bytes([number])
        return {**SPENT, "note": (b"J" + bytes([len(pair)]) + pair).decode()}

    compare([request(said(7))] * 5, memory)

    compare([request(said(9)), request(said(9)), request(said(7))], memory)
