"""Finding runs by whatever they are called: ids, texts of the caller, names of workflows and agents."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from orchestration.registry.models import Agent
from orchestration.workflows.models import Trace, Workflow

_MOST_TRACES = 200  # that the beginning of a trace id may mean


# By trace id, else by a run's own id, followed through those that took it in, else by the caller's text. For both kinds
# of connection: Django's and the doors' own.
FIND = """
with recursive named as (
    select r.id, r.merged_into from workflows_run r where r.workspace_id = %(workspace)s and r.id = %(id)s::uuid
    union
    select r.id, r.merged_into from workflows_run r join named n on r.id = n.merged_into
    where r.workspace_id = %(workspace)s
)
select coalesce(
    (select t.run_id from workflows_trace t where t.workspace_id = %(workspace)s and t.trace_id = %(trace)s::bytea),
    (select n.id from named n where n.merged_into is null limit 1),
    (select t.run_id from workflows_tracekey k
        join workflows_trace t on t.workspace_id = k.workspace_id and t.trace_id = k.trace_id
        where k.workspace_id = %(workspace)s and k.kind = 'baton' and k.key = %(text)s and t.run_id is not null
        limit 1)
)
"""


def called(workspace_id: int, text: str) -> dict[str, Any]:
    """The values of `FIND` for a run that somebody calls `text`."""
    text = "" if "\0" in text else text  # no name has that, and PostgreSQL takes none
    return {"workspace": workspace_id, "id": _uuid(text), "trace": _trace(text), "text": text}


def find_run(workspace_id: int, text: str) -> UUID | None:
    """The id of the run that is called `text`: its own id, that of a run it has taken in, a trace id, or the caller's
    own text. Differs from `text` when the run was merged: pages redirect then."""
    with connection.cursor() as cursor:
        cursor.execute(FIND, called(workspace_id, text))
        row = cursor.fetchone()
    return row[0] if row else None


def _trace(text: str) -> bytes | None:
    return _bytes(text) if len(text) == 32 else None


def has_none(workspace_id: int, text: str) -> bool:
    """Whether `text` is the id of a trace that was looked at and is no run: nothing in it speaks of an agent."""
    kept = Trace.objects.filter(workspace_id=workspace_id, trace_id=_trace(text), run_id=None)
    return kept.filter(settled_at__isnull=False).exists()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
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
