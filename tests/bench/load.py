"""A load of agent telemetry whose every figure is known beforehand.

Requests are encoded before the clock starts, as templates: what differs from one request to the next are six random
bytes at the head of each trace id and span id, put into holes of the encoded body, so that a request of 512 spans costs
the sender less than a tenth of a millisecond. No id is sent twice unless a test repeats a request on purpose.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Sequence
from operator import itemgetter
from random import Random

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.bench.conventions import key_values
from tests.bench.totals import Totals
from tests.bench.traces import APPLICATIONS, Application, S, Shape, Trace, resource

DAY_S, HOURS = 86_400, 24
HEAD = 6  # bytes of an id that are made anew for each request
_MARK = b"\xf3\xc7\x9d"  # marks a hole; three bytes with the number of its trace follow
_HOLES = re.compile(b"(" + re.escape(_MARK) + b".{3})", re.DOTALL)


class MarkedByChance(ValueError):
    """The mark of a hole occurs in the data: other random bytes will do."""


class Template:
    """An encoded request with holes for ids, and what it adds to the totals."""

    def __init__(self, body: bytes, traces: Sequence[Trace]) -> None:
        self.tails = [trace.tail for trace in traces]
        self.sizes = [len(trace.spans) for trace in traces]
        self.spans = sum(self.sizes)
        self.totals = Totals()
        for trace in traces:
            self.totals.add(trace.totals)
        self._pieces: list[bytes] = _HOLES.split(body)
        numbers = [int.from_bytes(hole[len(_MARK) :], "big") for hole in self._pieces[1::2]]
        self._pick = itemgetter(*numbers)
        # a body that holds the mark by chance would be torn: trace id, span id and parent of each span have a head
        if len(numbers) != 3 * self.spans - len(traces):
            raise MarkedByChance

    def fresh(self) -> tuple[bytes, bytes]:
        """The body under ids never used before, and the heads of its traces, one after the other."""
        heads = os.urandom(HEAD * len(self.tails))
        return self.under(heads), heads

    def under(self, heads: bytes) -> bytes:
        """The body under known heads: the same request again."""
        pieces = self._pieces[:]
        pieces[1::2] = self._pick([heads[i : i + HEAD] for i in range(0, len(heads), HEAD)])
        return b"".join(pieces)

    def trace_ids(self, heads: bytes) -> list[bytes]:
        return [heads[HEAD * i : HEAD * (i + 1)] + tail for i, tail in enumerate(self.tails)]


def templates(count: int, shape: Shape | None = None) -> list[Template]:
    shape = shape or Shape()
    now = time.time_ns()
    return [_template(shape, Random(f"{shape.seed} {number}"), now) for number in range(count)]


def spread_over(days: int, requests: int, seed: int = 1) -> list[Template]:
    """So many requests, as many of each day, in random order. Each holds a minute or two of work. Those of the last day
    lie all over it; those of an older day repeat a few of its hours, since encoding costs more than sending."""
    shape, rng, now = Shape(age_s=60.0, seed=seed), Random(seed), time.time_ns()
    found: list[Template] = []
    for day in range(days):
        count = requests // days + (day < requests % days)
        moments = [day + (place + rng.random()) / HOURS for place in range(min(HOURS, count))]
        if day == 0:
            moments = [(place + rng.random()) / count for place in range(count)]
        own = [_template(shape, rng, now - int(moment * DAY_S) * S) for moment in moments]
        found += (own * (count // max(1, len(own)) + 1))[:count]
    rng.shuffle(found)
    return found


def _template(shape: Shape, rng: Random, now: int) -> Template:
    while True:
        traces: list[Trace] = []
        left = shape.spans
        while left:
            trace = _trace(shape, rng, now, len(traces)).write(min(left, rng.randint(*shape.trace)))
            traces.append(trace)
            left -= len(trace.spans)
        try:
            return Template(_encode(traces, rng), traces)
        except MarkedByChance:
            continue  # about one in two thousand; the next draw is another


def _trace(shape: Shape, rng: Random, now: int, number: int) -> Trace:
    application = rng.choices(APPLICATIONS, [one.weight for one in APPLICATIONS])[0]
    head = _MARK + number.to_bytes(HEAD - len(_MARK), "big")
    # a trace may take minutes: it starts early enough to have ended by now
    start = now - int(rng.uniform(0, shape.age_s) * S) - 180 * S
    return Trace(application, head, rng.randbytes(16 - HEAD), start, rng, shape)


def _encode(traces: Iterable[Trace], rng: Random) -> bytes:
    """As an exporter sends it: by resource, in the order of ending, so children before their parents."""
    spans: dict[Application, list[Span]] = {}
    for trace in traces:
        spans.setdefault(trace.application, []).extend(trace.spans)
    request = ExportTraceServiceRequest()
    for application, own in spans.items():
        add_group(request, application, rng, sorted(own, key=lambda span: span.end_time_unix_nano))
    return request.SerializeToString()


def add_group(request: ExportTraceServiceRequest, application: Application, rng: Random, spans: Iterable[Span]) -> None:
    group = request.resource_spans.add()
    group.resource.attributes.extend(key_values(resource(application, rng)))
    scope = group.scope_spans.add()
    scope.scope.name, scope.scope.version = f"instrumentation.{application.convention}", "1.4.2"
    scope.spans.extend(spans)


def one_run(spans: int, requests: int, seed: int = 1) -> tuple[list[bytes], Trace]:
    """A single run of many spans, scattered over requests in random order, under an id of its own."""
    rng = Random(seed)
    head = os.urandom(HEAD)
    start = time.time_ns() - int(spans * 2.5 * S)
    trace = Trace(APPLICATIONS[1], head, rng.randbytes(16 - HEAD), start, rng, Shape()).write(spans)
    shuffled = rng.sample(trace.spans, spans)
    bodies = []
    for number in range(requests):
        request = ExportTraceServiceRequest()
        add_group(request, trace.application, rng, shuffled[number::requests])
        bodies.append(request.SerializeToString())
    return bodies, trace
