"""How a declared workflow stands: which runs go on by which version, what waits for somebody and since when, what ended
badly and what of it stands. One source for pages and API; nothing is changed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Min, Q
from django.utils import timezone

from orchestration.workflows.declared import plan_of
from orchestration.workflows.declared_models import (
    DeclaredRun,
    DeclaredState,
    DefinitionVersion,
    Effect,
    EffectState,
    Task,
    TaskState,
    WorkflowDefinition,
)

GOING = (DeclaredState.RUNNING, DeclaredState.UNDOING)
WAITING, SHOWN = 25, 10  # steps and runs that are named
ENDED_BADLY = (DeclaredState.FAILED, DeclaredState.CANCELLED, DeclaredState.UNDONE)


@dataclass(frozen=True, slots=True)
class Waits:
    """A step that nobody has taken yet: whoever its owner names should."""

    run: UUID
    title: str
    step: str
    name: str
    owner_kind: str
    owner: str
    since: datetime
    attempt: int
    limit_at: datetime | None


@dataclass(frozen=True, slots=True)
class Queue:
    """Steps waiting for the same owner."""

    owner_kind: str
    owner: str
    steps: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that did not end well. `stands`: effects that nobody has taken back."""

    run: UUID
    title: str
    state: str
    error: str
    step: str
    at: datetime | None
    stands: int
    number: int


@dataclass(frozen=True, slots=True)
class Standing:
    """`by_version`: runs in progress and runs being rolled back, by number of version."""

    live: int | None
    by_version: Mapping[int, tuple[int, int]]
    at_work: int
    asked: int
    waiting: int
    queues: Sequence[Queue]
    longest: Sequence[Waits]
    ended: Sequence[Ended]

    @property
    def running(self) -> int:
        return sum(running for running, _ in self.by_version.values())


def standing(workspace_id: int, name: str) -> Standing | None:
    """Of a declared workflow; None where none of that name was."""
    definition = WorkflowDefinition.objects.filter(workspace_id=workspace_id, name=name).first()
    if definition is None:
        return None
    versions = {version.pk: version for version in definition.versions.defer("body")}
    tasks = Task.objects.filter(workspace_id=workspace_id, workflow=name)
    ready = tasks.filter(state=TaskState.READY, due_at__lte=timezone.now())
    in_hand = tasks.filter(state__in=[TaskState.LEASED, TaskState.ASKED, TaskState.CALLED])  # few, and indexed
    work = in_hand.aggregate(
        at_work=Count("id", filter=Q(state__in=[TaskState.LEASED, TaskState.CALLED])),
        asked=Count("id", filter=Q(state=TaskState.ASKED)),
    )
    queues = [
        Queue(kind, owner, n, since)
        for kind, owner, n, since in ready.values_list("owner_kind", "owner").annotate(
            n=Count("id"), since=Min("ready_at")
        )
    ]
    return Standing(
        next((each.number for each in versions.values() if each.state == "live"), None),
        _by_version(workspace_id, versions),
        work["at_work"],
        work["asked"],
        sum(queue.steps for queue in queues),
        sorted(queues, key=lambda queue: queue.since),
        _longest(workspace_id, list(ready.order_by("ready_at")[:WAITING])),
        _ended(workspace_id, versions),
    )


def version_of(workspace_id: int, run_id: UUID) -> int | None:
    """The number of the version by which a run goes; None where Baton did not start it."""
    run = DeclaredRun.objects.filter(workspace_id=workspace_id, id=run_id).values_list("version_id", flat=True).first()
    return DefinitionVersion.objects.filter(pk=run).values_list("number", flat=True).first() if run else None


def _by_version(workspace_id: int, versions: Mapping[UUID, DefinitionVersion]) -> dict[int, tuple[int, int]]:
    going = DeclaredRun.objects.filter(workspace_id=workspace_id, version_id__in=list(versions), state__in=GOING)
    found: dict[int, tuple[int, int]] = {}
    for version_id, state, n in going.values_list("version_id", "state").annotate(n=Count("id")):
        running, undoing = found.get(versions[version_id].number, (0, 0))
        added = (n, 0) if state == DeclaredState.RUNNING else (0, n)
        found[versions[version_id].number] = running + added[0], undoing + added[1]
    return dict(sorted(found.items(), reverse=True))


def _longest(workspace_id: int, tasks: Sequence[Task]) -> list[Waits]:
    runs = _runs(workspace_id, {task.run_id for task in tasks})
    return [
        Waits(
            task.run_id,
            runs[task.run_id].title or runs[task.run_id].workflow,
            task.step,
            plan_of(workspace_id, runs[task.run_id].version_id).step(task.step).name,
            task.owner_kind,
            task.owner,
            task.ready_at or task.due_at,
            task.attempt,
            task.limit_at,
        )
        for task in tasks
        if task.run_id in runs
    ]


def _ended(workspace_id: int, versions: Mapping[UUID, DefinitionVersion]) -> list[Ended]:
    """The newest that failed, were ended or rolled back."""
    rows = DeclaredRun.objects.filter(
        workspace_id=workspace_id, version_id__in=list(versions), state__in=[*ENDED_BADLY, DeclaredState.UNDOING]
    )
    runs = list(rows.order_by("-started_at")[:SHOWN])
    ids = [run.id for run in runs]
    failed = Task.objects.filter(workspace_id=workspace_id, run_id__in=ids, state=TaskState.FAILED, undoes=None)
    steps = dict(failed.order_by("-ended_at").values_list("run_id", "step"))
    mine = Effect.objects.filter(workspace_id=workspace_id, run_id__in=ids, state=EffectState.DONE)
    stands = dict(mine.values_list("run_id").annotate(n=Count("id")))
    return [
        Ended(
            run.id,
            run.title or run.workflow,
            run.state,
            run.error,
            steps.get(run.id, ""),
            run.ended_at,
            stands.get(run.id, 0),
            versions[run.version_id].number,
        )
        for run in runs
    ]


def _runs(workspace_id: int, ids: set[UUID]) -> dict[UUID, DeclaredRun]:
    rows = DeclaredRun.objects.filter(workspace_id=workspace_id, id__in=ids).defer("input")
    return {run.id: run for run in rows}
