"""Triggers of a workflow and what came of them: one source for page and API."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from orchestration.workflows import arming, triggers
from orchestration.workflows.declared_models import WorkflowDefinition
from orchestration.workflows.trigger_models import Firing, FiringState, WorkflowTrigger

SHOWN = 25


@dataclass(frozen=True, slots=True)
class Standing:
    """`live`: the version in force has it. `missed`: times of a schedule that passed while Baton was not running.
    `most_an_hour`: runs that it may start; 0: a clock sets the pace. `limited`: what started none for that, within the
    last hour."""

    id: UUID
    on: str
    words: str
    live: bool
    next_at: datetime | None
    last_at: datetime | None
    missed: int
    most_an_hour: int
    started_lately: int
    limited: int
    paused_at: datetime | None
    paused_by: str
    pause_reason: str


@dataclass(frozen=True, slots=True)
class Fired:
    """`state`: waiting | started | missed | refused | limited. A missed one may stand for several, up to `until`."""

    id: UUID
    trigger: UUID
    words: str
    state: str
    due_at: datetime
    until: datetime | None
    count: int
    run: UUID | None
    error: str


def triggers_of(definition: WorkflowDefinition) -> list[Standing]:
    """Those in force first; of the others those that ever started anything."""
    lately = Q(firings__at__gt=timezone.now() - timedelta(hours=1))
    rows = definition.triggers.annotate(
        last_at=Max("firings__at", filter=Q(firings__state=FiringState.STARTED)),
        missed=Coalesce(Sum("firings__count", filter=Q(firings__state=FiringState.MISSED)), 0),
        started_lately=Count("firings", filter=lately & Q(firings__state=FiringState.STARTED)),
        limited=Count("firings", filter=lately & Q(firings__state=FiringState.LIMITED)),
    )
    return [
        Standing(
            row.pk,
            row.on,
            triggers.words(arming.of(row)),
            row.live,
            row.next_at,
            row.last_at,
            row.missed,
            0 if row.on == "schedule" else arming.of(row).most_an_hour,
            row.started_lately,
            row.limited,
            row.paused_at,
            row.paused_by.removeprefix("person:"),
            row.pause_reason,
        )
        for row in rows.order_by("-live", "since", "pk")
        if row.live or row.last_at
    ]


def circle(workspace_id: int, of: str, awaited: Iterable[str] | None = None) -> list[str]:
    """Workflows whose ends start one another, from this one back to it; empty: they do not. `awaited`: by whose ends a
    draft would be started, in the place of what is live of it."""
    starts: dict[str, list[str]] = {name: [of] for name in awaited or ()}
    live = WorkflowTrigger.objects.filter(workspace_id=workspace_id, on="run", live=True, paused_at=None)
    for body, name in live.order_by("pk").values_list("body", "definition__name"):
        if awaited is None or name != of:
            starts.setdefault(body["workflow"], []).append(name)
    ways, seen = [[of]], {of}
    for way in ways:
        for name in starts.get(way[-1], ()):
            if name == of:
                return [*way, name]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []


def fired(definition: WorkflowDefinition, most: int = SHOWN) -> list[Fired]:
    """The newest first."""
    rows = Firing.objects.filter(trigger__definition=definition).select_related("trigger").order_by("-at", "-pk")
    return [
        Fired(
            row.pk,
            row.trigger_id,
            triggers.words(arming.of(row.trigger)),
            row.state,
            row.due_at,
            row.until,
            row.count,
            row.run_id,
            row.error,
        )
        for row in rows[:most]
    ]
