"""OTLP bodies to plain values. Pure: bytes in, dataclasses out, no clock, no settings, no database.

The door calls `inspect`, which only counts; the digest calls `decode_traces` and `decode_logs` on the stored body with
the delivery's own time of receipt. Both judge each item by `admission`, so they agree about which are kept.
Bodies are unpacked (`packing`); `encoding` is protobuf or json. All raise `Undecodable` for a body that is neither.
"""

from __future__ import annotations

from collections import Counter

from orchestration.telemetry import otlp_json, otlp_proto
from orchestration.telemetry.admission import Decoded, Tally, Undecodable, window
from orchestration.telemetry.alike import Alike, Memory
from orchestration.telemetry.spans import RawLog, RawSpan


def decode_traces(body: bytes, encoding: str, received_ns: int, keep_days: int) -> Decoded[RawSpan]:
    when = window(received_ns, keep_days)
    found = otlp_json.traces(body, when) if encoding == "json" else otlp_proto.traces(body, when)
    _must_be_readable(len(found.items), found.rejected, encoding)
    return found


def decode_known(
    body: bytes, encoding: str, received_ns: int, keep_days: int, memory: Memory
) -> Decoded[RawSpan | Alike]:
    """The same as `decode_traces`. Spans that mean what others meant before are not looked at any closer."""
    if encoding == "json":
        return as_any(decode_traces(body, encoding, received_ns, keep_days))
    found = otlp_proto.known_traces(body, window(received_ns, keep_days), memory)
    _must_be_readable(len(found.items), found.rejected, encoding)
    return found


def as_any(found: Decoded[RawSpan]) -> Decoded[RawSpan | Alike]:
    return Decoded([*found.items], found.rejected)


def decode_logs(body: bytes, encoding: str, received_ns: int, keep_days: int) -> Decoded[RawLog]:
    when = window(received_ns, keep_days)
    reader = otlp_json.logs if encoding == "json" else otlp_proto.logs
    found = reader(body, when, received_ns)
    _must_be_readable(len(found.items), found.rejected, encoding)
    return found


def inspect(signal: str, body: bytes, encoding: str, received_ns: int, keep_days: int) -> Tally:
    """How many items of a request may come in, found without reading their attributes where that costs less.

    `signal`: traces | logs | metrics. Metrics are counted by data points, none of which is refused.
    """
    when = window(received_ns, keep_days)
    if signal == "metrics":
        found = (otlp_json.tally_points if encoding == "json" else otlp_proto.tally_points)(body)
    elif signal == "traces":
        found = (otlp_json.tally_spans if encoding == "json" else otlp_proto.tally_spans)(body, when)
    else:
        found = (otlp_json.tally_logs if encoding == "json" else otlp_proto.tally_logs)(body, when, received_ns)
    _must_be_readable(found.kept, found.rejected, encoding)
    return found


def _must_be_readable(kept: int, rejected: Counter[str], encoding: str) -> None:
    """Items of which not one can be read are no items: the body is something else."""
    malformed = rejected["malformed"]
    if malformed and not kept and malformed == rejected.total():
        how = ": ids are hexadecimal there, enums are numbers" if encoding == "json" else ""
        raise Undecodable(f"nothing in the body can be read as OTLP in {encoding}{how}")
