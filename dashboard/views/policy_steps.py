"""The steps of a policy: publish, run in shadow, revert, retire, discard. Each is one press of an admin; what may
loosen a guardrail asks for the password again."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from dashboard.proof import freshly_proven
from dashboard.views.policy import PolicyPage, policy_page
from dashboard.views.policy_edit import store
from orchestration.control import replaying
from orchestration.lib.pulse import publish as signal
from orchestration.policies import agreeing, lifecycle, proposals, rulebook
from orchestration.policies.lifecycle import NotNow
from orchestration.policies.models import PolicyVersion, State, Subject
from orchestration.policies.rulebook import Gate
from orchestration.workspaces.current import Here, needs

WAITS = "A second admin has to agree; until then nothing is changed."


@require_POST
@needs("admin")
@freshly_proven
def publish(request: Here, slug: str) -> HttpResponse:
    """What stands in the editor is saved first, so that what goes live is what was seen."""
    base = policy_page(request, slug)
    number = whole(request.POST.get("version", ""))
    if "editing" in request.POST and base.draft and base.draft.number == number:
        stored = store(request, base)
        if isinstance(stored, HttpResponse):
            return stored

    def go() -> str:
        early = request.POST.get("early") == "on"
        version = lifecycle.publish(base.policy.pk, number, request.user, request.POST.get("reason", ""), early=early)
        if version.state == State.LIVE:
            return f"Published v{number}: it is in force."
        return f"v{number} waits for a second admin, who publishes it."

    return stepped(request, base, go, stay="edit_policy")


@require_POST
@needs("admin")
def shadow(request: Here, slug: str) -> HttpResponse:
    base = policy_page(request, slug)
    if "editing" in request.POST:
        stored = store(request, base)
        if isinstance(stored, HttpResponse):
            return stored
        base = policy_page(request, slug)
    if base.draft is None and base.trying:
        return back(slug)  # a second press

    def go() -> str:
        version = lifecycle.start_shadow(base.policy.pk, request.user)
        return f"v{version.number} runs in shadow: it changes nothing, and its answers are counted."

    return stepped(request, base, go)


@require_POST
@needs("admin")
def unshadow(request: Here, slug: str) -> HttpResponse:
    base = policy_page(request, slug)

    def go() -> str:
        lifecycle.stop_shadow(base.policy.pk, request.user)
        return "Stopped the shadow."

    return stepped(request, base, go)


@require_POST
@needs("admin")
def replay(request: Here, slug: str) -> HttpResponse:
    """Of a version that is in shadow; a draft is replayed from its editor."""
    base = policy_page(request, slug)
    version: PolicyVersion | None = base.trying or base.draft

    def go() -> str:
        if version is None:
            raise NotNow("There is nothing to replay.")
        replaying.start(request.workspace, version, request.user)
        of = "what was measured" if base.policy.subject == Subject.SIGNAL else "recorded decisions"
        return f"Replaying v{version.number} over {of}."

    return stepped(request, base, go)


@require_POST
@needs("admin")
@freshly_proven
def revert(request: Here, slug: str) -> HttpResponse:
    """`live`: the version that was in force on the page; another one now means that it was done before."""
    base = policy_page(request, slug)
    number = whole(request.POST.get("version", ""))
    if whole(request.POST.get("live", "")) != (base.policy.live or 0):
        said = f"Nothing was changed: v{base.policy.live} is live meanwhile." if base.policy.live else "It was retired."
        messages.warning(request, said, extra_tags="human")
        return back(slug, "history")

    def go() -> str:
        version = lifecycle.revert(base.policy.pk, number, request.user, request.POST.get("reason", ""))
        return f"v{version.number} is live: it says what v{number} said." if version else WAITS

    return stepped(request, base, go, tab="history")


@require_POST
@needs("admin")
@freshly_proven
def retire(request: Here, slug: str) -> HttpResponse:
    base = policy_page(request, slug)

    def go() -> str:
        done = lifecycle.retire(base.policy.pk, request.user, request.POST.get("reason", ""))
        return f"Retired {base.policy.name}: it speaks no more." if done else WAITS

    return stepped(request, base, go)


@require_POST
@needs("admin")
def discard(request: Here, slug: str) -> HttpResponse:
    """A policy that was never more than this draft goes with it."""
    base = policy_page(request, slug)
    lifecycle.discard(base.policy.pk, request.user)
    signal(request.workspace.pk, "policy")
    messages.success(request, f"Discarded the draft of {base.policy.name}.", extra_tags="ok")
    if len(base.versions) == 1 and base.draft:
        return HttpResponseRedirect(reverse("dashboard:policies"))
    return back(slug)


@require_POST
@needs("admin")
@freshly_proven
def describe(request: Here, slug: str) -> HttpResponse:
    """Name, purpose, and whether a second person publishes."""
    base = policy_page(request, slug)

    def go() -> str:
        wanted = request.POST.get("sensitive") == "on"
        policy = rulebook.describe(
            base.policy.pk,
            request.user,
            name=request.POST.get("name", ""),
            purpose=request.POST.get("purpose", ""),
            sensitive=wanted,
        )
        return "Saved." if policy.sensitive == wanted else f"Saved; it stays sensitive for now. {WAITS}"

    return stepped(request, base, go)


@require_POST
@needs("admin")
@freshly_proven
def gate(request: Here, slug: str) -> HttpResponse:
    """What a version in shadow has to have seen before it may go live."""
    base = policy_page(request, slug)

    def go() -> str:
        done = rulebook.ask_of_shadows(base.policy.pk, request.user, asked(request))
        return "Saved what a shadow has to have seen." if done else WAITS

    return stepped(request, base, go)


@require_POST
@needs("admin")
@freshly_proven
def second(request: Here) -> HttpResponse:
    """The second person's answer to what another admin has asked for, of a policy or of all."""
    proposal_id = uuid_of(request.POST.get("proposal", ""))
    found = proposals.open_of(request.workspace).filter(pk=proposal_id).first()
    try:
        if request.POST.get("do") == "agree":
            agreeing.agree(proposal_id, request.workspace, request.user)
            messages.success(request, "Agreed: it is done.", extra_tags="ok")
        elif proposals.drop(proposal_id, request.workspace, request.user):
            messages.success(request, "Nothing was changed, and nobody is asked any more.", extra_tags="ok")
        else:
            messages.warning(request, "This was settled meanwhile.", extra_tags="human")
    except NotNow as error:
        messages.error(request, str(error), extra_tags="crit")
    signal(request.workspace.pk, "policy")
    return back(found.policy.slug) if found and found.policy else HttpResponseRedirect(reverse("dashboard:policies"))


def asked(request: Here) -> Gate:
    """The gate as it was typed. Raises NotNow."""
    try:
        decisions, days = int(request.POST.get("decisions", "")), int(request.POST.get("days", ""))
        return Gate(decisions, days, float(request.POST.get("agreement", "") or "0") / 100)
    except ValueError:
        raise NotNow(
            "Nothing was changed: decisions and days are whole numbers, the share is one in percent."
        ) from None


def stepped(request: Here, base: PolicyPage, go: Callable[[], str], stay: str = "", tab: str = "") -> HttpResponse:
    """Take a step and say so, or say what has to be done first. `stay`: the page that one stays on then."""
    try:
        messages.success(request, go(), extra_tags="ok")
    except NotNow as error:
        messages.error(request, str(error), extra_tags="crit")
        if stay and "editing" in request.POST:
            return HttpResponseRedirect(reverse(f"dashboard:{stay}", args=[base.policy.slug]))
    signal(request.workspace.pk, "policy")
    return back(base.policy.slug, tab)


def back(slug: str, tab: str = "") -> HttpResponse:
    return HttpResponseRedirect(reverse("dashboard:policy", args=[slug]) + (f"?tab={tab}" if tab else ""))


def uuid_of(text: str) -> UUID:
    """Nobody's id for what is none."""
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)


def whole(text: str) -> int:
    return int(text) if text.isdigit() and len(text) < 9 else 0
