"""`/policies/<slug>/edit/` of a rule on signals: what is looked at, when, and what is done; beside it what it would
have done."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from dashboard import signal_page
from dashboard.policy_acts import act
from dashboard.policy_check import Check
from dashboard.policy_forms import FORM
from dashboard.policy_rows import RowField, row_fields
from dashboard.policy_words import Line
from dashboard.signal_forms import SignalDraft, check, of_body, of_post
from dashboard.signal_page import Past
from dashboard.signal_words import ACTS, EXPECTED, WHOM, difference
from dashboard.views.policy import PolicyPage, policy_page
from orchestration.control import signal_replay
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.lib.pulse import publish
from orchestration.policies import lifecycle
from orchestration.policies.models import PolicyVersion
from orchestration.policies.signal_kinds import SIGNALS
from orchestration.policies.versions import BadBody, Wrong
from orchestration.policies.vocabulary import SIGNAL_FIELDS, SIGNAL_GROUPS, Field
from orchestration.workspaces.current import Here
from orchestration.workspaces.models import Membership

FRAGMENTS = {"check": "dashboard/_policy_check.html", "rule": "dashboard/_policy_rule.html"}
BOUNDS = (
    ("an_hour", "Acts at most so many times an hour", "times"),
    ("cool_down_s", "On the same thing again after", "minutes"),
    ("clear_s", "It is over when it was clear for", "seconds"),
)


@dataclass
class SignalEditor:
    """The editor with what stands in it. `seen`: the draft that was read before it was changed."""

    request: Here
    base: PolicyPage
    draft: SignalDraft
    seen: str
    theirs: PolicyVersion | None = None  # saved by somebody else meanwhile
    fields: tuple[str, ...] = ()  # that agents have sent: there are none of signals
    offers: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        """The version that is being made."""
        return self.base.draft.number if self.base.draft else self.base.versions[0].number + 1

    @cached_property
    def checked(self) -> Check:
        return check(self.base.policy.name, self.draft, self.base.live.body if self.base.live else None)

    @property
    def as_form(self) -> bool:
        return self.draft.shape == FORM

    @cached_property
    def groups(self) -> list[list[RowField]]:
        return row_fields(self.draft.rows, self.checked.row_faults)

    @property
    def signals(self) -> list[tuple[str, str]]:
        return [(name, kind.label) for name, kind in SIGNALS.items()]

    @property
    def about(self) -> str:
        return SIGNALS[self.draft.signal].about

    @property
    def whom(self) -> list[tuple[str, str]]:
        names = {"workspace": "all of the inbox"}
        if "run" in SIGNALS[self.draft.signal].of:
            names["workflow"] = "all runs of a workflow together"
        return [(of, names.get(of, f"each {of}")) for of in SIGNALS[self.draft.signal].of]

    @property
    def acts(self) -> list[tuple[str, object]]:
        return [(f"{ACTS[each.kind].capitalize()} {WHOM[self.draft.of]}", each) for each in self.draft.acts]

    @property
    def bounds(self) -> list[tuple[str, str, str, str]]:
        return [(name, label, unit, self.draft.bounds.get(name, "")) for name, label, unit in BOUNDS]

    @property
    def limits(self) -> list[tuple[str, str]]:
        return [*self.draft.limits, ("", "")]

    @property
    def expected(self) -> tuple[tuple[str, str], ...]:
        return EXPECTED

    @property
    def vocabulary(self) -> dict[str, tuple[Field, ...]]:
        """Only what this signal has."""
        mine = SIGNALS[self.draft.signal].facts
        measured = tuple(SIGNAL_FIELDS[name] for name in mine)
        return {
            group: measured if "signal.rate" in [f.name for f in fields] else fields
            for group, fields in SIGNAL_GROUPS.items()
        }

    @property
    def other_faults(self) -> list[Wrong]:
        return self.checked.others

    @cached_property
    def past(self) -> Past | None:
        return signal_page.past(self.base.draft or self.base.trying)

    @property
    def conflict(self) -> list[Line]:
        """What they saved against what stands here."""
        body = self.checked.body
        return difference(self.theirs.body, body) if self.theirs and body else []

    @cached_property
    def other_admins(self) -> int:
        members = Membership.objects.filter(workspace=self.request.workspace, roles__contains=["admin"])
        return members.exclude(user=self.request.user).count()


def page(request: Here, base: PolicyPage) -> HttpResponse:
    do = request.POST.get("do", "show")
    if do in ("save", "replay"):
        return kept(request, base, do)
    if request.method == "POST":
        draft = of_post(request.POST)
        act(draft, do, request.workspace.pk)
        return shown(request, base, draft, request.POST.get("seen", ""))
    newest = base.draft or base.trying or base.version
    return shown(request, base, of_body(newest.body), seen_of(base))


def kept(request: Here, base: PolicyPage, do: str) -> HttpResponse:
    """Save, and try what was saved on the past where that was asked for."""
    stored = store(request, base)
    if isinstance(stored, HttpResponse):
        return stored
    if do == "replay":
        signal_replay.replay(stored)
        messages.success(request, f"Replayed v{stored.number} over what was measured.", extra_tags="ok")
    return HttpResponseRedirect(reverse("dashboard:edit_policy", args=[base.policy.slug]))


def store(request: Here, base: PolicyPage) -> PolicyVersion | HttpResponse:
    """The draft as it was sent, saved; or the page that says why not, with nothing lost."""
    draft, seen = of_post(request.POST), request.POST.get("seen", "")
    try:
        body = draft.told()
        if seen and base.draft is None:
            raise lifecycle.Changed("The draft was published or discarded meanwhile.")
        stored = lifecycle.save_draft(base.policy.pk, request.user, body, seen=seen)
    except BadBody:
        return shown(request, base, draft, seen, status=422)
    except lifecycle.Changed:
        again = policy_page(request, base.policy.slug)
        return shown(request, again, draft, seen_of(again), status=409, theirs=again.draft or again.version)
    publish(request.workspace.pk, "policy")
    return stored


def shown(
    request: Here,
    base: PolicyPage,
    draft: SignalDraft,
    seen: str,
    *,
    status: int = 200,
    theirs: PolicyVersion | None = None,
) -> HttpResponse:
    editor = SignalEditor(request, base, draft, seen, theirs)
    context = {"page": editor, "policy": base.policy, "oob": True}
    return render_page_or_fragment(request, "dashboard/signal_edit.html", FRAGMENTS, context, status)


def seen_of(base: PolicyPage) -> str:
    return base.draft.digest if base.draft else ""
