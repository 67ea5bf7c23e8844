"""Signs and posts one message, as Standard Webhooks has it. Within five seconds, to the address that was looked at; no
redirect is followed, and of the answer only its status matters."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

import orjson

from orchestration.outbox import targets
from orchestration.outbox.targets import Refused, Target

LIMIT_S = 5.0
MOST_BYTES = 64 << 10
LATEST_RETRY_S = 3600


@dataclass(frozen=True, slots=True)
class Letter:
    """What is posted: the same at every try but for the time of sending."""

    id: UUID
    event: str
    made_at: datetime
    data: Any

    @property
    def name(self) -> str:
        return f"msg_{self.id.hex}"

    @property
    def body(self) -> bytes:
        at = self.made_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        return orjson.dumps({"type": self.event, "timestamp": at, "data": self.data})


@dataclass(frozen=True, slots=True)
class Outcome:
    """`status` None: nobody answered, and `error` says why. `again_s`: the receiver asks to wait so long."""

    status: int | None
    error: str = ""
    took_ms: int = 0
    again_s: float = 0.0
    body: bytes = b""  # as much of the answer as Baton takes

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def signature(secrets: Iterable[bytes], name: str, at: int, body: bytes) -> str:
    """Of one message by each secret that is in force, with spaces between."""
    signed = f"{name}.{at}.".encode() + body
    made = (base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode() for secret in secrets)
    return " ".join(f"v1,{each}" for each in made)


def post(url: str, secrets: Iterable[bytes], letter: Letter) -> Outcome:
    """Never raises: whatever goes wrong is an outcome."""
    body, at = letter.body, int(time.time())
    headers = {
        "User-Agent": "Baton-Webhooks/1",
        "webhook-id": letter.name,
        "webhook-timestamp": str(at),
        "webhook-signature": signature(secrets, letter.name, at, body),
    }
    return send(url, headers, body, LIMIT_S)


def send(url: str, headers: Mapping[str, str], body: bytes, limit_s: float) -> Outcome:
    """JSON to an address that somebody wished for, under the rules of all that Baton sends. Never raises."""
    began = time.monotonic()
    try:
        target = targets.resolve(url)
        known = {"Host": target.authority, "Content-Type": "application/json", **headers}
        status, again_s, said = _send(target, known, body, began + limit_s)
    except Refused as refused:
        return Outcome(None, str(refused), _ms(began))
    except TimeoutError:
        return Outcome(None, f"No answer within {limit_s:.0f} seconds.", _ms(began))
    except ssl.SSLError as error:
        return Outcome(
            None, f"No secure connection: {error.reason or 'the certificate does not fit'}."[:200], _ms(began)
        )
    except (OSError, http.client.HTTPException, ValueError) as error:
        late = _ms(began) >= 1000 * limit_s
        words = f"No answer within {limit_s:.0f} seconds." if late else f"No connection ({type(error).__name__})."
        return Outcome(None, words, _ms(began))
    return Outcome(status, "" if 200 <= status < 300 else _words(status), _ms(began), again_s, said)


@cache
def _trust() -> ssl.SSLContext:
    """All authorities of this machine: to read them takes longer than to send. No worker's child is kept for long."""
    return ssl.create_default_context()


def _send(target: Target, headers: Mapping[str, str], body: bytes, until: float) -> tuple[int, float, bytes]:
    """Status, seconds of Retry-After, and the answer. Whoever answers drop by drop is cut off at the limit like
    everybody else."""
    left = max(0.1, until - time.monotonic())
    connected = socket.create_connection((str(target.address), target.port), timeout=left)
    if target.secure:
        connected = _trust().wrap_socket(connected, server_hostname=target.host, do_handshake_on_connect=False)
    clock = threading.Timer(max(0.1, until - time.monotonic()), _cut, (connected,))
    clock.daemon = True
    clock.start()
    connection = http.client.HTTPConnection(target.host, target.port)
    try:
        if isinstance(connected, ssl.SSLSocket):
            connected.do_handshake()
        connection.sock = connected
        connection.request("POST", target.path, body, dict(headers))
        response = connection.getresponse()
        said = response.read(MOST_BYTES)
        return response.status, _seconds(response.getheader("Retry-After")), said
    finally:
        clock.cancel()
        connection.close()
        connected.close()


def _cut(connected: socket.socket) -> None:
    try:
        socket.socket.shutdown(connected, socket.SHUT_RDWR)  # not TLS' own, which would talk first
    except OSError:
        return


def _seconds(retry_after: str | None) -> float:
    text = (retry_after or "").strip()
    return float(min(int(text), LATEST_RETRY_S)) if text.isdigit() and len(text) < 10 else 0.0


def _words(status: int) -> str:
    if 300 <= status < 400:
        return f"Answered {status}: Baton follows no redirects."
    return f"Answered {status}."


def _ms(began: float) -> int:
    return round(1000 * (time.monotonic() - began))
