"""What the events API sent, as steps of a run: the digest's way for those that speak no OpenTelemetry.

A run named by the caller's own text is a trace whose id is a hash of that text, tied by it to spans that carry it as
`baton.run.id`. Repeats and any order give the same steps: the earliest start, the latest end, words once said stay.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from django.db import connection

from orchestration.control.counting import Counted
from orchestration.lib.names import normal, speaks_for
from orchestration.registry import prices, resolve
from orchestration.registry.models import AgentKind, SystemKind
from orchestration.registry.vouching import listed_agents
from orchestration.telemetry.bounds import bound_attributes
from orchestration.telemetry.deliveries import Waiting
from orchestration.telemetry.liveness import PAST_S, Heard
from orchestration.telemetry.redaction import redact_attributes, redact_text
from orchestration.telemetry.spans import Kind, Outcome, RawEvent
from orchestration.workflows.reporting import OWN
from orchestration.workflows.traces import Seen

WORDS = {
    "agent": Kind.AGENT,
    "llm": Kind.LLM,
    "tool": Kind.TOOL,
    "retrieval": Kind.RETRIEVAL,
    "human": Kind.HUMAN,
    "other": Kind.STEP,
}
ATTRIBUTES_BYTES = 64 << 10  # of a step, beyond which no event adds to them
HEX = re.compile(r"[0-9a-f]{32}")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(slots=True)
class Part:
    """All that a batch says of one step; `key` "" is the run itself."""

    trace_id: bytes
    key: str
    kind: Kind
    parent: str = ""
    name: str = ""
    workflow: str = ""
    agent: str = ""
    system: str = ""
    outcome: Outcome = Outcome.OK
    started_ns: int = 0
    ended_ns: int = 0
    reopened_ns: int = 0  # it had ended before, and goes on since
    error: str = ""
    claimed: bool = False
    attributes: dict[str, Any] = field(default_factory=dict)


def trace_of(run: str) -> tuple[bytes, tuple[str, str] | None]:
    """The trace that stands for a run's name, and the key that ties it: a trace id is itself, Baton's own id ties to
    that run, any other text to all that carry it."""
    text = run.strip()
    low = text.lower()
    if HEX.fullmatch(low):
        return bytes.fromhex(low), None
    digest = hashlib.sha256(b"run\0" + text.encode()).digest()[:16]
    return digest, ("run", low) if UUID.fullmatch(low) else ("baton", text)


def take(workspace_id: int, events: Sequence[tuple[RawEvent, Waiting]], counted: Counted) -> int:
    """Store a batch's events as steps, add their traces and signs of life to `counted`; returns new steps. A trace of
    which nothing changed, since all of it had come before, is not told again."""
    if not events:
        return 0
    listed = listed_agents({d.key for _, d in events if d.key})
    agents = _agent_ids(workspace_id, {event.agent for event, _ in events if event.agent})
    parts: dict[tuple[bytes, str], Part] = {}
    noted: dict[bytes, Seen] = {}
    alive: set[bytes] = set()
    for event, delivery in events:
        mine = listed.get(delivery.key, ()) if delivery.key else ()
        claimed = bool(event.agent) and not speaks_for(mine, event.agent)
        trace_id = _note(noted, event) if event.run else b""
        agent = 0 if claimed else agents.get(event.agent, (0, 0))[1]
        if agent and event.at_ns >= (delivery.received_at.timestamp() - PAST_S) * 1e9:
            _hear(counted, agent, event, delivery, trace_id)
        if event.type == "heartbeat":
            alive.add(trace_id)
        elif event.run:
            if delivery.key:
                event.attributes.pop(OWN, None)  # nobody else speaks for the engine
            _merge(parts, trace_id, event, claimed)
    changed = _store(workspace_id, [parts[key] for key in sorted(parts)], agents)
    for trace_id in (alive | set(changed)) & set(noted):
        _add(counted.traces, trace_id, noted[trace_id])
    return sum(changed.values())


def _add(into: dict[bytes, Seen], trace_id: bytes, seen: Seen) -> None:
    """Spans of the same batch may be of the same trace."""
    known = into.setdefault(trace_id, seen)
    if known is not seen:
        known.spans += seen.spans
        known.started, known.ended = min(known.started, seen.started), max(known.ended, seen.ended)
        known.root = known.root or seen.root
        known.keys |= seen.keys


def split(agent: str) -> tuple[str, str]:
    """`application/name`, or a bare name."""
    application, slash, name = agent.partition("/")
    return (application, name) if slash and name else ("", agent)


def _agent_ids(workspace_id: int, names: set[str]) -> dict[str, tuple[int, int]]:
    pairs = {name: split(name) for name in names}
    apps = resolve.applications.ids(workspace_id, {(app, ""): () for app, _ in pairs.values()} | {("", ""): ()})
    wanted = {
        (apps[app, ""], normal(name)): (name, AgentKind.SCRIPT, "", "", f"{app} {name}" if app else name)
        for app, name in pairs.values()
        if (app, "") in apps
    }
    ids = resolve.agents.ids(workspace_id, wanted)
    found = {
        text: (apps.get((app, ""), 0), ids.get((apps.get((app, ""), 0), normal(name)), 0))
        for text, (app, name) in pairs.items()
    }
    return found | {"": (apps.get(("", ""), 0), 0)}


def _note(noted: dict[bytes, Seen], event: RawEvent) -> bytes:
    trace_id, key = trace_of(event.run)
    at = event.at_ns // 1000
    seen = noted.setdefault(trace_id, Seen(at, at))
    seen.spans += 1
    seen.started, seen.ended = min(seen.started, at), max(seen.ended, at)
    seen.root = seen.root or event.type in ("run.finished", "run.failed")
    if key:
        seen.keys.add(key)
    return trace_id


def _hear(counted: Counted, agent: int, event: RawEvent, delivery: Waiting, trace_id: bytes) -> None:
    found = counted.heard.get(agent)
    started = event.at_ns // 1000
    if found is None or started >= found.started:
        at = datetime.fromtimestamp(event.at_ns / 1e9, UTC)
        step = event.name or event.step or event.type
        counted.heard[agent] = Heard(delivery.received_at, trace_id, step, at, started)


def _merge(parts: dict[tuple[bytes, str], Part], trace_id: bytes, event: RawEvent, claimed: bool) -> None:
    about_run = event.type.startswith("run.")
    key = "" if about_run else event.step
    kind = Kind.WORKFLOW if about_run else WORDS.get(event.kind) or (Kind.TOOL if event.system else Kind.STEP)
    part = parts.setdefault((trace_id, key), Part(trace_id, key, kind))
    if event.kind or about_run:
        part.kind = kind
    for name in ("parent", "workflow", "agent", "system", "name"):
        value = getattr(event, name)
        if value:
            setattr(part, name, value)
    part.claimed = part.claimed or claimed
    part.attributes.update(event.attributes)
    if event.type.endswith(".started"):
        part.started_ns = min(part.started_ns or event.at_ns, event.at_ns)
    elif event.type == "run.reopened":
        part.reopened_ns = max(part.reopened_ns, event.at_ns)
    else:
        _end(part, event)


def _end(part: Part, event: RawEvent) -> None:
    if event.at_ns >= part.ended_ns:
        part.ended_ns = event.at_ns
        failed = event.type.endswith(".failed") or event.status.lower() in ("error", "failed")
        part.outcome = Outcome.ERROR if failed else Outcome.OK
        part.error = event.error or ((part.error or "failed") if failed else "")


def _store(workspace_id: int, parts: list[Part], agents: dict[str, tuple[int, int]]) -> Counter[bytes]:
    """The traces of which something changed, with how many of their steps are new."""
    if not parts:
        return Counter()
    systems = _system_ids(workspace_id, parts)
    table = prices.table(workspace_id)
    values = []
    for part in parts:
        application, agent = agents.get(part.agent, agents[""])
        tokens_in, tokens_out, model = _tokens(part)
        attributes = bound_attributes(redact_attributes(part.attributes)[0])[0]
        values.append(
            {
                "trace_id": part.trace_id.hex(),
                "key": part.key,
                "parent": part.parent,
                "kind": int(part.kind),
                "name": part.name or part.key or part.workflow,
                "workflow": part.workflow or None,
                "application_id": application,
                "agent_id": agent,
                "system_id": systems.get(_system(part), 0),
                "claimed": part.claimed,
                "outcome": int(part.outcome),
                "started_at": _time(part.started_ns),
                "ended_at": _time(part.ended_ns),
                "reopened_at": _time(part.reopened_ns),
                "error": redact_text(part.error)[0][:500] or None,
                "tokens_in": tokens_in,
                "tokens_out": tokens_out,
                "cost": table.cost(model, tokens_in, tokens_out) if model else None,
                "attrs": attributes,
            }
        )
    with connection.cursor() as cursor:
        cursor.execute(_UPSERT, [workspace_id, orjson.dumps(values, default=str).decode()])
        changed: Counter[bytes] = Counter()
        for trace_id, new in cursor:
            changed[bytes(trace_id)] += new
        return changed


def _system(part: Part) -> tuple[str, str]:
    return SystemKind.SYSTEM, normal(part.system)


def _system_ids(workspace_id: int, parts: list[Part]) -> dict[tuple[Any, ...], int]:
    wanted: dict[tuple[Any, ...], tuple[Any, ...]] = {
        _system(part): (part.system, "", part.system) for part in parts if part.system
    }
    return resolve.systems.ids(workspace_id, wanted)


def _tokens(part: Part) -> tuple[int, int, str]:
    """Tokens and model of an LLM step, by their GenAI names."""
    if part.kind is not Kind.LLM:
        return 0, 0, ""
    found = [part.attributes.get(f"gen_ai.usage.{side}_tokens") for side in ("input", "output")]
    into, out = (v if isinstance(v, int) and 0 <= v < 2**31 else 0 for v in found)
    model = part.attributes.get("gen_ai.response.model") or part.attributes.get("gen_ai.request.model")
    return into, out, model if isinstance(model, str) else ""


def _time(at_ns: int) -> str | None:
    return datetime.fromtimestamp(at_ns // 1000 / 1e6, UTC).isoformat() if at_ns else None


_SHAPE = (
    "trace_id text, key text, parent text, kind smallint, name text, workflow text, application_id int, agent_id int, "
    "system_id int, claimed bool, outcome smallint, started_at timestamptz, ended_at timestamptz, "
    "reopened_at timestamptz, error text, tokens_in int, tokens_out int, cost bigint, attrs jsonb"
)
_COLUMNS = [part.split()[0] for part in _SHAPE.split(", ")]
_LATER = "coalesce(excluded.ended_at >= t.ended_at, excluded.ended_at is not null)"
_MERGED = {
    "parent": "coalesce(nullif(excluded.parent, ''), t.parent)",
    "kind": f"case when excluded.kind = {int(Kind.STEP)} then t.kind else excluded.kind end",
    # who says of a run only which workflow it is of does not rename it
    "name": "case when excluded.name in ('', excluded.key) or (excluded.key = '' and t.name <> '' "
    "and excluded.name is not distinct from excluded.workflow) then t.name else excluded.name end",
    "workflow": "coalesce(excluded.workflow, t.workflow)",
    "application_id": "case when excluded.agent_id <> 0 then excluded.application_id else t.application_id end",
    "agent_id": "coalesce(nullif(excluded.agent_id, 0), t.agent_id)",
    "system_id": "coalesce(nullif(excluded.system_id, 0), t.system_id)",
    "claimed": "t.claimed or excluded.claimed",
    "outcome": f"case when {_LATER} then excluded.outcome else t.outcome end",
    "error": f"case when {_LATER} then excluded.error else t.error end",
    "started_at": "least(t.started_at, excluded.started_at)",
    "ended_at": "greatest(t.ended_at, excluded.ended_at)",
    "reopened_at": "greatest(t.reopened_at, excluded.reopened_at)",
    "tokens_in": "greatest(t.tokens_in, excluded.tokens_in)",
    "tokens_out": "greatest(t.tokens_out, excluded.tokens_out)",
    "cost": "coalesce(excluded.cost, t.cost)",
    "attrs": f"case when pg_column_size(t.attrs) < {ATTRIBUTES_BYTES} then t.attrs || excluded.attrs else t.attrs end",
}
_UPSERT = f"""
insert into workflows_step as t (workspace_id, {", ".join(_COLUMNS)})
select %s, decode(trace_id, 'hex'), {", ".join(_COLUMNS[1:])} from json_to_recordset(%s) as x({_SHAPE})
order by trace_id, key
on conflict (workspace_id, trace_id, key) do update set
    {", ".join(f"{column} = {value}" for column, value in _MERGED.items())}
where ({", ".join(f"t.{column}" for column in _MERGED)}) is distinct from ({", ".join(_MERGED.values())})
returning trace_id, xmax = 0
"""
