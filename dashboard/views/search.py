"""`/search/?q=`: the jump list. Places, agents, workflows, policies, then acts, then runs; an id goes straight to its
run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.db.models import Case, IntegerField, Q, QuerySet, TextField, When
from django.db.models.functions import Cast
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.acts import acts
from dashboard.places import open_places
from orchestration.lib.fragments import render_page_or_fragment, wanted
from orchestration.lib.templatetags.baton import short
from orchestration.policies.models import Policy
from orchestration.registry.models import Agent
from orchestration.workflows import runs
from orchestration.workflows.models import Run, Workflow
from orchestration.workflows.run_search import find_run, has_none
from orchestration.workspaces.current import MEMBER, Here, needs

LONGEST = 200  # signs of a question
FUZZY = range(3, 25)  # a question as long as this may be letters of a name
MOST = 6  # of each kind
NEWEST = 5_000  # runs whose titles are read for a jump; the list of runs looks at all
NOWHERE = 3  # the rank of what does not fit
HEX = re.compile("[0-9a-fA-F-]{4,36}")
M = TypeVar("M", Agent, Workflow, Policy)


@dataclass(frozen=True, slots=True)
class Hit:
    href: str
    icon: str
    text: str
    kind: str
    foreign: bool = True  # its text came from telemetry
    posts: bool = False  # it is pressed, not opened


@dataclass(frozen=True, slots=True)
class Hits:
    """What was found, under one heading."""

    label: str
    items: list[Hit]


@require_safe
@needs(MEMBER)
def page(request: Here) -> HttpResponse:
    q = "".join(filter(str.isprintable, request.GET.get("q", "")[:LONGEST])).strip()
    if straight := run_called(request, q):
        return go(request, straight)
    found = [each for each in (go_to(request, q), to_do(request, q), newest(request, q)) if each.items]
    context = {"q": q, "found": found, "count": sum(len(each.items) for each in found)}
    return render_page_or_fragment(
        request, "dashboard/search.html", {"results": "dashboard/_search_results.html"}, context
    )


def go(request: Here, address: str) -> HttpResponse:
    return HttpResponse(headers={"HX-Redirect": address}) if wanted(request) else HttpResponseRedirect(address)


def run_called(request: Here, q: str) -> str:
    """The address of the run with this id, or with this trace id. A run of another workspace of this person has one
    too: its page offers to switch."""
    text = q.lower()
    if len(text.replace("-", "")) != 32:
        return ""
    found = find_run(request.workspace.pk, text) or _elsewhere(request, text)
    if found is None and has_none(request.workspace.pk, text):
        return reverse("dashboard:run_of_trace", args=[text])  # says why there is none
    return reverse("dashboard:run", args=[found]) if found else ""


def _elsewhere(request: Here, text: str) -> UUID | None:
    others = [each.workspace_id for each in request.memberships if each != request.membership]
    try:
        run_id = UUID(text)
    except ValueError:
        return None
    return run_id if Run.objects.filter(workspace_id__in=others, id=run_id).exists() else None


def go_to(request: Here, q: str) -> Hits:
    """Places, agents, workflows and policies: those that begin so first, then those that hold it, then those that only
    have its letters in this order."""
    space, hits = request.workspace.pk, list(_places(request, q))
    if q:
        agents = Agent.objects.filter(workspace_id=space).select_related("application")
        hits += [_agent(each) for each in ranked(agents, q)]
        hits += [_workflow(each) for each in ranked(Workflow.objects.filter(workspace_id=space), q)]
        hits += [_policy(each) for each in ranked(Policy.objects.filter(workspace_id=space), q)]
        hits.sort(key=lambda hit: _rank(hit.text, q))
    return Hits("Go to", hits)


def _places(request: Here, q: str) -> Iterable[Hit]:
    for place, href in open_places(request):
        if _rank(place.label, q) < NOWHERE:
            yield Hit(href, place.icon, place.label, place.group if q else "", foreign=False)


def to_do(request: Here, q: str) -> Hits:
    """Acts by what they are called, then by other words for them; without a question those on the page in view."""
    ranks = {act: min(_rank(act.label, q), 1 + _rank(act.also, q)) for act in acts(request) if q or act.near}
    fits = sorted((act for act, rank in ranks.items() if rank < NOWHERE), key=lambda act: ranks[act])
    return Hits("Do", [Hit(act.href, act.icon, act.label, act.hint, False, act.posts) for act in fits])


def _agent(agent: Agent) -> Hit:
    return Hit(reverse("dashboard:agent", args=[agent.slug]), "agent", agent.name, f"Agent, {agent.application}")


def _workflow(flow: Workflow) -> Hit:
    return Hit(reverse("dashboard:workflow", args=[flow.slug]), "flow", flow.name, "Workflow")


def _policy(policy: Policy) -> Hit:
    kind = f"Policy, v{policy.live}" if policy.live else "Policy, not live"
    return Hit(reverse("dashboard:policy", args=[policy.slug]), "policy", policy.name, kind, foreign=False)


def _rank(text: str, q: str) -> int:
    text, q = text.casefold(), q.casefold()
    if text.startswith(q):
        return 0
    if q in text:
        return 1
    letters = iter(text)
    return 2 if len(q) in FUZZY and all(sign in letters for sign in q) else NOWHERE


def ranked(rows: QuerySet[M], q: str) -> QuerySet[M]:
    """The rows whose name or slug fits best."""
    fits = Q(name__icontains=q) | Q(slug__icontains=q)
    near = fits | Q(name__iregex=".*".join(map(re.escape, q))) if len(q) in FUZZY else fits
    rank = Case(When(name__istartswith=q, then=0), When(fits, then=1), default=2, output_field=IntegerField())
    return rows.filter(near).annotate(rank=rank).order_by("rank", "name", "id")[:MOST]


def newest(request: Here, q: str) -> Hits:
    """Runs by title or by what an id ends with; without a question the newest ones."""
    space = request.workspace.pk
    recent = Run.objects.filter(workspace_id=space, merged_into=None).order_by("-started_at", "-id")
    if q:
        oldest = recent.values_list("started_at", flat=True)[NEWEST : NEWEST + 1].first()
        bound = recent.filter(started_at__gt=oldest) if oldest else recent
        said = Q(title__icontains=q) | Q(external_key__istartswith=q)
        if HEX.fullmatch(q):
            bound = bound.annotate(text=Cast("id", TextField()))
            said |= Q(text__endswith=q.lower()) | Q(text__startswith=q.lower())
        recent = bound.filter(said)
    lines = runs.lines(space, list(recent[:MOST]))
    return Hits("Runs" if q else "Recent", [_run(line) for line in lines])


def _run(line: runs.RunLine) -> Hit:
    title = line.title or line.workflow or "Run"
    words = [line.workflow if line.workflow != title else "", short(line.id), line.status]
    return Hit(reverse("dashboard:run", args=[line.id]), "run", title, ", ".join(filter(None, words)))
