"""The shapes of OTLP/JSON bodies, read by msgspec. Only the fields that Baton uses; the rest is skipped.

Requests are generic in their resource and item, so that a frame can be read before what it holds (`Reader`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from msgspec import Raw, Struct, field
from msgspec.json import Decoder

R = TypeVar("R")
T = TypeVar("T")


class _Camel(Struct, rename="camel", gc=False):
    """Field names as protobuf's JSON spells them."""


class Array(_Camel):
    values: list[Value] | None = None


class Pairs(_Camel):
    values: list[Pair] | None = None


class Value(_Camel):
    string_value: str | None = None
    int_value: int | None = None
    bool_value: bool | None = None
    double_value: float | None = None
    bytes_value: str | None = None
    array_value: Array | None = None
    kvlist_value: Pairs | None = None


class Pair(_Camel):
    key: str = ""
    value: Value | None = None


class Attributes(_Camel):
    attributes: list[Pair] | None = None


class _Named(_Camel):
    name: str | None = None


class _Status(_Camel):
    code: int | None = None
    message: str | None = None


class JsonEvent(Attributes):
    name: str | None = None
    time_unix_nano: int | None = None


class JsonLink(Attributes):
    trace_id: str | None = None
    span_id: str | None = None


class JsonSpan(Attributes):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    name: str | None = None
    kind: int | None = None
    start_time_unix_nano: int | None = None
    end_time_unix_nano: int | None = None
    status: _Status | None = None
    events: list[JsonEvent] | None = None
    links: list[JsonLink] | None = None


class JsonRecord(Attributes):
    trace_id: str | None = None
    span_id: str | None = None
    time_unix_nano: int | None = None
    observed_time_unix_nano: int | None = None
    event_name: str | None = None
    severity_number: int | None = None
    body: Value | None = None


class _SpanScope(Struct, Generic[T]):
    scope: _Named | None = None
    items: list[T] | None = field(default=None, name="spans")


class _SpanGroup(Struct, Generic[R, T]):
    resource: R = None  # type: ignore[assignment]  # absent
    scopes: list[_SpanScope[T]] | None = field(default=None, name="scopeSpans")


class _Spans(Struct, Generic[R, T]):
    groups: list[_SpanGroup[R, T]] | None = field(default=None, name="resourceSpans")


class _LogScope(Struct, Generic[T]):
    scope: _Named | None = None
    items: list[T] | None = field(default=None, name="logRecords")


class _LogGroup(Struct, Generic[R, T]):
    resource: R = None  # type: ignore[assignment]  # absent
    scopes: list[_LogScope[T]] | None = field(default=None, name="scopeLogs")


class _Logs(Struct, Generic[R, T]):
    groups: list[_LogGroup[R, T]] | None = field(default=None, name="resourceLogs")


class _Points(_Camel):
    data_points: list[Raw] | None = None


class _Metric(_Camel):
    gauge: _Points | None = None
    sum: _Points | None = None
    histogram: _Points | None = None
    exponential_histogram: _Points | None = None
    summary: _Points | None = None

    def points(self) -> int:
        kinds = (self.gauge, self.sum, self.histogram, self.exponential_histogram, self.summary)
        return sum(len(kind.data_points or ()) for kind in kinds if kind)


class _MetricScope(_Camel):
    metrics: list[_Metric] | None = None


class _MetricGroup(_Camel):
    scope_metrics: list[_MetricScope] | None = None


class _Metrics(_Camel):
    resource_metrics: list[_MetricGroup] | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """How a kind of request is read: whole, or its frame first and then each resource and item by itself."""

    of: str
    whole: Decoder[Any]
    shallow: Decoder[Any]
    resource: Decoder[Attributes | None]
    item: Decoder[Any]


def _lax(shape: Any) -> Decoder[Any]:
    """Lax: 64-bit integers come as texts."""
    return Decoder(shape, strict=False)


_Whose = Attributes | None
_RESOURCE = _lax(_Whose)
SPANS = Reader("spans", _lax(_Spans[_Whose, JsonSpan]), _lax(_Spans[Raw, Raw]), _RESOURCE, _lax(JsonSpan))
LOGS = Reader("log records", _lax(_Logs[_Whose, JsonRecord]), _lax(_Logs[Raw, Raw]), _RESOURCE, _lax(JsonRecord))
METRICS = _lax(_Metrics)
