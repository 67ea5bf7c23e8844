"""The two shapes a span takes on its way in: as it was sent, and as Baton understands it.

`otlp` and `events` produce `RawSpan`, `conventions` turns it into `Observed`, `writer` stores that.
Plain values only: no model, no clock, no settings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from orchestration.telemetry.admission import name


class Kind(IntEnum):
    """What a span is about. The number is stored; the API folds it into its six words (`word`)."""

    OTHER = 0
    WORKFLOW = 1
    AGENT = 2
    LLM = 3
    TOOL = 4
    RETRIEVAL = 5
    EMBEDDING = 6
    HUMAN = 7
    GUARDRAIL = 8
    HANDOFF = 9
    STEP = 10
    REGISTRATION = 11
    EVALUATION = 12
    MESSAGING = 13
    RUN = 20  # never a span, like all that follows: rollup rows that count runs by agent
    AGAIN = 21  # … that count calls which were the fourth try of the same, or a later one

    @property
    def word(self) -> str:
        return _WORDS.get(self, "other")


_WORDS = {
    Kind.AGENT: "agent",
    Kind.LLM: "llm",
    Kind.TOOL: "tool",
    Kind.RETRIEVAL: "retrieval",
    Kind.HUMAN: "human",
}


class Outcome(IntEnum):
    """How a span ended by its own account. CONTROL is an exception that steers (a handoff, a pause): no failure."""

    OK = 0
    ERROR = 1
    CONTROL = 2


# By these names they cost nothing to look at. As attributes of an Enum they do until Python 3.12, and the digest looks
# at dozens for each span.
(
    OTHER,
    WORKFLOW,
    AGENT,
    LLM,
    TOOL,
    RETRIEVAL,
    EMBEDDING,
    HUMAN,
    GUARDRAIL,
    HANDOFF,
    STEP,
    REGISTRATION,
    EVALUATION,
    MESSAGING,
    RUN,
    AGAIN,
) = Kind
OK, ERROR, CONTROL = Outcome

# what parts of an agent are called that say nothing of whose they are, in normal form
BARE = frozenset(
    {"agent", "callagent", "runagent", "invokeagent", "model", "callmodel", "runmodel", "invokemodel", "chatmodel"}
    | {"llm", "callllm", "chat", "chatbot", "assistant", "react", "reason", "reasoner", "oracle", "langgraph"}
)


@dataclass(slots=True)
class Resource:
    """Who sent a span: shared by all spans of one ResourceSpans."""

    attributes: dict[str, Any]
    service: str = ""  # service.name, "" when absent or "unknown_service…"
    version: str = ""
    environment: str = ""  # deployment.environment.name, else deployment.environment


def resource_of(attributes: dict[str, Any]) -> Resource:
    """SDKs name a service that nobody named `unknown_service:python`: that is no name."""
    service = _text(attributes, "service.name")
    return Resource(
        attributes,
        "" if service.startswith("unknown_service") else service,
        _text(attributes, "service.version"),
        _text(attributes, "deployment.environment.name") or _text(attributes, "deployment.environment"),
    )


def _text(attributes: dict[str, Any], key: str) -> str:
    """A resource's name as kept, also when it was sent as a number."""
    value = attributes.get(key)
    return name(str(value)) if isinstance(value, str | int | float) else ""


@dataclass(slots=True)
class Event:
    """A span event. `at_ns`: Unix nanoseconds."""

    name: str
    at_ns: int
    attributes: dict[str, Any]


@dataclass(slots=True)
class Link:
    trace_id: bytes
    span_id: bytes
    attributes: dict[str, Any]


@dataclass(slots=True)
class RawSpan:
    """A span as it was sent. Ids are bytes (16 and 8), times Unix nanoseconds, `end_ns` 0 when it never ended.

    Attribute values are str, bool, int, float, bytes, None, list or dict of those.
    """

    trace_id: bytes
    span_id: bytes
    parent_id: bytes  # b"" for a root
    name: str
    span_kind: int  # OTLP SpanKind
    start_ns: int
    end_ns: int
    status: int  # OTLP: 0 unset, 1 ok, 2 error
    message: str
    attributes: dict[str, Any]
    events: list[Event]
    links: list[Link]
    resource: Resource
    scope: str  # instrumentation scope's name
    kept: bytes | None = None  # the attributes as they are stored, where no secret is in them and nothing is too long


@dataclass(slots=True)
class Observed:
    """A span as Baton understands it, by its own attributes alone: what is known without its neighbours.

    `agent` is the agent the span itself names, "" if none (the fold then takes the nearest agent ancestor).
    `subject` is what the step is about: the tool of a tool call, the model of an LLM call, else "".
    Tokens are set on LLM and embedding spans; sums that an agent or workflow span repeats are in `hints["sum"]`.
    `hints` holds what only the fold needs, JSON-ready, empty for most spans: sum [in, out]; to, from, soft, a2a of a
    handoff; call, names (hashes of a tool's arguments); wait, person; hit, verdict of a guardrail; node, above, twin of
    a graph; wants, team (agents asked for, agents known); and, being content, said (an answer that begins like a
    refusal) and asks (a question to a person).
    `joins` are keys that tie this span's trace to a run that spans several traces: ("baton", text), ("a2a", task),
    ("link", hex trace id), ("runtime", id).
    """

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    start_ns: int
    end_ns: int
    name: str
    kind: Kind
    outcome: Outcome
    application: str = ""
    environment: str = ""
    agent: str = ""
    agent_id: str = ""
    agent_version: str = ""
    workflow: str = ""
    system: str = ""
    subject: str = ""
    provider: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0  # part of tokens_in read from a cache
    cost: float | None = None  # the producer's own figure, used only without a price
    error: str = ""  # "Type: message" of a failure, cut to 500 characters
    conversation: str = ""
    hints: dict[str, Any] = field(default_factory=dict)
    joins: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class RawLog:
    """A log record as it was sent. Ids are b"" where the record names no span; `at_ns` is its time, else when it was
    observed, else when it was received. `name` is the event's (field `eventName`, or the older attribute)."""

    trace_id: bytes
    span_id: bytes
    at_ns: int
    name: str
    severity: int  # OTLP SeverityNumber, 0 unknown
    body: Any
    attributes: dict[str, Any]
    resource: Resource
    scope: str


@dataclass(slots=True)
class RawEvent:
    """One item of `/api/v1/events`: a sign of life from what speaks no OpenTelemetry. Texts are "" where not given."""

    type: str  # one of `events.TYPES`
    run: str
    step: str
    parent: str
    workflow: str
    agent: str
    kind: str  # agent | llm | tool | retrieval | human | other, "" if not given
    system: str
    name: str
    at_ns: int
    status: str
    error: str
    attributes: dict[str, Any]


class LogKind(IntEnum):
    """What a kept log record is about."""

    CONTENT = 0
    EVALUATION = 1
    EXCEPTION = 2
    GUARDRAIL = 3


@dataclass(slots=True)
class ObservedLog:
    """A log record that is a GenAI event. Ids are b"" where it names no span; an evaluation without one is about
    `attributes["gen_ai.response.id"]`."""

    trace_id: bytes
    span_id: bytes
    at_ns: int
    name: str
    kind: LogKind
    application: str
    environment: str
    conversation: str
    attributes: dict[str, Any]
