"""`/workflows/<slug>/triggers/`: what starts its runs by itself, when it did, what was missed; paused and resumed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.finding import Finding, foreign, say
from dashboard.workflow_declared import DeclaredPage, declared_page
from orchestration.control import firing
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.lib.pulse import publish as signal
from orchestration.lib.templatetags.baton import number, plural
from orchestration.workflows import arming
from orchestration.workflows.declared import REASON_CHARS
from orchestration.workflows.fired import Fired, Standing, circle, fired, triggers_of
from orchestration.workspaces.current import MEMBER, Here, needs

FRAGMENTS = {"triggers": "dashboard/_workflow_triggers.html"}
TONES = {"started": "ok", "waiting": "accent", "missed": "human", "refused": "crit", "limited": "crit"}


@dataclass
class TriggersPage:
    base: DeclaredPage

    @cached_property
    def rows(self) -> list[Standing]:
        return triggers_of(self.base.definition) if self.base.definition else []

    @cached_property
    def firings(self) -> list[tuple[Fired, str]]:
        """The newest, with their colour."""
        found = fired(self.base.definition) if self.base.definition else []
        return [(each, TONES[each.state]) for each in found]

    @cached_property
    def circle(self) -> list[str]:
        mine = self.base.definition
        return circle(mine.workspace_id, mine.name) if mine else []

    @property
    def live(self) -> list[Standing]:
        return [row for row in self.rows if row.live]

    @property
    def finding(self) -> Finding:
        name, live = foreign(self.base.flow.name), self.live
        paused = sum(row.paused_at is not None for row in live)
        if not live:
            return Finding(
                say("Nothing starts ", name, " by itself"), say("Its API does, and people. A version may say more.")
            )
        held = f", {number(paused)} of them paused" if paused else ""
        missed = sum(row.missed for row in live)
        lede = f"{plural(missed, 'time was,times were')} missed so far. " if missed else "Nothing was missed. "
        over = sum(row.limited > 0 for row in live)
        if over:
            held += f", {number(over)} of them over the limit"
            lede = "Look whether workflows start each other in a circle: what is over the limit starts nothing. "
        starts = plural(len(live), "trigger starts,triggers start")
        return Finding(say(starts, " ", name, f" by itself{held}"), say(f"{lede}Each occurrence starts one run."))


@require_safe
@needs(MEMBER)
def page(request: Here, slug: str) -> HttpResponse:
    base = declared_page(request, slug)
    context = {"page": TriggersPage(base), "base": base, "flow": base.flow, "deep": firing.DEEP}
    return render_page_or_fragment(request, "dashboard/workflow_triggers.html", FRAGMENTS, context)


@require_POST
@needs("operator")
def pause(request: Here, slug: str) -> HttpResponse:
    base, trigger = _chosen(request, slug)
    reason = request.POST.get("reason", "").replace("\0", "").strip()[:REASON_CHARS]
    if not reason:
        messages.error(
            request, "Nothing was changed. Say in a sentence why: it stands in the ledger.", extra_tags="crit"
        )
        return _back(request, base)
    arming.pause(request.workspace.pk, trigger, _by(request), reason)
    messages.success(request, "Paused: nothing starts by it until it is resumed", extra_tags="ok")
    return _back(request, base)


@require_POST
@needs("operator")
def resume(request: Here, slug: str) -> HttpResponse:
    base, trigger = _chosen(request, slug)
    arming.resume(request.workspace.pk, trigger, _by(request))
    messages.success(request, "Resumed. What happened meanwhile starts nothing", extra_tags="ok")
    return _back(request, base)


def _chosen(request: Here, slug: str) -> tuple[DeclaredPage, UUID]:
    base = declared_page(request, slug)
    given = request.POST.get("trigger", "")
    known = {str(row.id): row.id for row in triggers_of(base.definition)} if base.definition else {}
    if given not in known:
        raise Http404("This workflow has no such trigger")
    return base, known[given]


def _by(request: Here) -> str:
    return f"person:{request.user.get_username()}"


def _back(request: Here, base: DeclaredPage) -> HttpResponse:
    signal(request.workspace.pk, "workflow")
    return HttpResponseRedirect(reverse("dashboard:workflow_triggers", args=[base.flow.slug]))
