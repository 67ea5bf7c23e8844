"""A program as its spans tell it: written down in a test, span by span, and observed and folded like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestration.telemetry.conventions import observe
from orchestration.telemetry.spans import Event, Link, Observed, RawSpan, Resource
from orchestration.workflows.fold import fold
from orchestration.workflows.story import DEFAULT_RULES, Rules, Story
from tests.telemetry.replayed import step

BEGIN_NS = 1_795_361_000_000_000_000
MS = 1_000_000
ERROR = 2
NO_SPAN = b""


@dataclass
class Told:
    """Spans of one trace. Times are milliseconds from its beginning; `under` is the parent's id."""

    service: str = "desk"
    trace: bytes = b"t" * 16
    spans: list[RawSpan] = field(default_factory=list)

    def span(
        self,
        name: str,
        attributes: Mapping[str, Any],
        under: bytes = NO_SPAN,
        at: tuple[int, int] | None = None,
        **more: Any,
    ) -> bytes:
        number = len(self.spans) + 1
        start, end = at or (number * 10, number * 10 + 5)
        self.spans.append(
            RawSpan(
                more.get("trace", self.trace),
                number.to_bytes(8, "big"),
                under,
                name,
                more.get("kind", 1),
                BEGIN_NS + start * MS,
                BEGIN_NS + end * MS if end else 0,
                more.get("status", 0),
                more.get("message", ""),
                dict(attributes),
                more.get("events", []),
                [Link(trace, b"s" * 8, {}) for trace in more.get("links", ())],
                Resource({}, more.get("service", self.service), "", "test"),
                more.get("scope", ""),
            )
        )
        return self.spans[-1].span_id

    def agent(self, name: str, under: bytes = NO_SPAN, at: tuple[int, int] | None = None, **more: Any) -> bytes:
        told = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
        return self.span(f"invoke_agent {name}", {**told, **more.pop("also", {})}, under, at, **more)

    def tool(self, name: str, under: bytes = NO_SPAN, at: tuple[int, int] | None = None, **more: Any) -> bytes:
        told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
        return self.span(f"execute_tool {name}", {**told, **more.pop("also", {})}, under, at, **more)

    def chat(self, under: bytes = NO_SPAN, at: tuple[int, int] | None = None, **more: Any) -> bytes:
        told = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "m-1",
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 2,
        }
        return self.span("chat m-1", {**told, **more.pop("also", {})}, under, at, kind=3, **more)

    def observed(self) -> list[Observed]:
        return [observe(raw) for raw in self.spans]

    def story(self, rules: Rules = DEFAULT_RULES) -> Story:
        return fold([step(seen) for seen in self.observed()], rules)


def thrown(kind: str, message: str = "") -> list[Event]:
    return [Event("exception", BEGIN_NS, {"exception.type": kind, "exception.message": message})]


def observed(attributes: Mapping[str, Any], name: str = "span", **more: Any) -> Observed:
    """One span, alone."""
    told = Told()
    told.span(name, attributes, **more)
    return told.observed()[0]


def transfers(story: Story) -> list[tuple[str, str, str]]:
    return [(handoff.from_agent, handoff.to_agent, handoff.rule) for handoff in story.handoffs]


def tools(story: Story) -> list[tuple[str, str, bool, int]]:
    return [(call.tool, call.system, call.ok, call.attempt) for call in story.tool_calls]


def names(story: Story) -> Sequence[str]:
    return [name for _, name in story.agents]
