"""OTLP bodies to plain values. Pure: bytes in, dataclasses out, no clock, no settings, no database.

The door calls `inspect`, which only counts; the digest calls `decode_traces` and `decode_logs` on the stored body with
the delivery's own time of receipt. Both judge each item by `admission`, so they agree about which are kept.
Bodies are unpacked (`packing`); `encoding` is protobuf or json. All raise `Undecodable` for a body that is neither.
"""

from __future__ import annotations

from orchestration.telemetry import otlp_json, otlp_proto
from orchestration.telemetry.admission import Decoded, Tally, window
from orchestration.telemetry.spans import RawLog, RawSpan


def decode_traces(body: bytes, encoding: str, received_ns: int, keep_days: int) -> Decoded[RawSpan]:
    when = window(received_ns, keep_days)
    return otlp_json.traces(body, when) if encoding == "json" else otlp_proto.traces(body, when)


def decode_logs(body: bytes, encoding: str, received_ns: int, keep_days: int) -> Decoded[RawLog]:
    when = window(received_ns, keep_days)
    if encoding == "json":
        return otlp_json.logs(body, when, received_ns)
    return otlp_proto.logs(body, when, received_ns)


def inspect(signal: str, body: bytes, encoding: str, received_ns: int, keep_days: int) -> Tally:
    """How many items of a request may come in, found without reading their attributes where that costs less.

    `signal`: traces | logs | metrics. Metrics are counted by data points, none of which is refused.
    """
    reads_json = encoding == "json"
    if signal == "metrics":
        return Tally(otlp_json.count_points(body) if reads_json else otlp_proto.count_points(body))
    when = window(received_ns, keep_days)
    if signal == "traces":
        return otlp_json.tally_spans(body, when) if reads_json else otlp_proto.tally_spans(body, when)
    if reads_json:
        return otlp_json.tally_logs(body, when, received_ns)
    return otlp_proto.tally_logs(body, when, received_ns)
