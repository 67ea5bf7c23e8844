"""From observed spans to rows: ids for names, a price for tokens, attributes without secrets and within bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import orjson

from orchestration.lib.names import forms, normal
from orchestration.registry import prices, resolve
from orchestration.registry.models import AgentKind, SystemKind
from orchestration.telemetry.alike import Alike, Meaning
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


def _hints(hints: dict[str, Any]) -> bytes | None:
    """As they are stored, without secrets: two of them quote what a tool answered or a person is asked."""
    if not hints:
        return None
    quoted = {key: redact_text(hints[key])[0] for key in ("said", "asks") if key in hints}
    return b"\x01" + orjson.dumps({**hints, **quoted} if quoted else hints, default=str)


@dataclass(slots=True, eq=False)
class _Fixed:
    """What the rows of all spans of one meaning have in common: the columns from the application to the conversation,
    and those behind the figures."""

    head: tuple[Any, ...]
    error: str | None
    hints: bytes | None
    costs: bool


class Builder:
    """Makes rows for `writer`, in the order of its columns."""

    def __init__(self, workspace_id: int, *, keeps_content: bool) -> None:
        self.workspace_id = workspace_id
        self.ids: dict[Combination, Ids] = {}
        self.keeps_content = keeps_content
        self.cost: Callable[[str, int, int, int], int | None] = prices.table(workspace_id).cost
        self._known: dict[frozenset[str] | None, dict[Meaning, _Fixed]] = {}

    def rows(
        self, spans: Iterable[RawSpan | Alike], vouched: frozenset[str] | None, delivery: int
    ) -> Iterator[tuple[Row, Taken]]:
        """Rows of one delivery. `vouched`: the agents its key vouches for (None: any). A delivery at a time, so that
        what was decoded is dropped while it is still in the processor's cache."""
        alike: list[Alike] = []
        others: list[tuple[RawSpan, Observed]] = []
        for span in spans:
            if isinstance(span, tuple):
                alike.append(span)
            else:
                others.append((span, observe(span)))
        fixed = self._known.setdefault(vouched, {})
        unseen = {span[0] for span in alike}.difference(fixed)
        self._name([*(seen for _, seen in others), *(meaning.seen for meaning in unseen)])
        fixed.update({meaning: self._fixed(meaning.seen, vouched) for meaning in unseen})
        plain = Taken(delivery, ())  # one for all that join nothing: nearly all
        for raw, seen in others:
            yield self.row(raw, seen, vouched), Taken(delivery, seen.joins) if seen.joins else plain
        for span in alike:
            joins = span[0].seen.joins
            yield self._alike(span, fixed[span[0]]), Taken(delivery, joins) if joins else plain

    def _name(self, observed: Iterable[Observed]) -> None:
        new = {c: seen for seen in observed if (c := combination(seen)) not in self.ids}
        if new:
            self.ids.update(ids_of(self.workspace_id, new))

    def row(self, raw: RawSpan, seen: Observed, vouched: frozenset[str] | None) -> Row:
        fixed = self._fixed(seen, vouched)
        return (
            self.workspace_id,
            seen.start_ns // 1000 - EPOCH_US,
            seen.trace_id,
            seen.span_id,
            seen.parent_id or None,
            seen.end_ns // 1000 - EPOCH_US if seen.end_ns else None,
            *fixed.head,
            seen.tokens_in,
            seen.tokens_out,
            self._cost(seen, seen.tokens_in, seen.tokens_out, seen.tokens_cached),
            fixed.error,
            fixed.hints,
            self._shown(raw),
        )

    def _alike(self, span: Alike, fixed: _Fixed) -> Row:
        """The row of a span that means what others did."""
        meaning, trace_id, span_id, parent_id, start_ns, end_ns, numbers, attributes = span
        seen, hints, cost = meaning.seen, fixed.hints, None
        tokens_in, tokens_out = seen.tokens_in, seen.tokens_out
        if numbers:
            into, out, _ = meaning.tokens
            tokens_in, tokens_out = numbers.get(into, tokens_in), numbers.get(out, tokens_out)
            if meaning.sums:
                hints = _hints(meaning.hints(numbers))
        if fixed.costs:
            cost = self._cost(seen, tokens_in, tokens_out, numbers.get(meaning.tokens[2], seen.tokens_cached))
        return (
            self.workspace_id,
            start_ns // 1000 - EPOCH_US,
            trace_id,
            span_id,
            parent_id or None,
            end_ns // 1000 - EPOCH_US if end_ns else None,
            *fixed.head,
            tokens_in,
            tokens_out,
            cost,
            fixed.error,
            hints,
            attributes,
        )

    def _fixed(self, seen: Observed, vouched: frozenset[str] | None) -> _Fixed:
        head = (
            *self.ids[combination(seen)],
            int(seen.kind),
            int(seen.outcome),
            vouched is not None and bool(seen.agent) and normal(seen.agent) not in vouched,
            seen.name,
            seen.subject,
            seen.workflow or None,
            seen.conversation or None,
        )
        error = redact_text(seen.error)[0] if seen.error else None
        return _Fixed(head, error, _hints(seen.hints), seen.kind in MODELS or seen.cost is not None)

    def _cost(self, seen: Observed, tokens_in: int, tokens_out: int, tokens_cached: int) -> int | None:
        """By price, else by what the producer says."""
        cost = self.cost(seen.subject, tokens_in, tokens_out, tokens_cached) if seen.kind in MODELS else None
        if cost is None and seen.cost is not None:
            cost = round(min(seen.cost * 1_000_000_000, 1e18))
        return None if cost is not None and cost > MOST_COST else cost

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
    """Sorted by key, a key that occurs twice once: a sender's repeat may lie in the same claim. By the start, then
    those that start together: ids are compared only where they have to be."""
    starts = [row[1] for row, _ in rows]
    order = sorted(range(len(starts)), key=starts.__getitem__)
    ordered = [rows[i] for i in order]
    ties = [at for at, (one, other) in enumerate(pairwise(order)) if starts[one] == starts[other]]
    for first, n in reversed(_runs(ties)):
        together = {pair[0][1:4]: pair for pair in reversed(ordered[first : first + n + 1])}
        ordered[first : first + n + 1] = [together[key] for key in sorted(together)]
    return ordered


def _runs(places: Sequence[int]) -> list[tuple[int, int]]:
    """Places that follow each other, as the first and how many."""
    runs: list[tuple[int, int]] = []
    for place in places:
        if runs and sum(runs[-1]) == place:
            runs[-1] = runs[-1][0], runs[-1][1] + 1
        else:
            runs.append((place, 1))
    return runs
