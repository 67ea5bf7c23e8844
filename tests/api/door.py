"""Baton's ASGI application behind a real uvicorn on a free port, and what tests say to it."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson
import uvicorn
from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.waiting import LONG_S

PROTOBUF, JSON = "application/x-protobuf", "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        found: dict[str, object] = orjson.loads(self.body)
        return found


@dataclass(frozen=True, slots=True)
class Door:
    port: int
    key: str = ""

    def send(
        self,
        path: str,
        body: bytes | Iterable[bytes] = b"",
        content_type: str = PROTOBUF,
        *,
        method: str = "POST",
        timeout: float = LONG_S,
        **headers: str,
    ) -> Reply:
        """One request; header names with underscores for hyphens. A body given in parts goes out chunked."""
        sent = {"Content-Type": content_type, **({"Authorization": f"Bearer {self.key}"} if self.key else {})}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=sent, encode_chunked=not isinstance(body, bytes))
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def traces(self, request: Message, **headers: str) -> Reply:
        return self.send("/v1/traces", request.SerializeToString(), **headers)  # type: ignore[arg-type]


class Server:
    """uvicorn in a thread, with the lifespan that opens the doors."""

    def __init__(self) -> None:
        config = uvicorn.Config(
            "orchestration.config.asgi:application", port=0, lifespan="on", log_config=None, access_log=False
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def start(self) -> int:
        self._thread.start()
        until = time.monotonic() + LONG_S
        while not self._server.started:
            if time.monotonic() > until or not self._thread.is_alive():
                raise RuntimeError("the server did not start")
            time.sleep(0.01)
        port: int = self._server.servers[0].sockets[0].getsockname()[1]
        return port

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)


def span(n: int = 1, *, start_ns: int = 0, **attributes: str) -> Span:
    """A good span, the `n`th of its trace."""
    start_ns = start_ns or time.time_ns() - 1_000_000_000
    return Span(
        trace_id=(77).to_bytes(16, "big"),
        span_id=n.to_bytes(8, "big"),
        name=f"step {n}",
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + 1_000_000,
        attributes=[KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in attributes.items()],
    )


def request(*spans: Span) -> ExportTraceServiceRequest:
    found = ExportTraceServiceRequest()
    found.resource_spans.add().scope_spans.add().spans.extend(spans)
    return found


def good(n: int = 3) -> ExportTraceServiceRequest:
    return request(*(span(i + 1) for i in range(n)))
