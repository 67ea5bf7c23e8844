"""Why several traces are told as one run."""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.workflows.models import TraceKey

EXACT = frozenset(("a2a", "baton", "link", "run", "trace"))  # a producer or caller said it; other ties are inferred
NAMES_TRACE = frozenset(("link", "trace"))  # keys that are the id of a trace


@dataclass(frozen=True, slots=True)
class Join:
    """Why a trace belongs to its run; `exact` when a producer or a caller said so."""

    trace_id: str
    by: str
    exact: bool


def joins_of(workspace_id: int, trace_ids: list[str]) -> list[Join]:
    """One a trace; none for a run of a single trace. A trace that shares no key continued a waiting conversation."""
    if len(trace_ids) < 2:
        return []
    shared = _shared(workspace_id, trace_ids)
    found = []
    for trace_id in trace_ids:
        by = min(shared.get(trace_id, {"conversation"}), key=lambda kind: (kind not in EXACT, kind))
        found.append(Join(trace_id, by, by in EXACT))
    return found


def _shared(workspace_id: int, trace_ids: list[str]) -> dict[str, set[str]]:
    """Kinds of the keys that each trace has in common with another one of them."""
    mine = set(trace_ids)
    wanted = [bytes.fromhex(trace_id) for trace_id in trace_ids]
    keys = TraceKey.objects.filter(workspace_id=workspace_id, trace_id__in=wanted)
    holders: dict[tuple[str, str], set[str]] = {}
    for kind, key, raw in keys.values_list("kind", "key", "trace_id"):
        held = holders.setdefault((kind, key), set())
        held.add(bytes(raw).hex())
        if kind in NAMES_TRACE and key in mine:
            held.add(key)
    kinds: dict[str, set[str]] = {}
    for (kind, _), held in holders.items():
        if len(held) > 1:
            for trace_id in held:
                kinds.setdefault(trace_id, set()).add(kind)
    return kinds
