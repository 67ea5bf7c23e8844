"""Whether the runs of a workflow went the way that was declared or learnt, and how its declared runs stand: computed by
the functions that the pages use."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from ninja import Query, Router, Schema

from orchestration.api.auth import KeyAuth
from orchestration.api.shapes import Asked, Text, WindowIn
from orchestration.lib.stats import wilson
from orchestration.workflows import progress
from orchestration.workflows.conformance import Verdict, of_workflow
from orchestration.workflows.kept_trails import so_far
from orchestration.workflows.models import Workflow

router = Router(auth=KeyAuth("read"), tags=["Figures"])


class JudgedRunOut(Schema):
    run: UUID
    verdict: Verdict
    step: str
    at: datetime


class DeviationOut(Schema):
    step: str
    verdict: Verdict
    runs: int


class DayOut(Schema):
    day: datetime
    runs: int
    conforming: int


class AtVersionOut(Schema):
    """Runs in which an agent took part at one version; `interval`: 95 % of the share that conformed."""

    agent: str
    version: str
    since: datetime
    until: datetime
    runs: int
    conforming: int
    interval: tuple[float, float] | None


class ConformanceOut(Schema):
    """`path`: declared, learnt, or empty where there is none. `runs`: those that can be compared with it. Runs are
    looked at soon after they ended: `looked_at` of `ended` so far, of the newest thousand of the window at most."""

    workflow: str
    path: str
    version: int | None
    runs: int
    conforming: int
    interval: tuple[float, float] | None
    unlike: int
    looked_at: int
    ended: int
    deviations: list[DeviationOut]
    days: list[DayOut]
    by_version: list[AtVersionOut]
    items: list[JudgedRunOut]


class QueueOut(Schema):
    owner_kind: str
    owner: str
    steps: int
    since: datetime


class GoingOut(Schema):
    version: int
    running: int
    undoing: int


class StandingOut(Schema):
    """`waiting`: steps that somebody should take; `queues` says who, and since when."""

    workflow: str
    live: int | None
    versions: list[GoingOut]
    at_work: int
    asked: int
    waiting: int
    queues: list[QueueOut]


@router.get("/workflows/{workflow_id}/conformance", response=ConformanceOut, summary="Whether runs kept to their path")
def get_conformance(request: Asked, workflow_id: Text, wanted: Query[WindowIn]) -> dict[str, Any]:
    """Of at most a hundred runs, the newest that began in the window and were looked at."""
    flow, until = flow_of(request, workflow_id), timezone.now()
    found = of_workflow(flow, until - wanted.window, until)
    sized = so_far(flow, until - wanted.window, until)
    conforming = found.counts.get(Verdict.CONFORMING, 0)
    return {
        "workflow": flow.name,
        "path": found.source,
        "version": found.number,
        "runs": found.compared,
        "conforming": conforming,
        "interval": wilson(conforming, found.compared),
        "unlike": found.counts.get(Verdict.UNLIKE, 0),
        "looked_at": sized.k,
        "ended": sized.n,
        "deviations": [{"step": step, "verdict": verdict, "runs": n} for step, verdict, n in found.deviating],
        "days": [{"day": day, "runs": runs, "conforming": fitting} for day, fitting, runs in found.days],
        "by_version": [
            {
                "agent": each.agent,
                "version": each.version,
                "since": each.since,
                "until": each.until,
                "runs": each.runs,
                "conforming": each.conforming,
                "interval": wilson(each.conforming, each.runs),
            }
            for each in found.shares
        ],
        "items": [{"run": each.run, "verdict": each.verdict, "step": each.step, "at": each.at} for each in found.runs],
    }


@router.get("/workflows/{workflow_id}/standing", response=StandingOut, summary="What declared runs wait for")
def get_standing(request: Asked, workflow_id: Text) -> dict[str, Any]:
    flow = flow_of(request, workflow_id)
    found = progress.standing(flow.workspace_id, flow.name)
    if found is None:
        raise Http404("This workflow is not declared.")
    return {
        "workflow": flow.name,
        "live": found.live,
        "versions": [{"version": number, "running": n, "undoing": m} for number, (n, m) in found.by_version.items()],
        "at_work": found.at_work,
        "asked": found.asked,
        "waiting": found.waiting,
        "queues": [
            {"owner_kind": each.owner_kind, "owner": each.owner, "steps": each.steps, "since": each.since}
            for each in found.queues
        ],
    }


def flow_of(request: Asked, workflow_id: str) -> Workflow:
    """By its slug, or its name."""
    mine = Workflow.objects.filter(workspace_id=request.auth.workspace_id)
    found = (
        None if "\0" in workflow_id else mine.filter(slug=workflow_id).first() or mine.filter(name=workflow_id).first()
    )
    if found is None:
        raise Http404("There is no such workflow in this workspace.")
    return found
