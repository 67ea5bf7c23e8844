"""A receiver of webhooks: a real server on this machine that keeps what it gets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Got = tuple[str, dict[str, str], bytes]


class Receiver:
    """`answer`: status, headers and body of each answer; `drip`: it says one letter a time and never ends."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answer: Callable[[Got], tuple[int, dict[str, str], bytes]] = lambda got: (200, {}, b"ok")
        self.drip = False
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got = (self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                receiver.got.append(got)
                if receiver.drip:
                    self.dribble()
                    return
                status, headers, said = receiver.answer(got)
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(said))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said)

            def dribble(self) -> None:
                try:
                    for _ in range(200):
                        self.wfile.write(b"x")
                        time.sleep(0.1)
                except OSError:
                    return

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
