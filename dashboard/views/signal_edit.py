"""`/policies/<slug>/edit/` of a rule on signals: what is looked at, when, and what is done; beside it what it would
have done."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.urls import reverse

from dashboard import signal_page
from dashboard.policy_check import Check
from dashboard.policy_words import Line
from dashboard.signal_forms import SignalDraft, check, of_body, of_post, unknown
from dashboard.signal_page import Past
from dashboard.signal_words import ACTS, EXPECTED, WHOM, difference
from dashboard.views.policy import PolicyPage
from dashboard.views.policy_drafts import Editing, Editor
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.outbox import send
from orchestration.outbox.models import Event
from orchestration.policies.models import PolicyVersion
from orchestration.policies.signal_kinds import SIGNALS
from orchestration.policies.versions import Wrong
from orchestration.policies.vocabulary import SIGNAL_FIELDS, SIGNAL_GROUPS, Field
from orchestration.workspaces.current import Here

FRAGMENTS = {
    "check": "dashboard/_policy_check.html",
    "rule": "dashboard/_policy_rule.html",
    "backtest": "dashboard/_signal_past.html",
}
BOUNDS = (
    ("an_hour", "Acts at most so many times an hour", "times"),
    ("cool_down_s", "On the same thing again after", "minutes"),
    ("clear_s", "It is over when it was clear for", "seconds"),
)


class SignalEditor(Editing[SignalDraft]):
    fields = offers = ()  # that agents have sent: there are none of signals
    editing = True

    @cached_property
    def checked(self) -> Check:
        live = self.base.live.body if self.base.live else None
        return check(self.request.workspace.pk, self.base.policy.name, self.draft, live)

    def difference(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Line]:
        return difference(before, after)

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

    @cached_property
    def told(self) -> int:
        """How many receivers a notice has."""
        return send.listeners(self.request.workspace.pk, Event.ACTION_NOTICE.value)

    @property
    def bounds(self) -> list[tuple[str, str, str, str]]:
        return [(name, label, unit, self.draft.bounds.get(name, "")) for name, label, unit in BOUNDS]

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

    @property
    def address(self) -> str:
        return reverse("dashboard:edit_policy", args=[self.base.policy.slug])

    @cached_property
    def past(self) -> Past:
        return signal_page.past(self.base.draft or self.base.trying)


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
    context = {"page": editor, "signal": editor, "policy": base.policy, "oob": True}
    return render_page_or_fragment(request, "dashboard/signal_edit.html", FRAGMENTS, context, status)


EDITOR = Editor(of_body, of_post, lambda _: (), shown, unknown)
