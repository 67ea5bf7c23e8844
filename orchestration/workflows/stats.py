"""Figures of workflows over a time: how long runs take, where their time goes, how far they get.

All read the rollups that settling a run books (`WorkflowMinute`, and hours and days of it): runs count by the time
they ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Count

from orchestration.telemetry.sums import Stretch
from orchestration.workflows import paces
from orchestration.workflows.fold_times import PEOPLE
from orchestration.workflows.models import Measure, Run, RunStatus, StepName, Workflow
from orchestration.workflows.paces import NOTHING, Booked, Pace

OPEN = (RunStatus.RUNNING, RunStatus.WAITING)
FEW = 5  # runs: of fewer, one slow step says nothing of a workflow


@dataclass(frozen=True, slots=True)
class Durations:
    """Start to end of the runs that ended, waiting for people included. None where no run ended."""

    workflow: str
    slug: str
    runs: int
    failed: int
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class Shares:
    """Of the elapsed time of the finished runs, from 0 to 1."""

    agents: float
    people: float
    waiting: float


@dataclass(frozen=True, slots=True)
class Split:
    """What the time of a step was spent on, each as a part of all runs' time from start to end."""

    wait: float = 0.0  # until somebody began
    work: float = 0.0  # in first attempts
    people: float = 0.0  # on a person, from the question to the answer
    retry: float = 0.0  # in attempts after the first


@dataclass(frozen=True, slots=True)
class StepFigure:
    """One kind of step of a workflow, over the runs that ended. What did not finish had failed."""

    id: int
    name: str
    owner: str
    started: int
    finished: int
    failed: int
    wait_p50_ms: float | None
    work_p50_ms: float | None
    wait_p95_ms: float | None
    work_p95_ms: float | None
    share_of_elapsed: float | None  # its work and wait, of all runs' time from start to end; at most 1
    split: Split = Split()


@dataclass(frozen=True, slots=True)
class WorkflowLine:
    """One workflow: the shape `Workflow` of the API, and what a row of the list shows besides."""

    id: int
    slug: str
    name: str
    runs: int
    in_progress: int
    waiting: int
    failed: int
    escalated: int  # runs that asked a person
    p10_ms: float | None
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    shares: Shares | None
    slowest: StepFigure | None  # the step with the largest share of elapsed time
    steps: list[StepFigure]


@dataclass(frozen=True, slots=True)
class WorkflowDetail:
    line: WorkflowLine
    points: list[float | None]  # median duration, 24 points over the window
    ended: list[int]  # runs that ended, at the same points
    booked: Booked  # what the figures are made of: how times are spread over the whole window


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """A step and what part of the elapsed time of its workflow's finished runs its work and waiting took."""

    workflow: str
    slug: str
    step: str
    owner: str
    wait_p95_ms: float | None
    work_p95_ms: float | None
    share_of_elapsed: float
    step_id: int
    split: Split = Split()

    @property
    def waits(self) -> bool:
        """Whether more of it is waiting than work, by its p95."""
        return (self.wait_p95_ms or 0) >= (self.work_p95_ms or 0)

    @property
    def p95_ms(self) -> float | None:
        return self.wait_p95_ms if self.waits else self.work_p95_ms


def workflows(
    workspace_id: int, since: datetime, until: datetime, q: str = "", *, times: bool = True
) -> list[WorkflowLine]:
    """Every workflow of the workspace by name, also those without a run in the window. Without `times` its steps tell
    shares and counts alone, which is several times less to read."""
    rows = paces.rows_between(workspace_id, since, until)
    booked = paces.by_workflow(rows) if times else paces.in_sums(rows)
    return lines(workspace_id, booked, in_progress(workspace_id), q)


def workflow(workspace_id: int, slug: str, since: datetime, until: datetime) -> WorkflowDetail | None:
    """One workflow by slug, else by name; None when there is none."""
    row = workflow_called(workspace_id, slug)
    if row is None:
        return None
    rows = paces.rows_between(workspace_id, since, until)
    booked = paces.by_workflow(rows, row.id)
    (line,) = _lines(workspace_id, [row], booked, in_progress(workspace_id))
    parts = paces.by_part(workspace_id, (since, until), Measure.DURATION, workflow_id=row.id)
    points, ended = [part.percentile(0.5) for part in parts], [part.n for part in parts]
    return WorkflowDetail(line, points, ended, booked.get(row.id, Booked()))


def workflow_called(workspace_id: int, text: str) -> Workflow | None:
    """The workflow that has this slug, else this name."""
    if "\0" in text:
        return None
    found = Workflow.objects.filter(workspace_id=workspace_id)
    return found.filter(slug=text).first() or found.filter(name=text).first()


def bottlenecks(workspace_id: int, since: datetime, until: datetime, most: int = 5) -> list[Bottleneck]:
    """The steps with the largest share of elapsed time, largest first; those of a few runs after the others."""
    return bottlenecks_of(workflows(workspace_id, since, until), most)


def bottlenecks_of(lines: Iterable[WorkflowLine], most: int = 5) -> list[Bottleneck]:
    found = [(line.runs < FEW, told) for line in lines for step in line.steps if (told := _bottleneck(line, step))]
    found.sort(key=lambda each: (each[0], -each[1].share_of_elapsed, each[1].workflow, each[1].step))
    return [each for _, each in found[:most]]


def _bottleneck(line: WorkflowLine, step: StepFigure) -> Bottleneck | None:
    share, waits, works = step.share_of_elapsed, step.wait_p95_ms, step.work_p95_ms
    if not share:
        return None
    return Bottleneck(line.name, line.slug, step.name, step.owner, waits, works, share, step.id, step.split)


def timed(slow: Iterable[Bottleneck], rows: Stretch) -> list[Bottleneck]:
    """The same steps with their p95, where only sums were read so far."""
    known = list(slow)
    booked = paces.of_steps(rows, [each.step_id for each in known]) if known else {}
    return [
        replace(
            each,
            wait_p95_ms=booked[each.step_id].get(Measure.WAIT, NOTHING).percentile(0.95),
            work_p95_ms=booked[each.step_id].get(Measure.WORK, NOTHING).percentile(0.95),
        )
        for each in known
    ]


def durations(workspace_id: int, since: datetime, until: datetime) -> list[Durations]:
    """One a workflow that had a run end in the window, most runs first."""
    return durations_of(workflows(workspace_id, since, until))


def durations_of(lines: Iterable[WorkflowLine]) -> list[Durations]:
    found = [
        Durations(line.name, line.slug, line.runs, line.failed, line.p50_ms, line.p90_ms, line.p99_ms)
        for line in lines
        if line.runs
    ]
    return sorted(found, key=lambda each: (-each.runs, each.workflow))


def all_durations(workspace_id: int, since: datetime, until: datetime) -> Durations:
    """The same over all workflows together (name and slug "")."""
    return durations_in(paces.together(paces.by_workflow(paces.rows_between(workspace_id, since, until), steps=False)))


def durations_in(whole: Mapping[int, Pace]) -> Durations:
    pace = whole.get(Measure.DURATION, NOTHING)
    return Durations("", "", pace.n, pace.failed, *(pace.percentile(q) for q in (0.5, 0.9, 0.99)))


def in_progress(workspace_id: int) -> dict[tuple[int, str], int]:
    """Runs that are not over, by (workflow id, status running or waiting)."""
    found = Run.objects.filter(workspace_id=workspace_id, status__in=OPEN, merged_into=None)
    rows = found.values_list("workflow_id", "status").annotate(n=Count("id"))
    return {(workflow_id, status): n for workflow_id, status, n in rows}


def lines(
    workspace_id: int, booked: Mapping[int, Booked], progress: Mapping[tuple[int, str], int], q: str = ""
) -> list[WorkflowLine]:
    """`workflows`, from what was read already."""
    found = Workflow.objects.filter(workspace_id=workspace_id).order_by("name", "id")
    q = q.replace("\0", "")
    known = list(found.filter(name__icontains=q) if q else found)
    return _lines(workspace_id, known, booked, progress)


def _lines(
    workspace_id: int, rows: list[Workflow], booked: Mapping[int, Booked], progress: Mapping[tuple[int, str], int]
) -> list[WorkflowLine]:
    wanted = {step for row in rows if row.id in booked for step in booked[row.id].steps}
    names = {
        row[0]: (row[1], row[2])
        for row in StepName.objects.filter(workspace_id=workspace_id, id__in=wanted).values_list("id", "name", "owner")
    }
    return [_line(row, booked.get(row.id, Booked()), names, progress) for row in rows]


def _line(
    row: Workflow,
    booked: Booked,
    names: Mapping[int, tuple[str, str]],
    progress: Mapping[tuple[int, str], int],
) -> WorkflowLine:
    whole = booked.of(Measure.DURATION)
    running, waiting = (progress.get((row.id, status), 0) for status in OPEN)
    steps = [_step(i, names[i], measures, whole.ms) for i, measures in booked.steps.items() if i in names]
    steps.sort(key=lambda step: (-(step.share_of_elapsed or 0), step.name, step.owner))
    return WorkflowLine(
        id=row.id,
        slug=row.slug,
        name=row.name,
        runs=whole.n,
        in_progress=running + waiting,
        waiting=waiting,
        failed=whole.failed,
        escalated=booked.of(Measure.ESCALATED).n,
        p10_ms=whole.percentile(0.1),
        p50_ms=whole.percentile(0.5),
        p90_ms=whole.percentile(0.9),
        p99_ms=whole.percentile(0.99),
        shares=_shares(booked),
        slowest=steps[0] if steps else None,
        steps=steps,
    )


def _shares(booked: Booked) -> Shares | None:
    agents, people, waiting = (booked.of(m).ms for m in (Measure.AGENTS, Measure.PEOPLE, Measure.WAITING))
    total = agents + people + waiting
    return Shares(agents / total, people / total, waiting / total) if total else None


def _step(step_id: int, name: tuple[str, str], measures: Mapping[int, Pace], elapsed_ms: int) -> StepFigure:
    work, wait = measures.get(Measure.WORK, NOTHING), measures.get(Measure.WAIT, NOTHING)
    return StepFigure(
        id=step_id,
        name=name[0],
        owner=name[1],
        started=work.n,
        finished=max(0, work.n - work.failed),
        failed=work.failed,
        wait_p50_ms=wait.percentile(0.5),
        work_p50_ms=work.percentile(0.5),
        wait_p95_ms=wait.percentile(0.95),
        work_p95_ms=work.percentile(0.95),
        share_of_elapsed=min(1.0, (work.ms + wait.ms) / elapsed_ms) if elapsed_ms else None,
        split=_split(name[1] == PEOPLE, (work.ms, wait.ms, measures.get(Measure.RETRY, NOTHING).ms), elapsed_ms),
    )


def _split(people: bool, spent_ms: tuple[int, int, int], elapsed_ms: int) -> Split:
    """`spent_ms` is work, wait, and retries, which are part of work."""
    work, wait, retry = spent_ms
    if not elapsed_ms:
        return Split()
    if people:
        return Split(people=(work + wait) / elapsed_ms)
    retry = min(retry, work)
    return Split(wait / elapsed_ms, (work - retry) / elapsed_ms, 0.0, retry / elapsed_ms)
