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
from collections.abc import Callable, Sequence
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
        self._headers = {"Authorization": f"Bearer {key}"}
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, timeout: float = 10.0, encoding: str = "x-protobuf") -> tuple[int, float | None]:
        """Status, 0 when there was no answer, and the seconds of Retry-After."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(*self._address, timeout=timeout)
            headers = self._headers | {"Content-Type": f"application/{encoding}"}
            self._connection.request("POST", "/v1/traces", body, headers)
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
    seen: Callable[[Taken], None] | None = None  # told of each request that was taken

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
            if self.seen:
                self.seen(self.sent.taken[-1])
        else:
            self.sent.given_up += 1
        return taken

    def _insist(self, line: Line, body: bytes) -> bool:
        give_up, attempt = time.monotonic() + self.patience_s, 0
        while attempt == 0 or time.monotonic() < give_up:
            status, after = line.post(body)
            self.sent.codes[status] += 1
            if status == 200:
                return True
            if status and status not in RETRYABLE:
                return False
            if status and after is None:
                self.sent.refused_without_wait += 1
            attempt += 1
            if not self.patience_s:
                return False
            pause = after if after is not None else min(5.0, 0.2 * 2**attempt)
            time.sleep(pause * random.uniform(0.8, 1.2))
        return False

    def close(self) -> None:
        for line in self.lines:
            line.close()


Job = Callable[[Sender], None]


def in_parallel(jobs: Sequence[tuple[Sender, Job]]) -> Sent:
    """Run each job in a thread with its sender, and put together what became of them."""
    threads = [threading.Thread(target=job, args=(sender,)) for sender, job in jobs]
    whole = Sent(begun=time.time())
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole.ended = time.time()
    for sender, _ in jobs:
        sender.close()
        whole.add(sender.sent)
    return whole


def closed_loop(url: str, key: str, requests: Sequence[Template], connections: int = 4, *, twice: bool = False) -> Sent:
    """All requests, as fast as they are taken; each connection has one under way."""

    def job(own: Sequence[Template]) -> Job:
        def work(sender: Sender) -> None:
            for template in own:
                sender.send(template)

        return work

    return in_parallel([(Sender(url, key, twice=twice), job(requests[i::connections])) for i in range(connections)])


def for_seconds(
    url: str, key: str, choice: Sequence[Template], seconds: float, connections: int = 4, pause_s: float = 0.0
) -> Sent:
    """As fast as requests are taken, for so many seconds; what is under way then is brought to its end."""
    until = time.monotonic() + seconds

    def work(sender: Sender) -> None:
        rng = random.Random()
        while time.monotonic() < until:
            sender.send(rng.choice(choice))
            time.sleep(pause_s)

    return in_parallel([(Sender(url, key), work) for _ in range(connections)])


def open_loop(
    url: str,
    key: str,
    choice: Sequence[Template],
    spans_a_second: float,
    seconds: float,
    *,
    connections: int = 4,
    patience_s: float = 300.0,
    seen: Callable[[Taken], None] | None = None,
) -> Sent:
    """Requests at fixed moments, whatever the answers take; a late start counts as waiting. A `patience_s` of 0 sends
    each once and no refusal again, so that the offered rate stays what it is."""
    gap = choice[0].spans / spans_a_second
    first = time.time() + 0.1
    moments = iter([first + number * gap for number in range(int(seconds / gap))])
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

    return in_parallel([(Sender(url, key, patience_s=patience_s, seen=seen), work) for _ in range(connections)])
