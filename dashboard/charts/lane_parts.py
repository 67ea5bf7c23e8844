"""What stands in whose lane of a run: stretches of time, in nanoseconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestration.telemetry.spans import Kind
from orchestration.workflows.story import Escalation, Placed, Story

Who = tuple[str, str]  # application, agent
PEOPLE: Who = ("", "\0people")  # no agent's name: names are made visible before they are kept
UNKNOWN: Who = ("", "\0unknown")
TOOLS = (Kind.TOOL, Kind.RETRIEVAL, Kind.EMBEDDING)


@dataclass(slots=True)
class Part:
    start: int
    end: int
    tone: str  # turn | agent | tool | fail | human | wait | lost
    span: str


@dataclass(slots=True)
class _Layers:
    """Of each lane, the lower ones first: turns, waiting for another agent, what was done."""

    failed: set[bytes]  # tool calls that did; what counts as the failure may be a step below
    turns: dict[Who, list[Part]] = field(default_factory=dict)
    waits: dict[Who, list[Part]] = field(default_factory=dict)
    done: dict[Who, list[Part]] = field(default_factory=dict)


def parts_of(story: Story, until: int) -> dict[Who, list[Part]]:
    """By lane; what has not ended goes on `until` then."""
    by_id = {(each.step.trace_id, each.step.span_id): each for each in story.placed}
    layers = _Layers({call.span_id for call in story.tool_calls if not call.ok})
    for each in story.placed:
        if each.kind == Kind.AGENT and each.agent:
            _turn(layers, each, by_id.get((each.step.trace_id, each.parent)), until)
        else:
            _deed(layers, each, until)
    for asked in story.escalations:
        if asked.rule != "human_step":
            layers.done.setdefault(PEOPLE, []).append(_waited(story, asked, until))
    all_of = (layers.turns, layers.waits, layers.done)
    return {who: [part for layer in all_of for part in layer.get(who, [])] for layer in all_of for who in layer}


def _turn(layers: _Layers, each: Placed, above: Placed | None, until: int) -> None:
    """A turn in its agent's lane; in that of the agent that called it, waiting."""
    tone = "fail" if each.failed else "turn"
    layers.turns.setdefault((each.application, each.agent), []).append(_part(each, tone, until))
    if above is not None and above.agent and above.agent != each.agent:
        layers.waits.setdefault((above.application, above.agent), []).append(_part(each, "wait", until))


def _deed(layers: _Layers, each: Placed, until: int) -> None:
    who, tone = (each.application, each.agent), ""
    if each.orphan and not each.agent:
        who, tone = UNKNOWN, "lost"
    elif each.kind == Kind.HUMAN:
        who, tone = PEOPLE, "human" if each.step.end_ns else "wait"
    elif each.agent and (each.kind == Kind.LLM or each.kind in TOOLS):
        broken = each.failed or each.step.span_id in layers.failed
        tone = "fail" if broken else "agent" if each.kind == Kind.LLM else "tool"
    if tone:
        layers.done.setdefault(who, []).append(_part(each, tone, until))


def _part(each: Placed, tone: str, until: int) -> Part:
    return Part(each.step.start_ns, each.step.end_ns or until, tone, each.step.span_id.hex())


def _waited(story: Story, asked: Escalation, until: int) -> Part:
    """How long an answer was waited for: until something began in another trace, or in the same one after the turn."""
    own = next((each.step for each in story.placed if each.step.span_id == asked.span_id), None)
    begun = own.end_ns or asked.at_ns if own else asked.at_ns
    if asked.state == "open":
        return Part(begun, until, "wait", asked.span_id.hex())
    trace = own.trace_id if own else b""
    later = (each.step.start_ns for each in story.placed if each.step.start_ns >= begun)
    other = (each.step.start_ns for each in story.placed if each.step.trace_id != trace and each.step.start_ns >= begun)
    return Part(begun, min(other, default=min(later, default=begun)), "wait", asked.span_id.hex())


def covered(parts: Iterable[Part]) -> int:
    """The time that at least one of them takes."""
    total = until = 0
    for part in sorted(parts, key=lambda each: each.start):
        if part.end > until:
            total += part.end - max(part.start, until)
            until = part.end
    return total
