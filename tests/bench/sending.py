"""Sends a load as OTLP exporters do: kept connections, and the retry rules of the specification.

Only 429, 502, 503, 504 and a broken connection are tried again, after Retry-After where there is one. Every answer is
counted by status, so that a code which OTLP would lose data on is seen.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.bench.load import Template
from tests.bench.totals import Totals

RETRYABLE = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class Taken:
    """A request that was acknowledged: which template, under which heads, and when."""

    template: Template
    heads: bytes
    begun: float  # unix seconds; in an open loop the moment at which it was due
    answered: float


@dataclass
class Sent:
    """What became of a load."""

    taken: list[Taken] = field(default_factory=list)
    codes: Counter[int] = field(default_factory=Counter)  # 0: the connection broke
    given_up: int = 0  # requests that were never acknowledged
    begun: float = 0.0
    ended: float = 0.0
    refused_without_wait: int = 0  # retryable refusals that named no Retry-After

    @property
    def spans(self) -> int:
        return sum(one.template.spans for one in self.taken)

    @property
    def totals(self) -> Totals:
        counts = Counter(id(one.template) for one in self.taken)
        by_id = {id(one.template): one.template for one in self.taken}
        totals = Totals()
        for key, times in counts.items():
            totals.add(by_id[key].totals, times)
        return totals

    @property
    def waits_ms(self) -> list[float]:
        return sorted((one.answered - one.begun) * 1000 for one in self.taken)

    @property
    def strange(self) -> dict[int, int]:
        return {code: n for code, n in self.codes.items() if code not in RETRYABLE | {0, 200}}

    def add(self, other: Sent) -> None:
        self.taken += other.taken
        self.codes += other.codes
        self.given_up += other.given_up
        self.refused_without_wait += other.refused_without_wait


class Line:
    """One connection of an exporter."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-protobuf"}
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, timeout: float = 10.0) -> tuple[int, float | None]:
        """Status, 0 when there was no answer, and the seconds of Retry-After."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(*self._address, timeout=timeout)
            self._connection.request("POST", "/v1/traces", body, self._headers)
            answer = self._connection.getresponse()
            answer.read()
            after = answer.getheader("Retry-After")
            if answer.will_close:
                self.close()
            return answer.status, float(after) if after and after.isdigit() else None
        except (OSError, http.client.HTTPException):
            self.close()
            return 0, None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass
class Sender:
    """One exporter. `twice`: each request goes out a second time at once, by a connection of its own, as after a lost
    answer. It is acknowledged only when both are."""

    url: str
    key: str
    sent: Sent = field(default_factory=Sent)
    patience_s: float = 300.0
    twice: bool = False

    def __post_init__(self) -> None:
        self.lines = [Line(self.url, self.key) for _ in range(2 if self.twice else 1)]

    def send(self, template: Template, due: float | None = None) -> bool:
        body, heads = template.fresh()
        begun = due or time.time()
        if self.twice:
            other = threading.Thread(target=self._insist, args=(self.lines[1], body))
            other.start()
        taken = self._insist(self.lines[0], body)
        answered = time.time()
        if self.twice:
            other.join()
        if taken:
            self.sent.taken.append(Taken(template, heads, begun, answered))
        else:
            self.sent.given_up += 1
        return taken

    def _insist(self, line: Line, body: bytes) -> bool:
        give_up, attempt = time.monotonic() + self.patience_s, 0
        while time.monotonic() < give_up:
            status, after = line.post(body)
            self.sent.codes[status] += 1
            if status == 200:
                return True
            if status and status not in RETRYABLE:
                return False
            if status and after is None:
                self.sent.refused_without_wait += 1
            attempt += 1
            pause = after if after is not None else min(5.0, 0.2 * 2**attempt)
            time.sleep(pause * random.uniform(0.8, 1.2))
        return False

    def close(self) -> None:
        for line in self.lines:
            line.close()


def in_parallel(url: str, key: str, jobs: Sequence[Callable[[Sender], None]], *, twice: bool = False) -> Sent:
    """Run each job in a thread with a sender of its own, and put together what became of them."""
    senders = [Sender(url, key, twice=twice) for _ in jobs]
    threads = [threading.Thread(target=job, args=(one,)) for job, one in zip(jobs, senders, strict=True)]
    whole = Sent(begun=time.time())
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole.ended = time.time()
    for sender in senders:
        sender.close()
        whole.add(sender.sent)
    return whole


def closed_loop(url: str, key: str, requests: Sequence[Template], connections: int = 4, *, twice: bool = False) -> Sent:
    """All requests, as fast as they are taken; each connection has one under way."""

    def job(own: Sequence[Template]) -> Callable[[Sender], None]:
        def work(sender: Sender) -> None:
            for template in own:
                sender.send(template)

        return work

    return in_parallel(url, key, [job(requests[i::connections]) for i in range(connections)], twice=twice)


def for_seconds(url: str, key: str, choice: Sequence[Template], seconds: float, connections: int = 4) -> Sent:
    """As fast as requests are taken, for so many seconds."""
    until = time.monotonic() + seconds

    def work(sender: Sender) -> None:
        rng = random.Random()
        sender.patience_s = seconds
        while time.monotonic() < until:
            sender.send(rng.choice(choice))

    return in_parallel(url, key, [work] * connections)


def open_loop(
    url: str, key: str, choice: Sequence[Template], spans_a_second: float, seconds: float, connections: int = 4
) -> Sent:
    """Requests at fixed moments, whatever the answers take; a late start counts as waiting."""
    gap = choice[0].spans / spans_a_second
    moments = iter_moments(time.time() + 0.1, gap, seconds)
    turn = threading.Lock()

    def work(sender: Sender) -> None:
        rng = random.Random()
        while True:
            with turn:
                due = next(moments, None)
            if due is None:
                return
            time.sleep(max(0.0, due - time.time()))
            sender.send(rng.choice(choice), due)

    return in_parallel(url, key, [work] * connections)


def iter_moments(first: float, gap: float, seconds: float) -> Iterator[float]:
    for number in range(int(seconds / gap)):
        yield first + number * gap
