"""`/workflows/<slug>/learn/`: the path that its runs have in common, what it stands on and what it leaves out; made
into a draft by one press."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard.finding import Finding, foreign, say
from dashboard.workflow_declared import DeclaredPage, StepLine, declared_page, drawn, step_lines
from dashboard.workflow_picture import Picture
from orchestration.lib.pulse import publish as signal
from orchestration.lib.templatetags.baton import number, percent, plural
from orchestration.workflows import declared
from orchestration.workflows.declared_models import Origin
from orchestration.workflows.definition import BadDefinition
from orchestration.workflows.drafting import definition_of
from orchestration.workflows.kept_trails import SoFar, so_far
from orchestration.workflows.learning import ENOUGH, SURE, Learnt, learn
from orchestration.workflows.plans import Definition
from orchestration.workflows.trails import ACTS, TURNS
from orchestration.workspaces.current import MEMBER, Here, NotAllowed, needs

SHARES = (50, 70, 80, 90, 95)
LEVELS = ((ACTS, "what was done"), (TURNS, "whose turn it was"))
WHY = {
    "seldom": "in too few of the runs",
    "many": "more steps than one path may have",
    "circle": "this order would close a circle",
}
MOST_LEFT = 40


@dataclass
class LearnPage:
    """`share` in percent."""

    base: DeclaredPage
    level: str
    share: int

    @cached_property
    def found(self) -> Learnt:
        return learn(self.base.flow.workspace_id, self.base.flow.pk, self.level, self.share / 100)

    @cached_property
    def so_far(self) -> SoFar:
        return so_far(self.base.flow)

    @cached_property
    def made(self) -> Definition | None:
        try:
            return definition_of(self.found, self.base.flow.name) if self.found.enough else None
        except BadDefinition:
            return None

    @property
    def picture(self) -> Picture | None:
        return drawn(self.made) if self.made else None

    @property
    def lines(self) -> list[StepLine]:
        return step_lines(self.made) if self.made else []

    @property
    def finding(self) -> Finding:
        found, name = self.found, foreign(self.base.flow.name)
        if not found.enough:
            lede = f"{number(ENOUGH)} completed runs are needed before anything is said of a path."
            return Finding(
                say(f"{plural(found.runs, 'run is,runs are')} not enough to learn ", name, " from"), say(lede)
            )
        if not found.steps:
            lede = f"No step is in {self.share}% of {plural(found.runs, 'run,runs')}: a lower share may show some."
            return Finding(say("The runs of ", name, " have no path in common"), say(lede))
        fits = f"{number(found.fitting)} of {plural(found.runs, 'completed run,completed runs')}"
        lede = f"{plural(len(found.steps), 'step is,steps are')} in at least {self.share}% of them. {self._left}"
        return Finding(say(fits, " of ", name, " went exactly this way"), say(lede))

    @property
    def _left(self) -> str:
        n = sum(left.why == "seldom" for left in self.found.left)
        return f"{plural(n, 'other was,others were')} seen less often and left out." if n else "Nothing else was seen."

    @property
    def checks(self) -> list[str]:
        """What runs cannot tell, or only in part: a person has to."""
        said = []
        for seen in self.found.steps:
            if seen.human:
                said.append(f"{seen.name}: write down what the person reads, and who may decide it.")
            elif seen.tries > 1:
                said.append(f"{seen.name}: it was tried up to {seen.tries} times. Is doing it twice harmless?")
            if len(seen.owners) > 1:
                others = ", ".join(f"{name} {number(n)} times" for name, n in seen.owners)
                said.append(f"{seen.name}: done by {others}.")
            if seen.repeated:
                again = plural(seen.repeated, "run,runs")
                said.append(f"{seen.name}: {again} did it more than once; the draft does it once.")
            if not seen.human and seen.times < SURE:
                said.append(f"{seen.name}: its time limit is the longest of only {number(seen.times)} times.")
        return said

    @property
    def left(self) -> list[tuple[str, str, str]]:
        """What is not in the path: name, share, why."""
        runs = self.found.runs
        return [
            (left.name, f"{number(left.runs)} of {number(runs)} ({percent(left.runs / runs)})", WHY[left.why])
            for left in self.found.left[:MOST_LEFT]
        ]

    @property
    def shares(self) -> tuple[int, ...]:
        return SHARES

    @property
    def levels(self) -> tuple[tuple[str, str], ...]:
        return LEVELS


@require_http_methods(["GET", "HEAD", "POST"])
@needs(MEMBER)
def page(request: Here, slug: str) -> HttpResponse:
    base = declared_page(request, slug)
    asked = request.POST if request.method == "POST" else request.GET
    text, level = asked.get("share", ""), asked.get("level", "")
    share = int(text) if text in {str(each) for each in SHARES} else 80
    found = LearnPage(base, level if level in dict(LEVELS) else ACTS, share)
    if request.method == "POST":
        return drafted(request, found)
    return render(request, "dashboard/workflow_learn.html", {"page": found, "base": base, "flow": base.flow})


def drafted(request: Here, found: LearnPage) -> HttpResponse:
    """The path becomes the draft, unless somebody wrote one meanwhile."""
    if not request.is_admin:
        raise NotAllowed("admin")
    slug, made = found.base.flow.slug, found.made
    back = HttpResponseRedirect(reverse("dashboard:learn_workflow", args=[slug]))
    if made is None:
        messages.error(request, "There is no path that could be made into a draft.", extra_tags="crit")
        return back
    reason = f"Learnt from {plural(found.found.runs, 'run,runs')}, steps in at least {found.share}% of them"
    try:
        kept, by = found.base.draft, f"person:{request.user.get_username()}"
        if kept is None or kept.digest != declared.digest_of(made):
            seen = request.POST.get("seen", "")
            kept = declared.save(request.workspace.pk, made, by, origin=Origin.LEARNT, reason=reason, seen=seen)
    except declared.NotNow as error:
        messages.error(request, f"Nothing was changed. {error}", extra_tags="crit")
        return back
    signal(request.workspace.pk, "workflow")
    messages.success(request, f"Made v{kept.number}, a draft. Nothing runs by it yet.", extra_tags="ok")
    return HttpResponseRedirect(reverse("dashboard:edit_workflow", args=[slug]))
