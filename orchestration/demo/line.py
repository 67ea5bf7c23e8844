"""Asks Baton over plain HTTP, as any program could, beside the stage's one thread: asks go out one after the other from
a thread, and each question to a person is waited for by a thread of its own, which does nothing else."""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPException
from queue import SimpleQueue
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

WAIT_S = 55
TIMEOUT_S = 10.0
PAUSE_S = 2.0
AT_ONCE_S, QUIET_S = 2.0, 20.0
NOT_FOR_US = (401, 403)
AGAIN = (0, 409, 429, 502, 503, 504)
OVER = ("applied", "expired", "cancelled")

log = logging.getLogger("baton.demo")


@dataclass(slots=True)
class Ticket:
    """An ask that was sent. `told`: the answer, once `answered`; `over`: the person it went to has decided, or nobody
    did in time."""

    key: str
    body: dict[str, Any]
    answered: bool = False
    told: dict[str, Any] = field(default_factory=dict)
    over: bool = False
    verdict: str = ""
    amend: dict[str, Any] | None = None
    applied_ns: int = 1 << 62

    def end(self, hold: dict[str, Any]) -> None:
        self.verdict, self.amend = hold.get("verdict") or "reject", hold.get("amend")
        if at := hold.get("applied_at") or hold.get("decided_at"):
            self.applied_ns = int(datetime.fromisoformat(at).timestamp() * 1e9)
        self.over = True


class Line:
    """`works`: false once Baton has said that our key may not ask. `open`: questions that people have not answered."""

    def __init__(self, url: str, key: str) -> None:
        self.works, self.open = True, 0
        self._url, self._key = url.rstrip("/"), key
        self._asks: SimpleQueue[Ticket] = SimpleQueue()
        self._one_by_one = threading.Lock()
        self._quiet_until = 0.0
        self._started = False

    def ask(self, key: str, body: dict[str, Any]) -> Ticket:
        """Returns at once; the answer comes into the ticket."""
        ticket = Ticket(key, body)
        if not self._started:
            self._started = True
            threading.stack_size(256 << 10)  # of all threads from now on: they do little
            threading.Thread(target=self._send, name="asks", daemon=True).start()
        self._asks.put(ticket)
        return ticket

    def now(self, method: str, path: str, body: dict[str, Any] | None = None, key: str = "") -> dict[str, Any]:
        """What is said to something that takes a moment, while the stage stands still; empty where nothing is said, and
        for a while after that nobody is asked."""
        if not self.works or time.monotonic() < self._quiet_until:
            return {}
        status, told = self._call(path, body, key, timeout_s=AT_ONCE_S, method=method)
        if status in AGAIN and status != 409:
            self._quiet_until = time.monotonic() + QUIET_S
        return told if status == 200 else {}

    def _send(self) -> None:
        while True:
            ticket = self._asks.get()
            while self.works and not self._decided(ticket):
                time.sleep(PAUSE_S)
            ticket.answered = True

    def _decided(self, ticket: Ticket) -> bool:
        status, told = self._call("/api/v1/decisions", ticket.body, ticket.key)
        if status in AGAIN:
            return False
        if status in NOT_FOR_US:
            self.works = False
            log.warning("this key may not ask for decisions; the agents go on without")
        elif status != 200:
            log.warning("baton refused an ask with status %d: %.300r", status, told)
        else:
            ticket.told = told
        if hold := ticket.told.get("hold"):
            self._count(1)
            threading.Thread(target=self._wait, args=(ticket, hold), name="waits", daemon=True).start()
        else:
            ticket.over = True
        return True

    def _wait(self, ticket: Ticket, hold: str) -> None:
        """By long poll, until the verdict can no longer be taken back."""
        while not ticket.over:
            status, told = self._call(f"/api/v1/holds/{hold}?wait={WAIT_S}", timeout_s=WAIT_S + TIMEOUT_S)
            if status == 200 and told.get("state") in OVER:
                ticket.end(told)
            elif status in (*NOT_FOR_US, 404):
                ticket.end({})
            elif status != 200:
                time.sleep(PAUSE_S)
        self._count(-1)

    def _count(self, more: int) -> None:
        with self._one_by_one:
            self.open += more

    def _call(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        key: str = "",
        timeout_s: float = TIMEOUT_S,
        method: str | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Status (0: no answer) and what was said."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        data = json.dumps(body).encode() if body is not None else None
        request = Request(self._url + path, data, headers, method=method)  # noqa: S310  the address we send to
        try:
            with urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
                return 200, json.loads(answer.read(1 << 20))
        except HTTPError as refused:
            return refused.code, {"detail": refused.read(500).decode(errors="replace")}
        except (OSError, HTTPException, ValueError):
            return 0, {}
