"""One workflow taken apart: its steps in the order of the process, how its durations are spread over time, its slowest
runs and what they share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from orchestration.lib.window import POINTS
from orchestration.registry.models import Agent
from orchestration.telemetry import parts, sums
from orchestration.telemetry.sums import Between
from orchestration.workflows import paces, runs
from orchestration.workflows.booking import WORKFLOWS
from orchestration.workflows.fold import fold
from orchestration.workflows.fold_times import PEOPLE
from orchestration.workflows.groups import traces_of_run
from orchestration.workflows.models import Measure, Run, RunStatus
from orchestration.workflows.paces import Pace
from orchestration.workflows.reading import steps_of
from orchestration.workflows.runs import RunLine, Wanted
from orchestration.workflows.stats import StepFigure

EXAMPLE_STEPS = 2_000  # of the run that tells the order of steps
SLOWEST = 10
COMPARED = 500  # newest runs that the slowest are set against
MOST_OF = 0.7  # of the slowest runs share it
TIMES_USUAL = 1.5  # and this much more often than others
_TREND = ("sum(n)", "sum(ms)")


@dataclass(frozen=True, slots=True)
class Shared:
    """What most of the slowest runs have in common. `of` runs of the slowest, and which part of those compared."""

    what: str  # asked | failed_tool | retried | failed | agent | handed
    name: str  # of the agent
    count: int
    of: int
    usual: float


def in_order(workspace_id: int, workflow_id: int, steps: Sequence[StepFigure]) -> list[StepFigure]:
    """The steps as the newest completed run went through them; those it did not have last, slowest first."""
    newest = Run.objects.filter(
        workspace_id=workspace_id,
        workflow_id=workflow_id,
        status=RunStatus.COMPLETED,
        merged_into=None,
        spans__lte=EXAMPLE_STEPS,
    ).order_by("-started_at", "-id")
    row = newest.only("id").first()
    if row is None:
        return list(steps)
    story = fold(steps_of(workspace_id, [trace.bounds for trace in traces_of_run(workspace_id, row.id)]))
    place = {(step.name, step.owner): i for i, step in enumerate(story.steps)}
    return sorted(
        steps, key=lambda step: (place.get((step.name, step.owner), len(place)), -(step.share_of_elapsed or 0))
    )


def owners(workspace_id: int, steps: Sequence[StepFigure]) -> dict[str, str]:
    """What kind of thing each owner is: people, agent or system."""
    names = {step.owner for step in steps}
    agents = set(Agent.objects.filter(workspace_id=workspace_id, name__in=names).values_list("name", flat=True))
    return {name: "people" if name == PEOPLE else "agent" if name in agents else "system" for name in names}


def trends(workspace_id: int, workflow_id: int, between: Between) -> dict[int, list[float | None]]:
    """By step, its work and waiting in each part of the window, in ms a time that it was done."""
    columns = ("workflow_id", "step_id", "measure", "n", "ms")
    rows = parts.in_parts(WORKFLOWS, workspace_id, between, POINTS, columns)
    where = "workflow_id = %s and step_id <> 0 and measure in (%s, %s)"
    params = [workflow_id, int(Measure.WORK), int(Measure.WAIT)]
    spent: dict[tuple[int, int], int] = {}
    times: dict[tuple[int, int], int] = {}
    for place, step_id, measure, n, ms in parts.summed(rows, ("step_id", "measure"), _TREND, where, params):
        spent[step_id, place] = spent.get((step_id, place), 0) + sums.count(ms)
        if measure == Measure.WORK:  # of waiting only the times are booked in which there was some
            times[step_id, place] = sums.count(n)
    found: dict[int, list[float | None]] = {}
    for (step_id, place), count in times.items():
        if count:
            found.setdefault(step_id, [None] * POINTS)[place] = spent[step_id, place] / count
    return found


def course(workspace_id: int, workflow_id: int, between: Between, points: int) -> list[Pace]:
    """How long runs took, in equal parts of the window."""
    wanted = [(Measure.DURATION, 0)]
    (found,) = paces.by_parts(workspace_id, between, wanted, workflow_id=workflow_id, points=points)
    return found


def adds(pace: Pace, q: float, ended: int) -> float:
    """What a step adds to the q-quantile run, in ms: runs that went without the step count as none."""
    had = sum(max(0, count or 0) for count in pace.counts)
    among = 1 - (1 - q) * ended / had if had else 0.0
    return (pace.percentile(among) or 0.0) if among > 0 else 0.0


def slowest(workspace_id: int, slug: str, since: datetime) -> list[RunLine]:
    """The runs that took longest, of those that began since."""
    return runs.listed(workspace_id, Wanted(workflow=slug, since=since), sort="took", limit=SLOWEST).items


def shared(workspace_id: int, workflow_id: int, slow: Sequence[RunLine]) -> list[Shared]:
    """What they share and others do not, the most common first. Says nothing of fewer than five runs."""
    if len(slow) < SLOWEST // 2:
        return []
    newest = Run.objects.filter(workspace_id=workspace_id, workflow_id=workflow_id, merged_into=None)
    ids = list(newest.order_by("-started_at", "-id").values_list("id", flat=True)[:COMPARED])
    names = [agent for line in slow for agent in {each.slug for each in line.agent_list}]
    often = {slug for slug in names if names.count(slug) >= MOST_OF * len(slow)}
    agents = {row.slug: row for row in Agent.objects.filter(workspace_id=workspace_id, slug__in=often)}
    usual = _usual(workspace_id, ids, {slug: row.pk for slug, row in agents.items()})
    found = [
        Shared(what, "", sum(bool(has) for has in values), len(slow), usual[what])
        for what, values in (
            ("asked", [line.escalations for line in slow]),
            ("failed_tool", [line.tool_failures for line in slow]),
            ("retried", [line.retries for line in slow]),
            ("failed", [line.status == "failed" for line in slow]),
        )
    ]
    found += [Shared("agent", agents[slug].name, names.count(slug), len(slow), usual[slug]) for slug in agents]
    telling = [
        each for each in found if each.count >= MOST_OF * each.of and each.count / each.of >= TIMES_USUAL * each.usual
    ]
    return sorted(telling, key=lambda each: (-each.count, each.usual))


def _telling(each: Shared) -> bool:
    part = each.count / each.of
    return part >= MOST_OF and part >= TIMES_USUAL * each.usual


def _usual(workspace_id: int, ids: Sequence[object], agents: dict[str, int]) -> dict[str, float]:
    """Which part of the runs compared has each of these."""
    counts = Run.objects.filter(workspace_id=workspace_id, id__in=ids).aggregate(
        asked=Count("id", filter=Q(escalations__gt=0)),
        failed_tool=Count("id", filter=Q(tool_failures__gt=0)),
        retried=Count("id", filter=Q(retries__gt=0)),
        failed=Count("id", filter=Q(status=RunStatus.FAILED)),
        **{f"agent_{pk}": Count("id", filter=Q(agents__contains=[pk])) for pk in agents.values()},
    )
    whole = max(1, len(ids))
    named = {slug: counts[f"agent_{pk}"] / whole for slug, pk in agents.items()}
    return {what: counts[what] / whole for what in ("asked", "failed_tool", "retried", "failed")} | named
