"""How much agents of a workflow got in each other's way, before and since they are told to coordinate."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db.models import Q
from django.http import Http404
from ninja import Field, Router, Schema

from orchestration.api.auth import KeyAuth
from orchestration.api.shapes import Asked, Text
from orchestration.control import mess_figures
from orchestration.control.mess_figures import Compared, Side
from orchestration.workflows.models import Workflow

router = Router(auth=KeyAuth("read"), tags=["Coordination"])


class SideOut(Schema):
    count: int
    hit: int = Field(description="Runs in which it happened")
    runs: int = Field(description="Runs that were counted")
    per_100: float | None = Field(description="Of 100 runs in so many it happened; null below 30 runs")
    interval: list[float] | None = Field(description="95 %, of 100 runs")
    examples: list[UUID] = Field(description="The newest such runs")


class ComparedOut(Schema):
    kind: Literal["looked", "asked", "timed_out", "differed"]
    name: str
    counts: str = Field(description="What is counted")
    before: SideOut
    after: SideOut
    difference: list[float] | None = Field(description="After less before, of 100 runs, with the bounds of 95 %")


class CoordinatedOut(Schema):
    workflow: str
    slug: str
    state: Literal["off", "few", "known"] = Field(description="off: never switched on; few: less than 30 runs a side")
    on: bool
    since: datetime | None
    until: datetime | None = Field(description="When it was switched off again")
    counted_from: datetime | None
    runs: list[int] = Field(description="Counted before and after")
    lost_ms: list[int] = Field(description="What repeated look-ups took, before and after")
    left: int = Field(description="Runs that are over and still to be counted")
    kinds: list[ComparedOut]
    as_of: datetime


@router.get(
    "/workflows/{workflow_id}/coordination",
    response=CoordinatedOut,
    summary="What agents got in each other's way with, before and since they coordinate",
)
def get_coordination(request: Asked, workflow_id: Text) -> dict[str, Any]:
    """Of one workflow, by slug or name; as its page shows it."""
    mine = Workflow.objects.filter(workspace_id=request.auth.workspace_id)
    flow = mine.filter(Q(slug=workflow_id) | Q(name=workflow_id)).order_by("pk").first()
    if flow is None:
        raise Http404("There is no such workflow in this workspace.")
    return told(mess_figures.figures(flow))


def told(found: mess_figures.Coordinated) -> dict[str, Any]:
    names = [name for name in CoordinatedOut.model_fields if name != "kinds"]
    return {name: getattr(found, name) for name in names} | {"kinds": [_kind(each) for each in found.kinds]}


def _kind(each: Compared) -> dict[str, Any]:
    named = {"kind": each.kind, "name": each.name, "counts": each.counts, "difference": each.difference}
    return named | {"before": _side(each.before), "after": _side(each.after)}


def _side(side: Side) -> dict[str, Any]:
    bounds = side.interval and [100 * bound for bound in side.interval]
    counted = {"count": side.count, "hit": side.hit, "runs": side.runs, "examples": side.examples}
    return counted | {"per_100": side.per_100, "interval": bounds}
