"""`/policies/<slug>/edit/`: the rule as rows or as CEL, what it says, and beside it what it would have done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_http_methods

from dashboard.policy_acts import Offer, offers
from dashboard.policy_check import Check, check, unknown
from dashboard.policy_forms import KINDS, Draft, EffectDraft, of_body, of_post
from dashboard.policy_replay import TABS, Backtest, tested
from dashboard.policy_words import Line, difference, scope_words
from dashboard.views import signal_edit
from dashboard.views.policy import PolicyPage, policy_page
from dashboard.views.policy_drafts import Editing, Editor, answered, stored
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.policies import live, standing
from orchestration.policies.effects import TIMEOUTS, WORDS
from orchestration.policies.models import PolicyVersion, Subject
from orchestration.policies.versions import Wrong
from orchestration.policies.vocabulary import GROUPS, Field
from orchestration.registry.models import AgentKind
from orchestration.workspaces.current import Here, needs

FRAGMENTS = {"check": "_policy_check", "rule": "_policy_rule", "backtest": "_policy_backtest"}
SCOPES = (
    ("types", "Acts", "refund"),
    ("workflows", "Workflows", "Refund request"),
    ("agents", "Agents", "refund-bot or desk/refund-bot"),
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


class EditorPage(Editing[Draft]):
    @cached_property
    def history(self) -> Sequence[dict[str, Any]]:
        return standing.lately(self.request.workspace.pk)

    @cached_property
    def checked(self) -> Check:
        against = self.base.live.body if self.base.live else None
        rules = live.book(self.request.workspace.pk).rules
        return check(self.base.policy, self.draft, against, rules, self.history)

    def difference(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Line]:
        return difference(before, after)

    @property
    def scope(self) -> str:
        return scope_words(self.draft.scope)

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
    def kinds(self) -> list[tuple[str, str, bool]]:
        chosen = self.draft.scope.get("kinds", [])
        return [(kind, str(AgentKind(kind).label), kind in chosen) for kind in KINDS]

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

    def _faults(self, part: str) -> list[Wrong]:
        return [fault for fault in self.checked.faults if fault.field.partition(".")[0] == part]


@require_http_methods(["GET", "HEAD", "POST"])
@needs("admin")
def page(request: Here, slug: str) -> HttpResponse:
    base = policy_page(request, slug)
    if base.policy.subject == Subject.SIGNAL:
        return answered(request, base, signal_edit.EDITOR)
    return answered(request, base, EDITOR)


def store(request: Here, base: PolicyPage) -> PolicyVersion | HttpResponse:
    if base.policy.subject == Subject.SIGNAL:
        return stored(request, base, signal_edit.EDITOR)
    return stored(request, base, EDITOR)


def shown(
    request: Here,
    base: PolicyPage,
    draft: Draft,
    seen: str,
    *,
    status: int = 200,
    theirs: PolicyVersion | None = None,
) -> HttpResponse:
    page = EditorPage(request, base, draft, seen, theirs)
    fragments = {target: f"dashboard/{name}.html" for target, name in FRAGMENTS.items()}
    context = {"page": page, "policy": base.policy, "oob": True}
    return render_page_or_fragment(request, "dashboard/policy_edit.html", fragments, context, status)


def known(workspace_id: int) -> tuple[str, ...]:
    return standing.sent_fields(standing.lately(workspace_id))


EDITOR = Editor(of_body, of_post, known, shown, unknown)
