"""Finding runs by whatever they are called: ids, texts of the caller, names of workflows and agents."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q

from orchestration.registry.models import Agent
from orchestration.workflows.models import Run, Trace, TraceKey, Workflow

_MOST_TRACES = 200  # that the beginning of a trace id may mean


def find_run(workspace_id: int, text: str) -> UUID | None:
    """The id of the run that is called `text`: its own id, that of a run it has taken in, a trace id, or the caller's
    own text. Differs from `text` when the run was merged: pages redirect then."""
    if "\0" in text:
        return None
    found = _by_trace(workspace_id, text) or _by_id(workspace_id, text)
    if found:
        return found
    key = TraceKey.objects.filter(workspace_id=workspace_id, kind="baton", key=text).values("trace_id")
    run = Trace.objects.filter(workspace_id=workspace_id, trace_id__in=key).exclude(run_id=None).first()
    return run.run_id if run else None


def _by_trace(workspace_id: int, text: str) -> UUID | None:
    if len(text) != 32 or (trace_id := _bytes(text)) is None:
        return None
    trace = Trace.objects.filter(workspace_id=workspace_id, trace_id=trace_id).first()
    return trace.run_id if trace else None


def _by_id(workspace_id: int, text: str) -> UUID | None:
    """By id, and from a run that was merged to the one that took it; a chain of these is followed to its end."""
    try:
        run_id = UUID(text)
    except ValueError:
        return None
    seen: set[UUID] = set()
    while run_id not in seen:
        seen.add(run_id)
        row = Run.objects.filter(workspace_id=workspace_id, id=run_id).values_list("merged_into").first()
        if row is None:
            return None
        if row[0] is None:
            return run_id
        run_id = row[0]
    return None


def of_workflow(workspace_id: int, text: str) -> Q:
    """By slug or name."""
    found = Workflow.objects.filter(workspace_id=workspace_id)
    return Q(workflow_id__in=list(found.filter(Q(slug=text) | Q(name=text)).values_list("id", flat=True)))


def with_agent(workspace_id: int, text: str) -> Q:
    """By slug, name or `application/name`; agents of one name in several applications are all meant."""
    found = Agent.objects.filter(workspace_id=workspace_id)
    wanted = Q(slug=text) | Q(name=text)
    application, slash, name = text.rpartition("/")
    if slash:
        wanted |= Q(application__name=application, name=name)
    return Q(agents__overlap=list(found.filter(wanted).values_list("id", flat=True)))


def _bytes(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text) if text.isalnum() else None
    except ValueError:
        return None


def _runs_of_traces(workspace_id: int, beginning: str) -> list[UUID]:
    """Runs that have a trace whose id begins so."""
    first = _bytes(beginning.ljust(32, "0"))
    last = _bytes(beginning.ljust(32, "f"))
    if first is None or last is None or len(first) != 16:
        return []
    found = Trace.objects.filter(workspace_id=workspace_id, trace_id__gte=first, trace_id__lte=last)
    return [run_id for run_id in found.values_list("run_id", flat=True)[:_MOST_TRACES] if run_id]


def of_trace(workspace_id: int, beginning: str) -> Q:
    """By trace id or the beginning of one."""
    return Q(id__in=_runs_of_traces(workspace_id, beginning))


def saying(workspace_id: int, q: str) -> Q:
    """Title, conversation or the caller's text holds `q`, or it is an id."""
    q = q.replace("\0", "").strip()
    wanted = Q(title__icontains=q) | Q(conversation__icontains=q) | Q(external_key__icontains=q)
    run = find_run(workspace_id, q)
    ids = _runs_of_traces(workspace_id, q) if len(q) >= 6 else []
    if run:
        ids.append(run)
    return wanted | Q(id__in=ids) if ids else wanted
