"""`/workflows/<slug>/versions/`: what was declared, by whom and why; one version with its picture, as JSON, and against
another; and the presses that publish, retire, bring back and throw away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import orjson
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.policy_words import Line
from dashboard.proof import freshly_proven
from dashboard.workflow_declared import DeclaredPage, StepLine, declared_page, drawn, step_lines
from dashboard.workflow_picture import Picture
from dashboard.workflow_words import difference, read
from orchestration.control import declaring
from orchestration.lib.pulse import publish as signal
from orchestration.workflows import declared
from orchestration.workflows.declared import NotNow
from orchestration.workflows.declared_models import DefinitionState, DefinitionVersion
from orchestration.workspaces.current import MEMBER, Here, needs


class Waits(Exception):
    """Nothing was changed yet: another person has to agree."""


@dataclass
class VersionPage:
    """One version; `against` is what it is compared with."""

    base: DeclaredPage
    version: DefinitionVersion
    against: DefinitionVersion | None

    @property
    def picture(self) -> Picture | None:
        made = read(self.version.body)
        return drawn(made) if made else None

    @property
    def steps(self) -> list[StepLine]:
        made = read(self.version.body)
        return step_lines(made) if made else []

    @property
    def lines(self) -> list[Line]:
        return difference(self.against.body, self.version.body) if self.against else []

    @property
    def two(self) -> bool:
        return declaring.two_people(self.version.workspace_id)

    @property
    def changed(self) -> int:
        return sum(bool(line.sign) for line in self.lines)


@require_safe
@needs(MEMBER)
def listing(request: Here, slug: str) -> HttpResponse:
    base = declared_page(request, slug)
    return render(request, "dashboard/workflow_versions.html", {"base": base, "flow": base.flow})


@require_safe
@needs(MEMBER)
def version(request: Here, slug: str, number: int) -> HttpResponse:
    base = declared_page(request, slug)
    found = numbered(base, number)
    earlier = [each for each in base.versions if each.number < number]
    before = earlier[0] if earlier else None
    against = base.live if base.live and base.live.pk != found.pk else before
    page = VersionPage(base, found, against)
    return render(request, "dashboard/workflow_version.html", {"page": page, "base": base, "flow": base.flow})


@require_safe
@needs(MEMBER)
def diff(request: Here, slug: str, a: int, b: int) -> HttpResponse:
    base = declared_page(request, slug)
    page = VersionPage(base, numbered(base, b), numbered(base, a))
    return render(request, "dashboard/workflow_diff.html", {"page": page, "base": base, "flow": base.flow})


@require_safe
@needs(MEMBER)
def export(request: Here, slug: str, number: int) -> HttpResponse:
    """As JSON that the editor and the API take."""
    base = declared_page(request, slug)
    found = numbered(base, number)
    answer = HttpResponse(
        orjson.dumps(found.body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE),
        content_type="application/json",
    )
    answer["Content-Disposition"] = f'attachment; filename="{base.flow.slug[:80]}-v{number}.json"'
    return answer


@require_POST
@needs("admin")
@freshly_proven
def publish(request: Here, slug: str) -> HttpResponse:
    """A draft goes live. `digest`: what was looked at; another one now was not."""
    base, chosen = _chosen(request, slug)

    def go() -> str:
        if chosen.state == DefinitionState.LIVE:
            return f"v{chosen.number} is live."
        if chosen.digest != request.POST.get("digest", ""):
            raise NotNow(f"v{chosen.number} was changed meanwhile: look at it again.")
        _put_live(request, chosen)
        return f"Published v{chosen.number}: runs that start from now on go by it."

    return _stepped(request, base, go, chosen.number)


@require_POST
@needs("admin")
@freshly_proven
def revert(request: Here, slug: str) -> HttpResponse:
    """One press. `live`: the version that was in force on the page; another one now means that it was done before."""
    base, chosen = _chosen(request, slug)

    def go() -> str:
        if chosen.state == DefinitionState.LIVE:
            return f"v{chosen.number} is live."
        if request.POST.get("live", "") != str(base.live.number if base.live else 0):
            raise NotNow("Nothing was changed: another version is live meanwhile.")
        if chosen.live_at is None:
            raise NotNow(f"v{chosen.number} was never live.")
        _put_live(request, chosen, f"Back to version {chosen.number}")
        return f"v{chosen.number} is live again. Runs that have begun keep the version they began with."

    return _stepped(request, base, go)


@require_POST
@needs("admin")
@freshly_proven
def retire(request: Here, slug: str) -> HttpResponse:
    base, chosen = _chosen(request, slug)

    def go() -> str:
        if not declaring.retire(chosen, _by(request), _reason(request)):
            raise Waits(f"v{chosen.number} is retired once a second admin has retired it too.")
        return f"Retired v{chosen.number}: no run starts by it any more, and those that have begun go on."

    return _stepped(request, base, go)


@require_POST
@needs("admin")
def withdraw(request: Here, slug: str) -> HttpResponse:
    """What waits for a second admin does so no more."""
    base, chosen = _chosen(request, slug)

    def go() -> str:
        declared.withdraw(chosen.pk, _by(request))
        return "A second admin is asked no more."

    return _stepped(request, base, go, chosen.number)


@require_POST
@needs("admin")
def discard(request: Here, slug: str) -> HttpResponse:
    base, chosen = _chosen(request, slug)

    def go() -> str:
        declared.discard(chosen.pk, _by(request))
        return f"Threw the draft v{chosen.number} away."

    return _stepped(request, base, go)


def _put_live(request: Here, chosen: DefinitionVersion, otherwise: str = "") -> None:
    done = declaring.publish(chosen, _by(request), _reason(request, otherwise))
    if done.state != DefinitionState.LIVE:
        raise Waits(f"v{chosen.number} is live once a second admin has published it too.")


def _reason(request: Here, otherwise: str = "") -> str:
    reason = request.POST.get("reason", "").replace("\0", "").strip() or otherwise
    if not reason:
        raise NotNow("Say in a sentence why: it stays in the history.")
    return reason[: declared.REASON_CHARS]


def _chosen(request: Here, slug: str) -> tuple[DeclaredPage, DefinitionVersion]:
    base = declared_page(request, slug)
    text = request.POST.get("version", "")
    return base, numbered(base, int(text) if text.isdecimal() and len(text) < 9 else 0)


def numbered(base: DeclaredPage, number: int) -> DefinitionVersion:
    found = base.numbered(number)
    if found is None:
        raise Http404("This workflow has no such version")
    return found


def _stepped(request: Here, base: DeclaredPage, go: Callable[[], str], stay: int = 0) -> HttpResponse:
    """Take a step and say so, or say what has to be done first. `stay`: the version that one stays with then."""
    slug = base.flow.slug
    try:
        messages.success(request, go(), extra_tags="ok")
    except Waits as told:
        messages.success(request, str(told), extra_tags="human")
    except NotNow as error:
        messages.error(request, str(error), extra_tags="crit")
        if stay:
            return HttpResponseRedirect(reverse("dashboard:workflow_version", args=[slug, stay]))
    signal(request.workspace.pk, "workflow")
    return HttpResponseRedirect(reverse("dashboard:workflow_versions", args=[slug]))


def _by(request: Here) -> str:
    return f"person:{request.user.get_username()}"
