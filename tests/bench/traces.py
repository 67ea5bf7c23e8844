"""Traces of agents at work, with a count of every span: the load's content.

Five applications write in four conventions. In most of them only the agent's own span names it, so that a reader has to
find the agent of a model or tool call among its ancestors. Agent spans repeat the sum of their tokens, which must not
be counted again. Failures are on calls alone, so each is one error by any way of counting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.bench.conventions import AGENT_KEYS, CONVENTIONS, key_values, tokens
from tests.bench.totals import Sums, Totals

S = 1_000_000_000
NONE: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Application:
    """A program with agents. `names_all`: each span carries its agent's name, not only the agent's own."""

    name: str
    weight: int
    agents: tuple[str, ...]
    tools: tuple[str, ...]
    convention: str
    names_all: bool = False

    @property
    def workflow(self) -> str:
        return f"{self.name} flow"


APPLICATIONS = (
    Application(
        "order-desk", 5, ("greeter", "orders", "refunds"), ("find_order", "check_stock", "pay_back"), "genai", True
    ),
    Application("claims", 4, ("intake", "reader", "fraud", "adjuster"), ("ocr_read", "find_policy", "score"), "genai"),
    Application("research", 3, ("planner", "finder", "critic", "writer"), ("web_find", "web_read"), "openinference"),
    Application("helpdesk", 2, ("router", "fixer"), ("reset_password", "query_mdm", "note_ticket"), "older"),
    Application("planning", 1, ("watcher", "buyer"), ("read_stock", "order_stock"), "traceloop"),
)
MODELS = ("gpt-4.1", "gpt-4.1-mini", "claude-sonnet-4-5", "gemini-2.5-flash", "in-house-7b")
ERRORS = ("TimeoutError", "RateLimitError", "ValidationError", "ConnectionError")
KINDS: Mapping[str, Any] = {"workflow": 1, "turn": 1, "chat": 3, "tool": 1}  # OTLP: internal, client


@dataclass(frozen=True)
class Shape:
    """What the load looks like. `age_s`: over how many seconds before now the starts are spread."""

    spans: int = 512  # of a request
    trace: tuple[int, int] = (12, 60)
    errors: float = 0.05
    age_s: float = 900.0
    content: int = 0  # characters of prompt on each call of a model
    seed: int = 1


@dataclass
class Trace:
    """One run of an application. Ids are `head` and `tail`, and `head` and the span's number."""

    application: Application
    head: bytes
    tail: bytes
    clock: int
    rng: Random
    shape: Shape
    totals: Totals = field(default_factory=Totals)
    spans: list[Span] = field(default_factory=list)
    sums: Sums = field(default_factory=lambda: [0, 0, 0, 0])

    def write(self, size: int) -> Trace:
        """A workflow, and its agents one after the other below it, `size` spans in all."""
        root = self.start("workflow", "", self.application.workflow, None)
        self.count("", NONE)
        agents = self.application.agents
        turn = 0
        while len(self.spans) < size:
            self.turn(root, agents[turn % len(agents)], size)
            turn += 1
        root.end_time_unix_nano = self.clock + S // 100
        self.totals.run(self.application.workflow, self.sums)
        return self

    def turn(self, root: Span, agent: str, size: int) -> None:
        self.clock += int(self.rng.uniform(0.001, 0.05) * S)
        turn = self.start("turn", agent, "", root)
        self.count(agent, NONE)
        spent = [self.call(turn, agent) for _ in range(min(self.rng.randint(1, 6), size - len(self.spans)))]
        into, out = sum(one[0] for one in spent), sum(one[1] for one in spent)
        if into:
            turn.attributes.extend(key_values(tokens(self.application.convention, into, out)))
        self.clock += S // 1000
        turn.end_time_unix_nano = self.clock

    def call(self, turn: Span, agent: str) -> tuple[int, int]:
        """A call of a model or a tool; the tokens it took. A failed one takes none."""
        rng = self.rng
        chats = rng.random() < 0.55
        call = self.start(*(("chat", agent, rng.choice(MODELS)) if chats else self.tool(agent)), turn)
        self.clock += int(rng.lognormvariate(0.2 if chats else -1.2, 0.7) * S)
        call.end_time_unix_nano = self.clock
        if chats and self.shape.content:
            call.attributes.extend(key_values({"input.value": PROMPT[: self.shape.content]}))
        if rng.random() < self.shape.errors:
            self.fail(call, rng.choice(ERRORS))
            self.count(agent, NONE, error=True)
            return NONE
        taken = (int(rng.lognormvariate(6.5, 0.8)) + 1, int(rng.lognormvariate(4.8, 0.7)) + 1) if chats else NONE
        if chats:
            call.attributes.extend(key_values(tokens(self.application.convention, *taken)))
        self.count(agent, taken)
        return taken

    def tool(self, agent: str) -> tuple[str, str, str]:
        return "tool", agent, self.rng.choice(self.application.tools)

    def start(self, what: str, agent: str, subject: str, parent: Span | None) -> Span:
        name, attributes = CONVENTIONS[self.application.convention](what, agent, subject)
        if what in ("chat", "tool") and not self.application.names_all:
            attributes = {key: value for key, value in attributes.items() if key not in AGENT_KEYS}
        span = Span(
            trace_id=self.head + self.tail,
            span_id=self.head + len(self.spans).to_bytes(8 - len(self.head), "big"),
            name=name,
            kind=KINDS[what],
            start_time_unix_nano=self.clock,
            parent_span_id=parent.span_id if parent else b"",
        )
        span.attributes.extend(key_values(attributes))
        self.spans.append(span)
        return span

    def fail(self, call: Span, kind: str) -> None:
        call.status.code, call.status.message = Status.STATUS_CODE_ERROR, f"{kind}: it did not work"
        event = call.events.add(name="exception", time_unix_nano=call.end_time_unix_nano)
        event.attributes.extend(key_values({"exception.type": kind, "exception.message": "it did not work"}))

    def count(self, agent: str, taken: tuple[int, int], *, error: bool = False) -> None:
        sums = [1, int(error), *taken]
        self.totals.span(self.application.name, agent, sums)
        self.sums = [have + more for have, more in zip(self.sums, sums, strict=True)]


PROMPT = "customer order refund policy invoice shipment claim agent review status approved limit " * 400


def resource(application: Application, rng: Random) -> dict[str, Any]:
    return {
        "service.name": application.name,
        "service.version": "4.1.0",
        "service.instance.id": f"{application.name}-{rng.randrange(4)}",
        "deployment.environment.name": "bench",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.38.0",
        "host.name": f"node-{rng.randrange(8)}",
        "process.pid": rng.randrange(100, 30000),
    }
