"""`/policies/<slug>/`: what is live, who said so and when, what changed; read by everybody, changed by admins."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard import signal_page
from dashboard.narrowing import text_of
from dashboard.policy_check import Token, tokens
from dashboard.policy_forms import plain
from dashboard.policy_replay import Backtest, tested
from dashboard.policy_shadow import Trial, trial
from dashboard.policy_wishes import wishes
from dashboard.policy_words import TONES, Line, effect_words, in_words, laid_out, scope_words
from dashboard.signal_words import difference
from orchestration.control import gates
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.policies import lifecycle, shadows, standing
from orchestration.policies.effects import WORDS, Effect, Kind
from orchestration.policies.models import Decision, Policy, PolicyVersion, State, Subject
from orchestration.policies.rulebook import Gate
from orchestration.policies.shadows import Seen
from orchestration.policies.standing import Figures
from orchestration.workspaces.current import MEMBER, Here, needs, nothing_here

TABS = ("rule", "changes", "history")
RECENT = 10
VERDICTS = {"approve": "Approved", "reject": "Rejected", "amend": "Amended", "more": "Asked for more"}
FAIL = {"closed": "A person is asked", "open": "It passes, and the answer says so"}


@dataclass(frozen=True, slots=True)
class Said:
    """An effect as a pill and what stands beside it."""

    pill: str
    tone: str
    more: str
    words: str


@dataclass(frozen=True, slots=True)
class VersionRow:
    version: PolicyVersion
    before: int | None  # the version that it is compared with
    lines: list[Line]
    may_revert: bool


@dataclass
class PolicyPage:
    """One policy as its page needs it."""

    policy: Policy
    version: PolicyVersion
    versions: list[PolicyVersion] = field(default_factory=list)
    tab: str = "rule"
    cursor: str = ""

    @cached_property
    def live(self) -> PolicyVersion | None:
        return next((version for version in self.versions if version.number == self.policy.live), None)

    @cached_property
    def draft(self) -> PolicyVersion | None:
        return next((version for version in self.versions if version.state == State.DRAFT), None)

    @cached_property
    def trying(self) -> PolicyVersion | None:
        return next((version for version in self.versions if version.state == State.SHADOW), None)

    @property
    def words(self) -> str:
        return in_words(self.version.body)

    @property
    def scope(self) -> str:
        return scope_words(self.version.body["scope"])

    @property
    def code(self) -> list[list[Token]]:
        return tokens("\n".join(laid_out(self.version.body["condition"], self.policy.subject)))

    @property
    def examples(self) -> list[tuple[str, str]]:
        return [(each["name"], WORDS[Kind(each["effect"])]) for each in self.version.body["examples"]]

    @property
    def then(self) -> Said:
        return said(self.version.body["then"])

    @property
    def otherwise(self) -> Said | None:
        return said(self.version.body["otherwise"]) if self.version.body.get("otherwise") else None

    @property
    def share(self) -> float:
        return Effect.of(self.version.body["then"]).check_share

    @property
    def fail(self) -> str:
        return FAIL[self.version.body["fail_mode"]]

    @cached_property
    def figures(self) -> Figures:
        return standing.figures(self.policy.workspace_id).get(self.policy.pk, Figures())

    @cached_property
    def trial(self) -> Trial:
        return trial(self.policy, self.cursor)

    @cached_property
    def shadow(self) -> Seen:
        return shadows.seen(self.policy) if self.policy.subject == Subject.SIGNAL else self.trial.seen

    @cached_property
    def lacks(self) -> str:
        """What the version in shadow still has to see."""
        return shadows.why_not(self.policy, self.shadow) if self.trying else ""

    @property
    def gate(self) -> Gate:
        return Gate.of(self.policy)

    @property
    def least(self) -> str:
        """Least agreement in percent, as its field takes it."""
        return plain(self.gate.agreement * 100)

    @cached_property
    def backtest(self) -> Backtest:
        """Of the version in shadow: it has to be fresh on the day that it goes live."""
        return tested(self.policy, self.trying, "")

    @cached_property
    def decisions(self) -> list[Decision]:
        mine = Decision.objects.filter(workspace_id=self.policy.workspace_id, policy_id=self.policy.pk)
        found = list(mine.order_by("-at").defer("facts", "answer")[:RECENT])
        receipts = gates.receipts(self.policy.workspace_id, [str(each.id) for each in found])
        for each in found:
            each.told = WORDS[Kind(each.effect)]  # type: ignore[attr-defined]
            each.judged = VERDICTS.get(each.verdict, each.verdict)  # type: ignore[attr-defined]
            each.receipt = receipts.get(str(each.id))  # type: ignore[attr-defined]
        return found

    @cached_property
    def history(self) -> list[VersionRow]:
        return [version_row(self.policy, version, self.versions) for version in self.versions]

    @cached_property
    def pair(self) -> tuple[PolicyVersion, PolicyVersion] | None:
        """What the tab Changes sets side by side: what is next against what is live, else the last two that were."""
        after = self.draft or self.trying
        if after and self.live:
            return self.live, after
        was = [version for version in self.versions if version.published_at]
        return (was[1], was[0]) if len(was) > 1 else None

    @property
    def changes(self) -> list[Line]:
        return difference(self.pair[0].body, self.pair[1].body) if self.pair else []

    @property
    def needs_second(self) -> bool:
        return lifecycle.needs_second(self.policy)


@require_safe
@needs(MEMBER)
def page(request: Here, slug: str) -> HttpResponse:
    found = policy_page(request, slug)
    tab = request.GET.get("tab", "rule")
    found.tab = tab if tab in TABS else "rule"
    found.cursor = text_of(request, "cursor")
    fragments = {
        "shadow": "dashboard/_policy_shadow.html",
        "decided": "dashboard/_policy_decided.html",
        "differences": "dashboard/_policy_differences.html",
    }
    waiting = wishes(request.workspace, request.user, found.policy)
    shown = context(found) | {"wishes": waiting}
    if found.policy.subject == Subject.SIGNAL:
        regions = {
            "held": "dashboard/_signal_held.html",
            "backtest": "dashboard/_signal_past.html",
            "shadow": "dashboard/_signal_shadow.html",
        }
        return render_page_or_fragment(request, "dashboard/signal.html", regions, shown)
    return render_page_or_fragment(request, "dashboard/policy.html", fragments, shown)


@require_safe
@needs(MEMBER)
def version(request: Here, slug: str, number: int) -> HttpResponse:
    """An earlier version, as it stood."""
    found = policy_page(request, slug)
    found.version = numbered(found, number)
    return render(request, template_of(found), context(found) | {"alone": True})


@require_safe
@needs(MEMBER)
def diff(request: Here, slug: str, a: int, b: int) -> HttpResponse:
    found = policy_page(request, slug)
    found.tab, found.pair = "changes", (numbered(found, a), numbered(found, b))
    return render(request, template_of(found), context(found))


def context(found: PolicyPage) -> dict[str, object]:
    return {"page": found, "policy": found.policy, "signal": signal_page.of(found.policy, found.version)}


def template_of(found: PolicyPage) -> str:
    return "dashboard/signal.html" if found.policy.subject == Subject.SIGNAL else "dashboard/policy.html"


def policy_page(request: Here, slug: str) -> PolicyPage:
    policy = policy_of(request, slug)
    versions = list(policy.versions.select_related("author", "published_by", "proposed_by").order_by("-number"))
    if not versions:
        raise Http404("This policy has no version")
    found = PolicyPage(policy, versions[0], versions)
    found.version = found.live or found.trying or found.draft or versions[0]
    return found


def policy_of(request: Here, slug: str) -> Policy:
    policy = Policy.objects.filter(workspace=request.workspace, slug=slug).first()
    if policy is None:
        raise nothing_here(request, Policy.objects.filter(slug=slug))
    return policy


def numbered(found: PolicyPage, number: int) -> PolicyVersion:
    version = next((version for version in found.versions if version.number == number), None)
    if version is None:
        raise Http404("This policy has no such version")
    return version


def version_row(policy: Policy, version: PolicyVersion, every: list[PolicyVersion]) -> VersionRow:
    base = version.based_on or next((each.number for each in every if each.number < version.number), None)
    before = next((each for each in every if each.number == base), None)
    lines = [line for line in difference(before.body, version.body) if line.sign] if before else []
    reverts = version.published_at is not None and version.number != policy.live
    return VersionRow(version, before.number if before else None, lines, reverts)


def said(stored: dict[str, object]) -> Said:
    effect = Effect.of(stored)
    pill = WORDS[effect.kind]
    more = effect_words(effect).removeprefix(pill).lstrip(" ,:").removeprefix("who knows ")
    if effect.kind == Kind.ALLOW:
        more = ""  # what is checked afterwards has a place of its own
    skill = f"skill {more}" if effect.kind == Kind.HOLD and effect.skill else more
    return Said(pill, TONES.get(effect.kind, ""), skill, effect.words)
