"""The captured requests of real frameworks, moved to the present, in every variant a client may send them."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ROOT = Path(__file__).parent / "telemetry" / "captures"
FOLDERS = sorted(path.parent.name for path in ROOT.glob("*/requests.jsonl"))
VARIANTS = ("once", "twice", "reversed", "json")
_CLASSES: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
}
_IDS = ("traceId", "spanId", "parentSpanId")


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes
    chunked: bool


def requests(folder: str, variant: str) -> list[Request]:
    """A capture's requests as `variant` sends them, its newest span ending now."""
    read = list(_read(folder))
    shift = time.time_ns() - max(_newest(message) for _, message in read)
    made = []
    for headers, message in read:
        _move(message, shift)
        made.append(_request(headers, message, as_json=variant == "json" or "json" in headers["content-type"]))
    if variant == "reversed":
        return made[::-1]
    return [request for request in made for _ in range(2 if variant == "twice" else 1)]


def _read(folder: str) -> Iterator[tuple[dict[str, str], Any]]:
    for line in (ROOT / folder / "requests.jsonl").read_text().splitlines():
        said = json.loads(line)
        body = (ROOT / folder / said["file"]).read_bytes()
        if said["headers"].get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        message = _CLASSES[said["path"]]()
        if "json" in said["headers"]["content-type"]:
            json_format.ParseDict(_walk(json.loads(body), _to_base64), message, ignore_unknown_fields=True)
        else:
            message.ParseFromString(body)
        yield said["headers"] | {"path": said["path"]}, message


def _request(headers: dict[str, str], message: Any, *, as_json: bool) -> Request:
    body = message.SerializeToString()
    kind = "application/x-protobuf"
    if as_json:
        said = json_format.MessageToDict(message, use_integers_for_enums=True)
        body, kind = json.dumps(_walk(said, _to_hex)).encode(), "application/json"
    sent = {"content-type": kind}
    if headers.get("content-encoding") == "gzip":
        body, sent["content-encoding"] = gzip.compress(body), "gzip"
    return Request(headers["path"], sent, body, "chunked" in headers.get("transfer-encoding", ""))


def _walk(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {k: change(v) if k in _IDS and isinstance(v, str) else _walk(v, change) for k, v in value.items()}
    return [_walk(item, change) for item in value] if isinstance(value, list) else value


def _to_base64(value: str) -> str:
    return base64.b64encode(bytes.fromhex(value)).decode()


def _to_hex(value: str) -> str:
    return base64.b64decode(value).hex()


def _spans(message: Any) -> Iterator[Any]:
    for resource in getattr(message, "resource_spans", ()):
        for scope in resource.scope_spans:
            yield from scope.spans


def _newest(message: Any) -> int:
    return max((max(s.start_time_unix_nano, s.end_time_unix_nano) for s in _spans(message)), default=0)


def _move(message: Any, shift: int) -> None:
    shift -= shift % 1_000_000  # whole milliseconds, so that what was a whole millisecond stays one
    for span in _spans(message):
        span.start_time_unix_nano += shift
        if span.end_time_unix_nano:
            span.end_time_unix_nano += shift
        for event in span.events:
            event.time_unix_nano += shift
