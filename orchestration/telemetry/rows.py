"""From observed spans to rows: ids for names, a price for tokens, attributes without secrets and within bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from orchestration.lib.names import forms, normal
from orchestration.registry import prices, resolve
from orchestration.registry.models import AgentKind, SystemKind
from orchestration.telemetry.bounds import bound_attributes
from orchestration.telemetry.content import is_content
from orchestration.telemetry.conventions import observe
from orchestration.telemetry.people import ASKS, matches
from orchestration.telemetry.redaction import redact_attributes, redact_text
from orchestration.telemetry.spans import EMBEDDING, LLM, RETRIEVAL, TOOL, Kind, Observed, RawSpan
from orchestration.telemetry.writer import EPOCH_US, Row

EPOCH_NS = EPOCH_US * 1000
MODELS = frozenset((LLM, EMBEDDING))
MOST_COST = 10**15  # a million of any currency: more for one call is nonsense
ACTS_ON_SYSTEM = frozenset((TOOL, RETRIEVAL))
Ids = tuple[int, int, int]  # application, agent, system
Combination = tuple[str, str, str, Kind, str, str]


@dataclass(slots=True)
class Taken:
    """What is still needed of a span beside its row: the place of its delivery in the claim, and its joining keys."""

    delivery: int
    joins: tuple[tuple[str, str], ...]


@lru_cache(maxsize=1024)
def _json(text: str) -> bytes:
    return orjson.dumps(text)


def combination(seen: Observed) -> Combination:
    """What decides a span's ids: few distinct ones in a batch, so names are looked up once for each."""
    return seen.application, seen.environment, seen.agent, seen.kind, seen.subject, seen.system


def ids_of(workspace_id: int, combinations: Mapping[Combination, Observed]) -> dict[Combination, Ids]:
    """Ids of each combination; names that are new are made. 0 where there is none."""
    tools = prices.tool_systems(workspace_id)
    apps = resolve.applications.ids(workspace_id, {(c[0], c[1]): () for c in combinations})
    wanted_agents: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    wanted_systems: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    parts: dict[Combination, tuple[int, tuple[Any, ...] | None, tuple[Any, ...] | None]] = {}
    for c, seen in combinations.items():
        app = apps.get((c[0], c[1]), 0)
        agent = system = None
        if c[2] and app:
            agent = (app, normal(c[2]))
            slug = f"{c[0]} {c[2]}" if c[0] else c[2]
            wanted_agents[agent] = (c[2], AgentKind.AI, seen.agent_id, seen.agent_version, slug)
        kind, name = _system_name(c, tools)
        if name:
            system = (kind, normal(name))
            wanted_systems[system] = (name, seen.provider if kind == SystemKind.MODEL else "", name)
        parts[c] = app, agent, system
    agents = resolve.agents.ids(workspace_id, wanted_agents)
    systems = resolve.systems.ids(workspace_id, wanted_systems)
    return {
        c: (app, agents.get(agent, 0) if agent else 0, systems.get(system, 0) if system else 0)
        for c, (app, agent, system) in parts.items()
    }


def _system_name(c: Combination, tools: Mapping[str, str]) -> tuple[str, str]:
    """A model for an LLM call; for a tool the system an admin named, else its own, else the tool itself, unless that
    asks a person."""
    if c[3] in MODELS:
        return SystemKind.MODEL, c[4]
    if c[3] in ACTS_ON_SYSTEM:
        named = next((tools[form] for form in forms(c[4]) if form in tools), "") if tools else ""
        return SystemKind.SYSTEM, named or c[5] or ("" if matches(c[4], ASKS) else c[4])
    return SystemKind.SYSTEM, c[5]


def _safe(hints: dict[str, Any]) -> dict[str, Any]:
    """Hints without secrets: two of them quote what a tool answered or a person is asked."""
    quoted = {key: redact_text(hints[key])[0] for key in ("said", "asks") if key in hints}
    return {**hints, **quoted} if quoted else hints


class Builder:
    """Makes rows for `writer`, in the order of its columns."""

    def __init__(self, workspace_id: int, *, keeps_content: bool) -> None:
        self.workspace_id = workspace_id
        self.ids: dict[Combination, Ids] = {}
        self.keeps_content = keeps_content
        self.cost: Callable[[str, int, int, int], int | None] = prices.table(workspace_id).cost

    def rows(
        self, spans: Iterable[RawSpan], vouched: frozenset[str] | None, delivery: int
    ) -> Iterator[tuple[Row, Taken]]:
        """Rows of one delivery. `vouched`: the agents its key vouches for (None: any). A delivery at a time, so that
        what was decoded is dropped while it is still in the processor's cache."""
        pairs = [(raw, observe(raw)) for raw in spans]
        new = {c: seen for _, seen in pairs if (c := combination(seen)) not in self.ids}
        if new:
            self.ids.update(ids_of(self.workspace_id, new))
        plain = Taken(delivery, ())  # one for all that join nothing: nearly all
        for raw, seen in pairs:
            yield self.row(raw, seen, vouched), Taken(delivery, seen.joins) if seen.joins else plain

    def row(self, raw: RawSpan, seen: Observed, vouched: frozenset[str] | None) -> Row:
        application, agent, system = self.ids[combination(seen)]
        kind = seen.kind
        cost = None
        if kind in MODELS:
            cost = self.cost(seen.subject, seen.tokens_in, seen.tokens_out, seen.tokens_cached)
        if cost is None and seen.cost is not None:
            cost = round(min(seen.cost * 1_000_000_000, 1e18))
        if cost is not None and cost > MOST_COST:
            cost = None
        claimed = vouched is not None and bool(seen.agent) and normal(seen.agent) not in vouched
        hints = _safe(seen.hints)
        return (
            self.workspace_id,
            seen.start_ns // 1000 - EPOCH_US,
            seen.trace_id,
            seen.span_id,
            seen.parent_id or None,
            seen.end_ns // 1000 - EPOCH_US if seen.end_ns else None,
            application,
            agent,
            system,
            int(kind),
            int(seen.outcome),
            claimed,
            seen.name,
            seen.subject,
            seen.workflow or None,
            seen.conversation or None,
            seen.tokens_in,
            seen.tokens_out,
            cost,
            redact_text(seen.error)[0] if seen.error else None,
            b"\x01" + orjson.dumps(hints, default=str) if hints else None,
            self._shown(raw),
        )

    def _shown(self, raw: RawSpan) -> bytes:
        """What is shown of a span, as the binary form of a jsonb. Most spans have nothing but attributes without a
        secret, which came with their JSON."""
        if raw.kept is not None and self.keeps_content and not (raw.message or raw.events or raw.links):
            return b'\x01{"a":%b,"k":%d,"s":%b}' % (raw.kept, raw.span_kind, _json(raw.scope))
        return b"\x01" + orjson.dumps(self._attributes(raw), default=str)

    def _attributes(self, raw: RawSpan) -> dict[str, Any]:
        """What is shown of a span: `a` attributes, `e` events, `l` links, `m` status message, `s` scope, `k` its OTLP
        kind. Absent where empty."""
        kept: dict[str, Any] = {"a": self._clean(raw.attributes), "k": raw.span_kind, "s": raw.scope}
        if raw.message:
            kept["m"] = redact_text(raw.message)[0]
        if raw.events:
            kept["e"] = [[e.name, e.at_ns, self._clean(e.attributes)] for e in raw.events[:128]]
        if raw.links:
            kept["l"] = [
                [link.trace_id.hex(), link.span_id.hex(), self._clean(link.attributes)] for link in raw.links[:128]
            ]
        return kept

    def _clean(self, attributes: dict[str, Any]) -> dict[str, Any]:
        if not attributes:
            return attributes
        if not self.keeps_content:
            attributes = {key: value for key, value in attributes.items() if not is_content(key)}
        return bound_attributes(redact_attributes(attributes)[0])[0]


def distinct(rows: Sequence[tuple[Row, Taken]]) -> list[tuple[Row, Taken]]:
    """Sorted by key, a key that occurs twice once: a sender's repeat may lie in the same claim."""
    by_key = {pair[0][1:4]: pair for pair in reversed(rows)}
    return [by_key[key] for key in sorted(by_key)]
