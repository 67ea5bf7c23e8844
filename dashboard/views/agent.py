"""`/agents/<slug>/`: may this agent be trusted, on which systems, and what goes wrong?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard import standing
from dashboard.charts.lines import spark
from dashboard.finding import Finding, Part, foreign, say
from dashboard.period import Period, period_of
from dashboard.routing_words import LABELS, TONES
from dashboard.views.agents import fails_much, state_words
from orchestration.control import fleet, route_figures, usage
from orchestration.control.fleet import AgentLine
from orchestration.control.route_figures import Record
from orchestration.control.usage import CALLS, Use
from orchestration.lib.fragments import render_page_or_fragment, wanted
from orchestration.lib.stats import ENOUGH
from orchestration.lib.templatetags.baton import NO_VALUE, ago, number, percent, plural
from orchestration.registry.models import Agent, System
from orchestration.telemetry.spans import Kind
from orchestration.workflows import runs
from orchestration.workflows.causes import Causes, causes
from orchestration.workspaces.current import MEMBER, Here, needs, nothing_here

RECENT = 10
LISTED = 6  # causes
MOST_SYSTEMS = 20
HEADS: Mapping[Kind, str] = {
    Kind.LLM: "Model calls",
    Kind.TOOL: "Tools",
    Kind.RETRIEVAL: "Retrieval",
    Kind.EMBEDDING: "Embedding",
}

PEOPLE = (0, int(Kind.TOOL))  # calls of no system: what asked a person


@dataclass(frozen=True, slots=True)
class Cell:
    """How well calls go, as a shade with a figure; without a rate where there are too few to tell."""

    text: str
    small: str
    shade: str


@dataclass(frozen=True, slots=True)
class SystemRow:
    name: str  # "" for calls whose system is not known
    cells: list[Cell]
    total: Cell
    p95_ms: float | None
    expected: Cell  # weighed by age, and by what like agents and systems do
    circuit: str  # "" where it is closed
    tone: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """Systems by kinds of call."""

    heads: list[str]
    rows: list[SystemRow]
    left_out: int


@require_safe
@needs(MEMBER)
def detail(request: Here, slug: str) -> HttpResponse:
    period = period_of(request)
    found = fleet.agent(request.workspace.pk, slug, period.window, period.until)
    if found is None:
        raise nothing_here(request, Agent.objects.filter(slug=slug))
    context = {
        "agent": found.agent,
        "words": state_words(found.agent),
        "finding": finding(found.agent, period.words),
        "tone": tone(found.agent),
        "period": period,
        "kinds": found.kinds,
        "calls": spark(found.calls),
        "failures": spark(found.failures, "fail"),
    }
    if not (region := wanted(request)):
        context["standing"] = standing.of_agent(request, found.agent.row, found.agent.id)
    if region != "state":
        context["matrix"] = matrix_of(request, found.agent, period)
    if region not in ("state", "matrix"):
        context["recent"] = runs.runs(request.workspace.pk, agent=found.agent.id, limit=RECENT).items
        context["causes"] = causes_of(request, found.agent, period)
    fragments = {
        "state": "dashboard/_agent_head.html",
        "matrix": "dashboard/_agent_systems.html",
        "causes": "dashboard/_agent_causes.html",
        "recent": "dashboard/_recent_runs.html",
    }
    return render_page_or_fragment(request, "dashboard/agent.html", fragments, context)


def causes_of(request: Here, agent: AgentLine, period: Period) -> Causes:
    found = causes(request.workspace.pk, agent.row, (agent.application, agent.name), period.since)
    return Causes(found.found[:LISTED], found.runs)


def matrix_of(request: Here, agent: AgentLine, period: Period) -> Matrix:
    found = usage.by_system(request.workspace.pk, agent.row, (period.since, period.until))
    uses = {key: use for key, use in found.items() if key != PEOPLE}
    systems = System.objects.filter(workspace=request.workspace, id__in={system for system, _ in uses})
    weighed = route_figures.of_agent(request.workspace.pk, agent.row)
    return matrix(uses, dict(systems.values_list("id", "name")), weighed)


def matrix(
    uses: Mapping[tuple[int, int], Use], names: Mapping[int, str], weighed: Mapping[int, Record] | None = None
) -> Matrix:
    kinds = [kind for kind in CALLS if any(each == kind for _, each in uses)]
    systems = sorted({system for system, _ in uses}, key=lambda i: (-sum_of(uses, i).n, names.get(i, "")))
    rows = []
    for system in systems[:MOST_SYSTEMS]:
        whole = sum_of(uses, system)
        cells = [cell(uses.get((system, kind))) for kind in kinds]
        record = (weighed or {}).get(system)
        circuit = LABELS[record.circuit] if record and record.circuit != "closed" else ""
        told = expected(record), circuit, TONES[record.circuit] if record else ""
        rows.append(SystemRow(names.get(system, ""), cells, cell(whole), whole.percentile(0.95), *told))
    return Matrix([HEADS[kind] for kind in kinds], rows, max(0, len(systems) - MOST_SYSTEMS))


def sum_of(uses: Mapping[tuple[int, int], Use], system: int) -> Use:
    return usage.total(use for (each, _), use in uses.items() if each == system)


def expected(record: Record | None) -> Cell:
    """What is to be expected of its next call there, with the interval of that."""
    if record is None or record.n < ENOUGH:
        return Cell(NO_VALUE, "", "nil")
    small = f"{record.low * 100:.0f} to {record.high * 100:.0f}"
    return Cell(f"{record.success * 100:.0f}%", small, shade(record.success))


def cell(use: Use | None) -> Cell:
    if use is None or not use.n:
        return Cell(NO_VALUE, "", "nil")
    if use.n < ENOUGH:
        return Cell(f"{number(use.n - use.failures)} of {number(use.n)}", "too few for a rate", "nil")
    success = 1 - use.failures / use.n
    return Cell(percent(success), number(use.n), shade(success))


def shade(success: float) -> str:
    """From red through grey to blue."""
    bounds: Sequence[tuple[float, str]] = ((0.7, "h0"), (0.85, "h1"), (0.93, "h2"), (0.98, "h3"))
    return next((name for bound, name in bounds if success < bound), "h4")


def tone(agent: AgentLine) -> str:
    """Of the note that says what stands out."""
    if agent.state in ("quarantined", "silent") or fails_much(agent):
        return "crit"
    if agent.state in ("held", "waiting"):
        return "human"
    return "ok" if agent.calls >= ENOUGH and not agent.failures else ""


def finding(agent: AgentLine, words: str) -> Finding:
    """What stands out about one agent, the first that holds."""
    name = foreign(agent.name)
    if agent.state == "quarantined":
        return Finding(say(name, " is quarantined"), _record(agent, words))
    if agent.state == "silent":
        return Finding(say(name, _silence(agent)), _record(agent, words))
    if agent.calls < ENOUGH:
        title = say(
            name,
            f" made {plural(agent.calls, 'call,calls')} in {words}" if agent.calls else f" made no call in {words}",
        )
        return Finding(title, say("Not enough calls to judge."))
    if agent.failures == 0:
        return Finding(say(name, f" has not failed in {number(agent.calls)} calls"), _record(agent, words))
    return Finding(say(name, f" fails {percent(agent.failure_rate)} of its calls"), _record(agent, words))


def _silence(agent: AgentLine) -> str:
    if agent.current or agent.last_seen is None:
        return " fell silent in the middle of a run"
    return f" has been silent for {ago(agent.last_seen).removesuffix(' ago')}, which is not usual for it"


def _record(agent: AgentLine, words: str) -> tuple[Part, ...]:
    if not agent.calls:
        return say(f"No call in {words}.")
    sure = ""
    if agent.interval and agent.calls >= ENOUGH:
        sure = f" (95% interval {agent.interval[0] * 100:.1f} to {agent.interval[1] * 100:.1f}%)"
    link = f"{reverse('dashboard:runs')}?agent={agent.id}"
    return say(
        f"{plural(agent.calls, 'call,calls')} in {words}, {number(agent.failures)} failed{sure}, in ",
        Part(plural(agent.runs, "run,runs"), link),
        ".",
    )
