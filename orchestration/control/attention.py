"""What needs a person now, in the order of what waiting costs.

The cost is told in one unit for all kinds: how many runs or calls an hour more of it holds up. A run that waits or has
stalled is one; a system that fails holds up as many calls as have failed on it within the last hour; late figures hold
up whoever looks at any run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db.models import Count, Min, Q

from orchestration.autonomy import lists
from orchestration.autonomy.models import Action, Cause
from orchestration.autonomy.models import State as Acted
from orchestration.control import health_figures, held, usage
from orchestration.control.states import Signs, signs_of, state_of
from orchestration.control.usage import Use
from orchestration.lib.stats import ENOUGH, wilson
from orchestration.registry.models import Agent, System
from orchestration.workflows import paces
from orchestration.workflows.models import Measure, Run, RunStatus, Workflow
from orchestration.workflows.stats import WorkflowLine

LATELY = timedelta(hours=1)  # failures of this time are failures now
DAY = timedelta(days=1)  # what has been still for longer is no news
LATE_S = 30.0  # data that waits longer to be shown is late
SURELY = 0.1  # a lower bound of the failure rate above this needs somebody
MINUTES = 60  # of an hour, in each of which who goes in circles calls as often again
MOST_ACTS = 100
MOST_SILENT = 2  # of one kind told one by one; more are told together

NeedKind = Literal[
    "late", "overdue", "runaway", "acts", "asked", "stalled", "silent", "system", "agent", "workflow", "asks"
]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that needs somebody. `kind`: late | overdue (holds) | runaway | acts (that wait for a word, or were
    given up) | asked | stalled | silent | system | agent | workflow (these three fail) | asks (people, most often).
    `subject` is whom it is about, "" where there are several."""

    kind: NeedKind
    subject: str
    slug: str
    count: int  # of runs (asked, stalled, workflow), agents (silent), calls (system, agent) or spans (late)
    of: int  # out of so many, where it is a share
    agents: int  # that are struck
    since: datetime | None
    held_up: int  # runs or calls that an hour more of it costs
    detail: str = ""  # the last step heard of; of a runaway why, and in `state` whether it is paused
    state: str = ""


def attention(workspace_id: int, now: datetime, signs: Mapping[int, Signs] | None = None) -> list[Item]:
    """Everything that needs somebody, dearest first, then what has waited longest; of `signs_of` where they are
    known."""
    found = [
        *_late(workspace_id, now),
        *_overdue(workspace_id, now),
        *_acts(workspace_id),
        *_still(workspace_id, now),
        *_silent(workspace_id, now, signs_of(workspace_id) if signs is None else signs),
        *_failing_calls(workspace_id, now),
        *_failing_runs(workspace_id, now),
    ]
    return sorted(found, key=lambda item: (-item.held_up, item.since or now, item.kind, item.slug))


def _late(workspace_id: int, now: datetime) -> Iterator[Item]:
    waits_s = health_figures.oldest_waiting(workspace_id, now)
    if waits_s is None or waits_s < LATE_S:
        return
    held = Run.objects.filter(workspace_id=workspace_id, status__in=[RunStatus.RUNNING, RunStatus.WAITING]).count()
    backlog = health_figures.flow(workspace_id, LATELY, now).backlog
    yield Item("late", "", "", backlog, 0, 0, now - timedelta(seconds=waits_s), max(1, held))


def _overdue(workspace_id: int, now: datetime) -> Iterator[Item]:
    """Holds that nobody answered in time: each holds up its run."""
    late = held.late(workspace_id, now)
    if late:
        yield Item("overdue", "", "", late.count, 0, 0, late.since, late.count)


def _acts(workspace_id: int) -> Iterator[Item]:
    """Agents that ran away, while somebody should look at it; and acts that wait for a word or were given up."""
    paused = Q(state=Acted.DONE, stops__isnull=False)
    found = Action.objects.filter(workspace_id=workspace_id).filter(Q(state__in=lists.ATTENTION) | paused)
    other = 0
    first: datetime | None = None
    for action in found.order_by("created_at")[:MOST_ACTS]:
        if action.told.get("why") and action.cause == Cause.FINDING:
            calls = int(action.told.get("calls") or 1)
            told = (action.created_at, calls * MINUTES, action.reason, action.state)
            yield Item("runaway", action.name, str(action.pk), calls, 0, 1, *told)
        elif action.state != Acted.DONE:
            other, first = other + 1, first or action.created_at
    if other:
        yield Item("acts", "", "", other, 0, 0, first, other)


def _still(workspace_id: int, now: datetime) -> Iterator[Item]:
    """Runs that wait for a person, and runs of the last day that have stalled, by workflow."""
    runs = Run.objects.filter(workspace_id=workspace_id, merged_into=None)
    asked = _by_workflow(runs.filter(status=RunStatus.WAITING), "ended_at")
    stalled = _by_workflow(runs.filter(status=RunStatus.STALLED, started_at__gt=now - DAY), "heard_at")
    names = _workflows(workspace_id, [row[0] for row in (*asked, *stalled)])
    told: list[tuple[NeedKind, list[tuple[int, int, datetime]]]] = [("asked", asked), ("stalled", stalled)]
    for kind, rows in told:
        for workflow_id, n, since in rows:
            name, slug = names.get(workflow_id, ("", ""))
            yield Item(kind, name, slug, n, 0, 0, since, n)


def _by_workflow(runs: Any, since: str) -> list[tuple[int, int, datetime]]:
    return list(runs.values_list("workflow_id").annotate(n=Count("id"), since=Min(since)).order_by())


def _workflows(workspace_id: int, ids: list[int]) -> dict[int, tuple[str, str]]:
    rows = Workflow.objects.filter(workspace_id=workspace_id, id__in=ids).values_list("id", "name", "slug")
    return {row[0]: (row[1], row[2]) for row in rows}


def _silent(workspace_id: int, now: datetime, signs: Mapping[int, Signs]) -> Iterator[Item]:
    """Agents that fell silent within the last day."""
    quiet = {
        i: each for i, each in signs.items() if each.heard_at and not each.process and state_of(each, now) == "silent"
    }
    recent = {i: each for i, each in quiet.items() if each.heard_at and now - each.heard_at <= DAY}
    names = _agents(workspace_id, list(recent))
    items = [_quiet(names[i], recent[i]) for i in recent if i in names]
    if len(items) <= MOST_SILENT:
        yield from items
        return
    first = min(item.since or now for item in items)
    yield Item("silent", "", "", len(items), 0, len(items), first, sum(item.held_up for item in items))


def _quiet(name: tuple[str, str], signs: Signs) -> Item:
    return Item("silent", *name, 1, 0, 1, signs.heard_at, 1, signs.step)


def _agents(workspace_id: int, ids: list[int]) -> dict[int, tuple[str, str]]:
    rows = Agent.objects.filter(workspace_id=workspace_id, id__in=ids).values_list("id", "name", "slug")
    return {row[0]: (row[1], row[2]) for row in rows}


def _failing_calls(workspace_id: int, now: datetime) -> Iterator[Item]:
    """Systems on which calls surely fail; and agents whose calls fail elsewhere: what a system explains is told once,
    as its cause."""
    rows = usage.rows_between(workspace_id, now - LATELY, now)
    uses = usage.by(rows, ("system_id", "agent_id"))
    systems: dict[int, dict[int, Use]] = {}
    for (system_id, agent_id), use in uses.items():
        systems.setdefault(system_id, {})[agent_id] = use
    failing = {i: users for i, users in systems.items() if i and surely(usage.total(users.values()))}
    labels = System.objects.filter(workspace_id=workspace_id).in_bulk(list(failing))
    for i, row in labels.items():
        use, struck = (
            usage.total(failing[i].values()),
            [who for who, each in failing[i].items() if who and each.failures],
        )
        yield Item("system", row.name, row.slug, use.failures, use.n, len(struck), None, use.failures)
    yield from _failing_agents(workspace_id, {i: users for i, users in systems.items() if i not in failing})


def _failing_agents(workspace_id: int, systems: Mapping[int, Mapping[int, Use]]) -> Iterator[Item]:
    agents: dict[int, list[Use]] = {}
    for users in systems.values():
        for agent_id, use in users.items():
            agents.setdefault(agent_id, []).append(use)
    failing = {i: use for i, each in agents.items() if i and surely(use := usage.total(each))}
    for i, name in _agents(workspace_id, list(failing)).items():
        use = failing[i]
        yield Item("agent", *name, use.failures, use.n, 1, None, use.failures)


def _failing_runs(workspace_id: int, now: datetime) -> Iterator[Item]:
    """Workflows whose runs surely fail."""
    booked = paces.by_workflow(paces.rows_between(workspace_id, now - LATELY, now), steps=False)
    ended = {i: each.of(Measure.DURATION) for i, each in booked.items()}
    failing = {i: pace for i, pace in ended.items() if surely(Use(pace.n, pace.failed))}
    for i, (name, slug) in _workflows(workspace_id, list(failing)).items():
        yield Item("workflow", name, slug, failing[i].failed, failing[i].n, 0, None, failing[i].failed)


def asks_most(lines: Iterable[WorkflowLine]) -> Item | None:
    """The workflow most of whose runs asked a person: where people may have most to stop deciding."""
    asked = [line for line in lines if line.escalated and line.runs >= ENOUGH]
    most = max(asked, key=lambda line: (line.escalated, line.slug), default=None)
    return Item("asks", most.name, most.slug, most.escalated, most.runs, 0, None, most.escalated) if most else None


def surely(use: Use) -> bool:
    """Whether enough calls are known, and so many of them failed that chance does not explain it."""
    bounds = wilson(min(use.failures, use.n), use.n)
    return use.n >= ENOUGH and bounds is not None and bounds[0] > SURELY
