"""`/policies/<slug>/edit/`: the rule as rows or as CEL, what it says, and beside it what it would have done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard.policy_acts import Offer, act, offers
from dashboard.policy_check import Check, check
from dashboard.policy_forms import FORM, KINDS, Draft, EffectDraft, of_body, of_post
from dashboard.policy_replay import TABS, Backtest, tested
from dashboard.policy_rows import RowField, row_fields
from dashboard.policy_words import Line, difference, scope_words
from dashboard.views import signal_edit
from dashboard.views.policy import PolicyPage, policy_page
from orchestration.control import replaying
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.lib.pulse import publish
from orchestration.policies import lifecycle, live, standing
from orchestration.policies.effects import TIMEOUTS, WORDS
from orchestration.policies.models import PolicyVersion, Subject
from orchestration.policies.versions import BadBody, Wrong
from orchestration.policies.vocabulary import GROUPS, Field
from orchestration.workspaces.current import Here, needs
from orchestration.workspaces.models import Membership

FRAGMENTS = {"check": "_policy_check", "rule": "_policy_rule", "backtest": "_policy_backtest"}
SCOPES = (
    ("types", "Acts", "refund"),
    ("workflows", "Workflows", "Refund request"),
    ("agents", "Agents", "refund-bot, or application/refund-bot"),
    ("systems", "Systems", "payments"),
)
LATE = {"hold": "keep waiting", "remind": "remind", "reject": "remind, then reject"}


@dataclass(frozen=True, slots=True)
class EffectFields:
    part: str
    label: str
    draft: EffectDraft
    faults: list[Wrong]
    kinds: list[tuple[str, str]]


@dataclass
class EditorPage:
    """The editor with what stands in it. `seen`: the draft that was read before it was changed."""

    request: Here
    base: PolicyPage
    draft: Draft
    seen: str
    history: Sequence[dict[str, Any]]
    theirs: PolicyVersion | None = None  # saved by somebody else meanwhile

    @property
    def number(self) -> int:
        """The version that is being made."""
        return self.base.draft.number if self.base.draft else self.base.versions[0].number + 1

    @cached_property
    def checked(self) -> Check:
        against = self.base.live.body if self.base.live else None
        rules = live.book(self.request.workspace.pk).rules
        return check(self.base.policy, self.draft, against, rules, self.history)

    @property
    def scope(self) -> str:
        return scope_words(self.draft.scope)

    @property
    def as_form(self) -> bool:
        return self.draft.shape == FORM

    @cached_property
    def groups(self) -> list[list[RowField]]:
        return row_fields(self.draft.rows, self.checked.row_faults)

    @property
    def effects(self) -> list[EffectFields]:
        kinds = [(kind.value, words) for kind, words in WORDS.items()]
        return [
            EffectFields("then", "When true", self.draft.then, self._faults("then"), kinds),
            EffectFields(
                "otherwise", "Otherwise", self.draft.otherwise, self._faults("otherwise"), [("", "Say nothing"), *kinds]
            ),
        ]

    @property
    def scopes(self) -> list[tuple[str, str, str, str]]:
        return [(part, label, hint, "\n".join(self.draft.scope.get(part, []))) for part, label, hint in SCOPES]

    @property
    def kinds(self) -> list[tuple[str, bool]]:
        chosen = self.draft.scope.get("kinds", [])
        return [(kind, kind in chosen) for kind in KINDS]

    @property
    def limits(self) -> list[tuple[str, str]]:
        return [*self.draft.limits, ("", "")]

    @property
    def expected(self) -> list[tuple[str, str]]:
        return [(kind.value, words) for kind, words in WORDS.items()]

    @property
    def late(self) -> list[tuple[str, str]]:
        return [(name, LATE[name]) for name in TIMEOUTS]

    @cached_property
    def fields(self) -> tuple[str, ...]:
        return standing.sent_fields(self.history)

    @property
    def vocabulary(self) -> dict[str, tuple[Field, ...]]:
        return GROUPS

    @cached_property
    def offers(self) -> list[Offer]:
        return offers(self.draft, self.request.workspace.pk)

    @property
    def cases(self) -> str:
        """The tab that was asked for; without one the fuller one is shown."""
        asked = self.request.GET.get("cases", "")
        return asked if asked in dict(TABS) else ""

    @cached_property
    def backtest(self) -> Backtest:
        version = self.base.draft or self.base.trying
        return tested(self.base.policy, version, self.cases)

    @property
    def conflict(self) -> list[Line]:
        """What they saved against what stands here."""
        body = self.checked.body
        return difference(self.theirs.body, body) if self.theirs and body else []

    @cached_property
    def other_admins(self) -> int:
        members = Membership.objects.filter(workspace=self.request.workspace, roles__contains=["admin"])
        return members.exclude(user=self.request.user).count()

    def _faults(self, part: str) -> list[Wrong]:
        return [fault for fault in self.checked.faults if fault.field.partition(".")[0] == part]


@require_http_methods(["GET", "HEAD", "POST"])
@needs("admin")
def page(request: Here, slug: str) -> HttpResponse:
    base = policy_page(request, slug)
    if base.policy.subject == Subject.SIGNAL:
        return signal_edit.page(request, base)
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
    """Save, and replay what was saved where that was asked for."""
    stored = store(request, base)
    if isinstance(stored, HttpResponse):
        return stored
    if do == "replay":
        replaying.start(request.workspace, stored, request.user)
    return HttpResponseRedirect(reverse("dashboard:edit_policy", args=[base.policy.slug]))


def store(request: Here, base: PolicyPage) -> PolicyVersion | HttpResponse:
    """The draft as it was sent, saved; or the page that says why not, with nothing lost."""
    if base.policy.subject == Subject.SIGNAL:
        return signal_edit.store(request, base)
    draft, seen = of_post(request.POST), request.POST.get("seen", "")
    history = standing.lately(request.workspace.pk)
    try:
        body = draft.body(standing.sent_fields(history))
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
    draft: Draft,
    seen: str,
    *,
    status: int = 200,
    theirs: PolicyVersion | None = None,
) -> HttpResponse:
    page = EditorPage(request, base, draft, seen, standing.lately(request.workspace.pk), theirs)
    fragments = {target: f"dashboard/{name}.html" for target, name in FRAGMENTS.items()}
    context = {"page": page, "policy": base.policy, "oob": True}
    return render_page_or_fragment(request, "dashboard/policy_edit.html", fragments, context, status)


def seen_of(base: PolicyPage) -> str:
    return base.draft.digest if base.draft else ""
