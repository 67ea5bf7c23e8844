"""`/agents/`: the fleet as it is now: who is at work, at what, for whom is waited, and how often does it fail?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from dashboard.charts.lines import Spark, spark
from dashboard.finding import Finding, Part, foreign, say
from dashboard.links import Links
from dashboard.narrowing import (
    Chip,
    Column,
    Pages,
    address_of,
    chips,
    columns,
    kept,
    page_number,
    span_words,
    terms,
    text_of,
)
from dashboard.period import Period, period_of
from orchestration.autonomy import stops
from orchestration.autonomy.models import Kind
from orchestration.control import fleet, usage
from orchestration.control.fleet import AGENT_SORTS, AgentLine
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.lib.paging import BadCursor, cut, to_cursor
from orchestration.lib.stats import ENOUGH
from orchestration.lib.templatetags.baton import ago, number, percent, plural
from orchestration.workflows import runs
from orchestration.workspaces.current import MEMBER, Here, needs

STATES = ("working", "waiting", "idle", "held", "silent", "quarantined")
FIELDS = ("state", "application", "version")
LIMIT = 50
SUCCESS = (0.6, 1.0)  # between which the small lines are drawn
MUCH = 0.05  # a failure rate above which an agent stands out
HEADS = (
    ("Agent", "name", False, True),
    ("State", "state", False, True),
    ("At work on", "", False, False),
    ("Calls", "calls", True, False),
    ("Fails", "failure_rate", True, True),
    ("Success", "", False, False),
    ("p90 turn", "p90_ms", True, False),
    ("Cost", "cost", True, False),
    ("Version", "", False, False),
    ("Last heard", "last_seen", True, False),
)


@dataclass(frozen=True, slots=True)
class AgentRow:
    line: AgentLine
    words: str  # what the state means: for whom is waited, how long it has been quiet
    case: str  # title of the run it is at
    success: Spark
    fails_much: bool


@dataclass(frozen=True, slots=True)
class FleetPage:
    rows: list[AgentRow]
    finding: Finding
    columns: list[Column]
    chips: list[Chip]
    kept: list[tuple[str, str]]
    pages: Pages
    states: list[tuple[str, int]]  # and how many agents are in each
    state: str
    q: str
    narrowed: bool


@require_safe
@needs(MEMBER)
def listing(request: Here) -> HttpResponse:
    period = period_of(request)
    context = {"page": fleet_page(request, period), "period": period}
    return render_page_or_fragment(request, "dashboard/agents.html", {"fleet": "dashboard/_agents_rows.html"}, context)


def fleet_page(request: Here, period: Period) -> FleetPage:
    q = text_of(request, "q")
    words, fields = terms(q, FIELDS)
    asked = {field: (fields.get(field, "") or text_of(request, field)).casefold() for field in FIELDS}
    sort = text_of(request, "sort")
    sort = sort if sort in AGENT_SORTS else "name"
    every = fleet.agents(request.workspace.pk, period.window, period.until, q=words, sort=sort)
    found = [line for line in every if fits(line, asked)]
    try:
        page = cut(found, LIMIT, request.GET.get("cursor") or None)
    except BadCursor as error:
        raise BadRequest("The cursor is not one that this list gave out.") from error
    return FleetPage(
        rows=agent_rows(request, page.items, period),
        finding=finding(every, Links(period.text)),
        columns=columns(request, HEADS, sort),
        chips=chips(request, [("application", "Application"), ("version", "Version")]),
        kept=kept(request, ("range", "sort", "application", "version")),
        pages=pages(request, len(page.items), len(found), page.next),
        states=[(state, sum(line.state == state for line in every)) for state in STATES],
        state=asked["state"],
        q=q,
        narrowed=bool(words) or any(asked.values()),
    )


def fits(line: AgentLine, asked: dict[str, str]) -> bool:
    return (
        asked["state"] in ("", line.state)
        and asked["application"] in ("", line.application.casefold())
        and asked["version"] in ("", line.version.casefold())
    )


def pages(request: Here, shown: int, counted: int, after: str | None) -> Pages:
    at = page_number(request) if request.GET.get("cursor") else 1
    newer = ""
    if at == 2:
        newer = address_of(request)
    elif at > 2:
        newer = address_of(request, cursor=to_cursor([(at - 2) * LIMIT]), page=str(at - 1))
    older = address_of(request, cursor=after, page=str(at + 1)) if after else ""
    return Pages(span_words(at, LIMIT, shown, counted), newer, older)


def agent_rows(request: Here, lines: Sequence[AgentLine], period: Period) -> list[AgentRow]:
    titles = runs.titles(request.workspace.pk, {line.current.run for line in lines if line.current})
    courses = usage.courses(request.workspace.pk, (period.since, period.until))
    halted = stops.agents_by_kind(request.workspace.pk)
    rows = []
    for line in lines:
        course = courses.get(line.row, usage.STILL)
        success = [1 - min(f, n) / n if n else None for n, f in zip(course.calls, course.failures, strict=True)]
        much = fails_much(line)
        case = titles.get(line.current.run, "") if line.current else ""
        said = state_words(line, halted.get(line.row, ()))
        rows.append(AgentRow(line, said, case, spark(success, "fail" if much else "agent", SUCCESS), much))
    return rows


def fails_much(line: AgentLine) -> bool:
    return line.calls >= ENOUGH and line.interval is not None and line.interval[0] > MUCH


def state_words(line: AgentLine, halted: Collection[str] = ()) -> str:
    """What stands beside the state: that it was paused or is supervised, or for whom it waits."""
    for kind, words in ((Kind.PAUSE, "paused"), (Kind.SUPERVISE, "supervised")):
        if kind in halted:
            return words
    if line.state == "waiting":
        return "for a person"
    if line.state == "silent" and line.last_seen:
        return ago(line.last_seen).removesuffix(" ago")
    return ""


def finding(lines: Sequence[AgentLine], links: Links) -> Finding:
    """The state of the fleet in a sentence, the first that holds, and who fails most."""
    if not lines:
        return Finding(say("No agent has been heard of"))
    by_state = {state: [line for line in lines if line.state == state] for state in STATES}
    at_work = len(by_state["working"]) + len(by_state["waiting"]) + len(by_state["held"])
    rest = f"{number(at_work)} of {plural(len(lines), 'agent is,agents are')} active"
    for state, words in (("quarantined", "quarantined"), ("silent", "silent"), ("held", "held until a person answers")):
        if len(by_state[state]) == 1:
            (one,) = by_state[state]
            return Finding(say(foreign(one.name), f" is {words}"), say(f"{rest}. ", *_worst(lines, links)))
        if by_state[state]:
            title = say(f"{number(len(by_state[state]))} agents are {words}")
            return Finding(title, say(f"{rest}. ", *_worst(lines, links)))
    return Finding(say(rest), _worst(lines, links))


def _worst(lines: Sequence[AgentLine], links: Links) -> tuple[Part, ...]:
    """The agent that surely fails most."""
    judged = [line for line in lines if line.calls >= ENOUGH and line.interval and line.failures]
    if not judged:
        return say("None of them fails often enough to tell.")
    worst = max(judged, key=lambda line: line.interval[0] if line.interval else 0)
    return say(
        foreign(worst.name, links.agent(worst.id)),
        f" fails most: {percent(worst.failure_rate)} of {plural(worst.calls, 'call,calls')}.",
    )
