"""`/agents/` and one of them: who is at work, at what, and how often does it fail?"""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.charts.lines import spark
from dashboard.finding import Finding, Part, foreign, say
from dashboard.period import period_of
from orchestration.control import fleet
from orchestration.control.fleet import AGENT_SORTS, AgentLine, SystemUse
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.lib.paging import BadCursor, cut
from orchestration.lib.templatetags.baton import ENOUGH, number, percent, plural, rate
from orchestration.registry.models import Agent
from orchestration.workflows import runs
from orchestration.workspaces.current import MEMBER, Here, needs, nothing_here

STATES = ("working", "waiting", "idle", "held", "silent", "quarantined")
LIMIT = 50
RECENT = 10
# Columns of the table: label, what they sort by ("" not at all), whether they hold numbers.
COLUMNS = (
    ("Agent", "name", False),
    ("State", "state", False),
    ("At work on", "", False),
    ("Calls", "calls", True),
    ("Fails", "failure_rate", True),
    ("p95", "p95_ms", True),
    ("Cost", "cost", True),
    ("Last seen", "last_seen", True),
)


@dataclass(frozen=True, slots=True)
class Column:
    label: str
    numeric: bool
    href: str
    sorted: str  # "" | ascending | descending


@dataclass(frozen=True, slots=True)
class Cell:
    """A system's row: how well calls of it go, as a shade with a figure in words."""

    use: SystemUse
    shade: str

    @property
    def success(self) -> float:
        return 1 - self.use.failures / self.use.calls


@require_safe
@needs(MEMBER)
def listing(request: Here) -> HttpResponse:
    period, q = period_of(request), request.GET.get("q", "").replace("\0", "")[:200]
    state = request.GET.get("state", "") if request.GET.get("state", "") in STATES else ""
    sort = request.GET.get("sort", "") if request.GET.get("sort", "") in AGENT_SORTS else "name"
    found = fleet.agents(request.workspace.pk, period.window, period.until, q=q, state=state, sort=sort)
    try:
        page = cut(found, LIMIT, request.GET.get("cursor") or None)
    except BadCursor as error:
        raise BadRequest("The cursor is not one that this list gave out.") from error
    context = {
        "agents": page.items,
        "count": len(found),
        "columns": columns(request, sort),
        "states": STATES,
        "state": state,
        "q": q,
        "sort": sort,
        "first": address_of(request, cursor="") if request.GET.get("cursor") else "",
        "next": address_of(request, cursor=page.next) if page.next else "",
        "period": period,
    }
    return render_page_or_fragment(request, "dashboard/agents.html", {"fleet": "dashboard/_agents_rows.html"}, context)


def columns(request: Here, sort: str) -> list[Column]:
    return [
        Column(
            label,
            numeric,
            address_of(request, sort=by, cursor="") if by else "",
            "" if by != sort else "ascending" if by == "name" else "descending",
        )
        for label, by, numeric in COLUMNS
    ]


def address_of(request: Here, **changed: str) -> str:
    query = request.GET.copy()
    for name, value in changed.items():
        query[name] = value
    for name in [name for name in query if not query[name]]:
        del query[name]
    return f"{request.path}?{query.urlencode()}" if query else request.path


@require_safe
@needs(MEMBER)
def detail(request: Here, slug: str) -> HttpResponse:
    period = period_of(request)
    found = fleet.agent(request.workspace.pk, slug, period.window, period.until)
    if found is None:
        raise nothing_here(request, Agent.objects.filter(slug=slug))
    recent = runs.runs(request.workspace.pk, agent=found.agent.id, limit=RECENT)
    context = {
        "agent": found.agent,
        "finding": finding(found.agent, period.words),
        "kinds": found.kinds,
        "systems": [Cell(use, shade(use)) for use in found.agent.systems],
        "calls": spark(found.calls),
        "failures": spark(found.failures, "fail"),
        "recent": recent.items,
        "period": period,
    }
    fragments = {
        "state": "dashboard/_agent_head.html",
        "matrix": "dashboard/_agent_systems.html",
        "recent": "dashboard/_recent_runs.html",
    }
    return render_page_or_fragment(request, "dashboard/agent.html", fragments, context)


def shade(use: SystemUse) -> str:
    """From red (60% and less succeed) through grey to blue; none below thirty calls, where a rate says little."""
    if use.calls < ENOUGH:
        return "nil"
    success = 1 - use.failures / use.calls
    return (
        "h0"
        if success < 0.7
        else "h1"
        if success < 0.85
        else "h2"
        if success < 0.93
        else "h3"
        if success < 0.98
        else "h4"
    )


def finding(agent: AgentLine, words: str) -> Finding:
    """What stands out about one agent, the first that holds."""
    name = foreign(agent.name)
    if agent.state == "quarantined":
        return Finding(say(name, " is quarantined"), _record(agent, words))
    if agent.state == "silent":
        return Finding(say(name, " fell silent in the middle of a run"), _record(agent, words))
    if agent.calls < ENOUGH:
        title = say(
            name,
            f" made {plural(agent.calls, 'call,calls')} in {words}" if agent.calls else f" made no call in {words}",
        )
        return Finding(title, say("Not enough calls to judge."))
    if agent.failures == 0:
        return Finding(say(name, f" has not failed in {number(agent.calls)} calls"), _record(agent, words))
    return Finding(say(name, f" fails {percent(agent.failure_rate)} of its calls"), _record(agent, words))


def _record(agent: AgentLine, words: str) -> tuple[Part, ...]:
    if not agent.calls:
        return say(f"No call in {words}.")
    sure = ""
    if agent.interval and agent.calls >= ENOUGH:
        sure = f" (95% interval {agent.interval[0] * 100:.1f} to {agent.interval[1] * 100:.1f}%)"
    link = f"{reverse('dashboard:runs')}?agent={agent.id}"
    return say(
        f"{plural(agent.calls, 'call,calls')} in {words}, {rate(agent.failures, agent.calls)} failed{sure}, in ",
        Part(plural(agent.runs, "run,runs"), link),
        ".",
    )
