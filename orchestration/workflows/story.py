"""What a run turned out to be: the plain values that `fold` computes from a run's spans.

One fold serves the run page, the API, the run's row and the figures booked to rollups, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from orchestration.telemetry.people import ASKS
from orchestration.telemetry.spans import Kind, Outcome

# what guardrails answer when they stepped in, in the words of several producers
HITS = frozenset(
    {"deny", "denied", "block", "blocked", "fail", "failed", "flagged", "violation", "intervened", "tripped"}
    | {"triggered", "reject", "rejected", "true"}
)


@dataclass(frozen=True, slots=True)
class Rules:
    """The lists that an admin may edit. Patterns are shell-like (`*`), matched against names without case, `-` and `_`
    being equal, also against the last part of a name with a prefix (`plugin.tool`, `mcp__server__tool`)."""

    escalations: tuple[str, ...] = ASKS
    transfers: tuple[str, ...] = ("transfer_to_*", "handoff*", "hand_off*", "delegate*", "agent_*")
    outputs: tuple[str, ...] = (
        "final_answer",
        "final_result*",
        "final_output",
        "finalanswertool",
        "set_model_response",
    )
    denials: tuple[str, ...] = (
        r"^(?:denied|blocked|refused|forbidden|rejected|policy[ _]violation)\b"
        r".*\b(?:policy|limit|guardrail|approval|permitted|allowed)",
    )
    hits: frozenset[str] = HITS
    systems: Mapping[str, str] = field(default_factory=dict)  # tool, without case -> system


DEFAULT_RULES = Rules()


class Step(Struct, gc=False):
    """One span (or one step sent by the events API) as the fold reads it: narrow columns, no attributes.

    `agent` is (application, name as displayed) or None. Times are Unix nanoseconds, `end_ns` 0 while open.
    """

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    start_ns: int
    end_ns: int
    name: str
    kind: Kind
    outcome: Outcome
    application: str
    agent: str
    system: str
    subject: str
    workflow: str
    tokens_in: int
    tokens_out: int
    cost: int | None  # billionths of the workspace's currency
    error: str
    conversation: str
    hints: dict[str, Any]
    ids: tuple[int, int, int] = (0, 0, 0)  # of application, agent and system, as the digest counted it
    claimed: bool = False  # names an agent that its key does not vouch for


class Placed(Struct, gc=False):
    """A step with what its neighbours tell about it."""

    step: Step
    parent: bytes  # the stored parent's span id, b"" for a root or when the parent never came
    orphan: bool  # has a parent id that is not stored
    depth: int
    kind: Kind  # a tool call that turned out to be a transfer is a HANDOFF
    application: str
    agent: str  # own, else nearest agent ancestor's; "" if none
    attempt: int  # 1, 2 … for repeated tries of the same tool or model in one agent turn
    failed: bool  # a failure, counted here and not again on its ancestors
    repeats: bool = False  # its tokens repeat those of calls below it: not to be added


class ToolCall(Struct, gc=False):
    application: str
    agent: str
    tool: str
    system: str
    ok: bool
    attempt: int
    at_ns: int
    duration_ns: int
    span_id: bytes
    error: str


class Handoff(Struct, gc=False):
    application: str
    from_agent: str
    to_application: str
    to_agent: str
    at_ns: int
    rule: str  # explicit | a2a | agent_below_tool | tool_name | argument | requested | agent_below_agent | graph_parent
    #          | sequence
    span_id: bytes


class Escalation(Struct, gc=False):
    application: str
    agent: str
    question: str
    at_ns: int
    state: str  # open | answered
    rule: str
    span_id: bytes


class GuardrailHit(Struct, gc=False):
    application: str
    agent: str
    guardrail: str
    at_ns: int
    span_id: bytes


class StepTime(Struct, gc=False):
    """One kind of step inside a run, for bottlenecks: work is own time not covered by children, wait is the time
    since the last thing it depended on ended, retry the part of work in attempts after the first. Nanoseconds, summed
    over its occurrences in the run."""

    name: str
    owner: str  # agent, system or person
    count: int
    failed: int
    work_ns: int
    wait_ns: int
    retry_ns: int = 0


CANCELLED = "cancelled"  # Baton's own word for the end of a run that it moves on: neither a failure nor a success


@dataclass(slots=True)
class Story:
    """A run as told by its spans. `status`: running | waiting | completed | failed, and cancelled where Baton itself
    says so (`stalled` needs a clock)."""

    workflow: str
    title: str
    status: str
    root_said_ok: bool
    root_came: bool
    conversation: str
    started_ns: int
    ended_ns: int  # greatest end seen, also while running
    active_ns: int  # without waiting for a person
    agents: list[tuple[str, str]]  # (application, name) in order of first appearance
    placed: list[Placed]  # in order of start, parents before children where start is equal
    tool_calls: list[ToolCall]
    handoffs: list[Handoff]
    escalations: list[Escalation]
    guardrail_hits: list[GuardrailHit]
    errors: int
    retries: int
    tokens_in: int
    tokens_out: int
    cost: int | None  # billionths; None when no step has a price
    orphans: int  # steps whose parent never came
    agents_ns: int  # share of elapsed time in which an agent or system worked
    people_ns: int  # … a person worked
    waiting_ns: int  # … nobody did
    steps: list[StepTime] = field(default_factory=list)
    agent_tokens: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    read_systems: dict[bytes, str] = field(default_factory=dict)  # that retrievals read from, where only a step below
    #                                                               tells; by span id
