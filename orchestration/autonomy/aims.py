"""What an action is about: found by what a caller names it, with the names that asks may call it by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from orchestration.autonomy.models import Kind, Target
from orchestration.outbox.models import Message
from orchestration.policies.models import Decision
from orchestration.registry.models import Agent
from orchestration.workflows.models import Run, Trace, TraceKey, Workflow
from orchestration.workflows.run_search import find_run
from orchestration.workspaces.models import Workspace

FITS: Mapping[Target, tuple[Kind, ...]] = {
    Target.AGENT: (
        *(Kind.QUARANTINE, Kind.RELEASE, Kind.PAUSE, Kind.RESUME, Kind.SUPERVISE, Kind.TRUST),
        *(Kind.REROUTE, Kind.RESTORE, Kind.VERIFY),
    ),
    Target.WORKFLOW: (Kind.PAUSE, Kind.RESUME),
    Target.RUN: (Kind.CANCEL, Kind.REOPEN, Kind.RETRY, Kind.COMPENSATE, Kind.VERIFY),
    Target.DECISION: (Kind.VERIFY,),
    Target.MESSAGE: (Kind.RETRY,),
    Target.WORKSPACE: (Kind.NOTIFY,),
}


@dataclass(frozen=True, slots=True)
class Aim:
    kind: Target
    id: str
    name: str


def aim(workspace_id: int, kind: Target, called: str) -> Aim | None:
    """The one thing of this kind that is called so; None where there is none, or several are."""
    if "\0" in called or (not called and kind != Target.WORKSPACE):
        return None
    return _FINDERS[kind](workspace_id, called)


def aims(workspace_id: int, kind: Target, ids: Sequence[str]) -> list[Aim]:
    """Those of these ids that are there, in the order given."""
    found = _NAMED[kind](workspace_id, ids)
    return [Aim(kind, each, found[each]) for each in dict.fromkeys(ids) if each in found]


def uuid_of(text: str) -> UUID:
    """Nobody's id for what is none."""
    return next(iter(_uuids([text])), UUID(int=0))


def names_of(workspace_id: int, kind: Target, targets: Sequence[str]) -> dict[str, set[str]]:
    """What asks may call them by, by id; what is not there has none."""
    if kind == Target.AGENT:
        agents = Agent.objects.filter(workspace_id=workspace_id, pk__in=_numbers(targets))
        return {str(pk): {key} for pk, key in agents.values_list("pk", "key")}
    if kind == Target.WORKFLOW:
        return {each: {name} for each, name in _workflows(workspace_id, targets).items()}
    runs = Run.objects.filter(workspace_id=workspace_id, id__in=_uuids(targets))
    found = {str(pk): {str(pk), *([own] if own else [])} for pk, own in runs.values_list("id", "external_key")}
    traces = Trace.objects.filter(workspace_id=workspace_id, run_id__in=list(found))
    of_trace = {bytes(trace): str(run) for trace, run in traces.values_list("trace_id", "run_id")}
    for each, run in of_trace.items():
        found[run].add(each.hex())
    keys = TraceKey.objects.filter(workspace_id=workspace_id, kind="baton", trace_id__in=list(of_trace))
    for trace, key in keys.values_list("trace_id", "key"):
        found[of_trace[bytes(trace)]].add(key)
    return found


def _agent(workspace_id: int, called: str) -> Aim | None:
    found = Agent.objects.filter(workspace_id=workspace_id)
    application, slash, name = called.rpartition("/")
    same = found.filter(application__name=application, name=name) if slash else found.filter(name=called)
    rows = list(found.filter(slug=called)) or list(same[:2])
    return Aim(Target.AGENT, str(rows[0].pk), rows[0].name) if len(rows) == 1 else None


def _workflow(workspace_id: int, called: str) -> Aim | None:
    found = Workflow.objects.filter(workspace_id=workspace_id)
    row = found.filter(slug=called).first() or found.filter(name=called).first()
    return Aim(Target.WORKFLOW, str(row.pk), row.name) if row else None


def _run(workspace_id: int, called: str) -> Aim | None:
    run_id = find_run(workspace_id, called)
    return next(iter(aims(workspace_id, Target.RUN, [str(run_id)])), None) if run_id else None


def _decision(workspace_id: int, called: str) -> Aim | None:
    return next(iter(aims(workspace_id, Target.DECISION, [called])), None)


def _message(workspace_id: int, called: str) -> Aim | None:
    return next(iter(aims(workspace_id, Target.MESSAGE, [called])), None)


def _workspace(workspace_id: int, called: str) -> Aim | None:
    return Aim(
        Target.WORKSPACE, str(workspace_id), Workspace.objects.values_list("name", flat=True).get(pk=workspace_id)
    )


def _agents(workspace_id: int, ids: Sequence[str]) -> dict[str, str]:
    rows = Agent.objects.filter(workspace_id=workspace_id, pk__in=_numbers(ids))
    return {str(pk): name for pk, name in rows.values_list("pk", "name")}


def _workflows(workspace_id: int, ids: Sequence[str]) -> dict[str, str]:
    rows = Workflow.objects.filter(workspace_id=workspace_id, pk__in=_numbers(ids))
    return {str(pk): name for pk, name in rows.values_list("pk", "name")}


def _runs(workspace_id: int, ids: Sequence[str]) -> dict[str, str]:
    rows = Run.objects.filter(workspace_id=workspace_id, id__in=_uuids(ids), merged_into=None)
    return {str(pk): title[:300] or f"Run {str(pk)[:8]}" for pk, title in rows.values_list("id", "title")}


def _decisions(workspace_id: int, ids: Sequence[str]) -> dict[str, str]:
    rows = Decision.objects.filter(workspace_id=workspace_id, id__in=_uuids(ids))
    named = rows.values_list("id", "action_type", "agent")
    return {str(pk): f"{kind} by {agent}"[:300] for pk, kind, agent in named}


def _messages(workspace_id: int, ids: Sequence[str]) -> dict[str, str]:
    rows = Message.objects.filter(workspace_id=workspace_id, pk__in=_uuids(ids))
    return {str(pk): event for pk, event in rows.values_list("pk", "event")}


def _workspaces(workspace_id: int, ids: Sequence[str]) -> dict[str, str]:
    found = _workspace(workspace_id, "")
    return {found.id: found.name} if found else {}


def _numbers(ids: Sequence[str]) -> list[int]:
    return [int(each) for each in ids if each.isascii() and each.isdigit() and len(each) < 10]


def _uuids(ids: Sequence[str]) -> list[UUID]:
    found = []
    for each in ids:
        try:
            found.append(UUID(each))
        except ValueError:
            continue
    return found


_FINDERS: Mapping[Target, Callable[[int, str], Aim | None]] = {
    Target.AGENT: _agent,
    Target.WORKFLOW: _workflow,
    Target.RUN: _run,
    Target.DECISION: _decision,
    Target.MESSAGE: _message,
    Target.WORKSPACE: _workspace,
}
_NAMED: Mapping[Target, Callable[[int, Sequence[str]], dict[str, str]]] = {
    Target.AGENT: _agents,
    Target.WORKFLOW: _workflows,
    Target.RUN: _runs,
    Target.DECISION: _decisions,
    Target.MESSAGE: _messages,
    Target.WORKSPACE: _workspaces,
}
