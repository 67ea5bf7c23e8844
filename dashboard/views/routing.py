"""`/routing/`: which work goes to whom and why, how reliable each agent is on each system, which paths are broken."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard import routing_words as words
from dashboard.action_forms import LASTS
from dashboard.narrowing import text_of
from dashboard.routing_forms import BoundsForm, MoveForm
from dashboard.views.action_steps import say_done
from dashboard.views.agent import Cell, shade
from orchestration.autonomy import ordering, work
from orchestration.autonomy.aims import aim
from orchestration.autonomy.models import Kind, Target
from orchestration.autonomy.ordering import Refused, Wish
from orchestration.control import route_figures
from orchestration.control.route_figures import Figures, MovedWork, Record
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.lib.stats import ENOUGH
from orchestration.lib.templatetags.baton import NO_VALUE, number
from orchestration.routing import limits
from orchestration.routing.models import Breaker, Choice, Slice
from orchestration.workspaces.current import MEMBER, Here, needs

KINDS = (
    ("", "All calls"),
    ("tool", "Tools"),
    ("llm", "Model calls"),
    ("retrieval", "Retrieval"),
    ("embedding", "Embedding"),
)
MOST_AGENTS, MOST_SYSTEMS = 30, 8


@dataclass(frozen=True, slots=True)
class Heat(Cell):
    circuit: str = ""  # in words, where it is not closed
    tone: str = ""


@dataclass(frozen=True, slots=True)
class AgentRow:
    name: str
    slug: str
    cells: list[Heat]


@dataclass(frozen=True, slots=True)
class MoveRow:
    move: MovedWork
    before: str
    after: str
    saved: str


@dataclass(frozen=True, slots=True)
class CircuitRow:
    row: Breaker
    label: str
    tone: str


@dataclass(frozen=True, slots=True)
class SliceRow:
    """`traits`: name, value, and of an agent the slug that leads to it."""

    row: Slice
    traits: list[tuple[str, str, str]]
    share: str
    rest: str
    evidence: str


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    choice: Choice
    agent: str
    what: str
    why: str


@require_safe
@needs(MEMBER)
def page(request: Here) -> HttpResponse:
    return shown(request)


def shown(
    request: Here, form: BoundsForm | None = None, moving: MoveForm | None = None, status: int = 200
) -> HttpResponse:
    kind = text_of(request, "kind")
    kind = kind if kind in dict(KINDS) else ""
    found = route_figures.figures(request.workspace.pk, kind)
    may = limits.bounds(request.workspace.pk)
    context = {
        "finding": words.finding(found),
        "heads": [name for name, _ in list(found.systems.values())[:MOST_SYSTEMS]],
        "rows": matrix(found),
        "left_out": (max(0, len(found.agents) - MOST_AGENTS), max(0, len(found.systems) - MOST_SYSTEMS)),
        "moves": [
            MoveRow(each, words.success(each.before), words.success(each.after), words.saved(each))
            for each in found.moves
        ],
        "circuits": [CircuitRow(row, words.LABELS[row.state], words.TONES[row.state]) for row in found.circuits],
        "proposed": found.proposed,
        "slices": [slice_row(each, {slug: name for name, slug in found.agents.values()}) for each in found.slices],
        "choices": [choice(each) for each in found.choices],
        "as_of": found.as_of,
        "kinds": KINDS,
        "kind": kind,
        "may": may,
        "form": form or BoundsForm.of(may),
        "moving": moving,
        "agents": route_figures.named_agents(request.workspace.pk) if request.is_operator else [],
        "systems": [(slug, name) for name, slug in found.systems.values()],
        "lasts": LASTS,
        "once": secrets.token_urlsafe(16),
    }
    regions = {"routes": "dashboard/_routing_now.html"}
    return render_page_or_fragment(request, "dashboard/routing.html", regions, context, status=status)


@require_POST
@needs("operator")
def move(request: Here) -> HttpResponse:
    """Whose work goes to whom; a double press is one move."""
    form = MoveForm(request.POST)
    if not form.is_valid():
        return shown(request, moving=form, status=422)
    said = form.cleaned_data
    target = aim(request.workspace.pk, Target.AGENT, said["agent"])
    if target is None:
        form.add_error("agent", "There is no such agent.")
        return shown(request, moving=form, status=422)
    key = f"form:{request.user.pk}:{said['once'] or secrets.token_hex(16)}:move:{target.id}"[:300]
    about = {name: said[name] for name in ("to", "system", "task")}
    actor = f"person:{request.user.get_username()}"
    wish = Wish(Kind.REROUTE, actor, key, said["reason"], said["minutes"], told={"about": about})
    try:
        say_done(request, work.carry_out_one(ordering.order(request.workspace.pk, wish, target)))
    except Refused as error:
        messages.error(request, str(error), extra_tags="crit")
    return HttpResponseRedirect(reverse("dashboard:routing"))


@require_POST
@needs("admin")
def bounds(request: Here) -> HttpResponse:
    """What routing may do unasked."""
    form = BoundsForm(request.POST)
    if not form.is_valid():
        return shown(request, form=form, status=422)
    limits.allow(request.workspace, form.may, f"person:{request.user.get_username()}")
    messages.success(request, "Saved what routing may do", extra_tags="ok")
    return HttpResponseRedirect(reverse("dashboard:routing"))


def matrix(found: Figures) -> list[AgentRow]:
    systems = list(found.systems)[:MOST_SYSTEMS]
    return [
        AgentRow(name, slug, [heat(found.records.get((agent, system))) for system in systems])
        for agent, (name, slug) in list(found.agents.items())[:MOST_AGENTS]
    ]


def heat(record: Record | None) -> Heat:
    """Success with its interval; without a rate where there are too few calls to tell."""
    if record is None:
        return Heat(NO_VALUE, "", "nil")
    circuit = "" if record.circuit == "closed" else words.LABELS[record.circuit].lower()
    tone = words.TONES[record.circuit] if circuit else ""
    if record.n < ENOUGH:
        few = f"{number(record.n - record.failures)} of {number(record.n)}"
        return Heat(few, "too few for a rate", "nil", circuit, tone)
    small = f"{record.low * 100:.0f} to {record.high * 100:.0f}, n={number(record.n)}"
    return Heat(f"{record.success * 100:.0f}%", small, shade(record.success), circuit, tone)


def slice_row(row: Slice, agents: Mapping[str, str]) -> SliceRow:
    """`agents`: names by slug."""
    traits, share, rest, evidence = words.slice_words(row)
    named = [
        (name, agents[value], value) if name == "agent" and value in agents else (name, value, "")
        for name, value in traits
    ]
    return SliceRow(row, named, share, rest, evidence)


def choice(row: Choice) -> ChoiceRow:
    asked, answer = row.asked, row.answer
    what = " on ".join(each for each in (asked.get("task"), asked.get("system")) if each) or "work of any kind"
    return ChoiceRow(row, str(answer.get("agent") or ""), what, str(answer.get("why") or ""))
