"""One span, sent as a stranger would: with a key, over HTTP, to the door that agents use."""

from __future__ import annotations

import http.client
import secrets
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

PATIENCE_S = 5.0
APPLICATION, NAME = "Baton test", "test span"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the door said; status 0 when it said nothing."""

    trace_id: bytes
    status: int
    ms: float
    why: str = ""


def send(request: HttpRequest, key: str) -> Answer:
    """Sends a span that lasts a millisecond and belongs to no agent."""
    trace_id, began = secrets.token_bytes(16), time.perf_counter()
    headers = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {key}"}
    connection = http.client.HTTPConnection(*door(request), timeout=PATIENCE_S)
    try:
        connection.request("POST", "/v1/traces", body(trace_id), headers)
        reply = connection.getresponse()
        status, said = reply.status, reply.read(2000)
    except (OSError, http.client.HTTPException) as error:
        return Answer(trace_id, 0, _since(began), type(error).__name__)
    finally:
        connection.close()
    refused = status != 200 or bool(said)
    return Answer(
        trace_id, status if status != 200 or not said else 207, _since(began), _words(said) if refused else ""
    )


def door(request: HttpRequest) -> tuple[str, int]:
    """Where the server that answers this very request listens: never what the request says of itself, since an
    address from outside would lead the key elsewhere."""
    scope: dict[str, Any] = getattr(request, "scope", {})
    host, port = scope.get("server") or (None, None)
    return (str(host), int(port)) if host and port else ("127.0.0.1", settings.BATON_PORT)


def body(trace_id: bytes) -> bytes:
    found, now = ExportTraceServiceRequest(), time.time_ns()
    of = found.resource_spans.add()
    of.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value=APPLICATION)))
    of.scope_spans.add().spans.add(
        trace_id=trace_id,
        span_id=secrets.token_bytes(8),
        name=NAME,
        start_time_unix_nano=now - 1_000_000,
        end_time_unix_nano=now,
    )
    return found.SerializeToString()


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _words(said: bytes) -> str:
    """The sentence in a google.rpc.Status or a partial success, without reading more of it than its letters."""
    text = "".join(sign for sign in said.decode("utf-8", "ignore") if sign.isprintable())
    return text.strip()[:200]
