"""A stand-in for the network: an HTTP server that records requests and answers by script."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str]]


@dataclass
class Receiver:
    """What arrived, and what to answer: `script` first, then 200 for good."""

    url: str
    script: list[Answer] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def spans(self) -> list[dict[str, Any]]:
        return [
            span
            for path, _, body in self.requests
            if path.endswith("/v1/traces")
            for group in body["resourceSpans"]
            for scope in group["scopeSpans"]
            for span in scope["spans"]
        ]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for path, _, body in self.requests if path.endswith("/events") for event in body["events"]]


@contextmanager
def receiver(*script: Answer, port: int = 0, idle_s: float = 30.0) -> Iterator[Receiver]:
    got = Receiver("", list(script))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = idle_s

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            got.times.append(time.monotonic())
            got.requests.append((self.path, dict(self.headers), json.loads(body)))
            status, headers = got.script.pop(0) if got.script else (200, {})
            self.send_response(status)
            for name, value in {"Content-Length": "2", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    got.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield got
    finally:
        server.shutdown()
        server.server_close()
