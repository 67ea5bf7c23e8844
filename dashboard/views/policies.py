"""`/policies/`: what agents may do alone, what that asks of people, and which rules look wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import Count, Prefetch
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard import signal_words
from dashboard.finding import Finding, say
from dashboard.narrowing import text_of
from dashboard.policy_starters import STARTERS, Starter, body_of
from dashboard.policy_wishes import Wish, wishes
from dashboard.policy_words import effect_words, in_words, lower, scope_words
from dashboard.proof import freshly_proven
from dashboard.signal_forms import starting
from dashboard.views.policy_steps import WAITS
from orchestration.autonomy.models import Episode
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.lib.pulse import publish
from orchestration.lib.templatetags.baton import number, plural
from orchestration.policies import lifecycle, live, rates, rulebook, shadows, standing
from orchestration.policies.effects import WORDS, Effect, Kind
from orchestration.policies.models import Policy, PolicyVersion, Rulebook, State, Subject
from orchestration.policies.rulebook import DEFAULTS
from orchestration.policies.shadows import Seen
from orchestration.policies.signal_kinds import SIGNALS
from orchestration.policies.standing import Figures
from orchestration.workspaces.current import MEMBER, Here, NotAllowed, needs
from orchestration.workspaces.models import Workspace

TWICE = timedelta(seconds=30)  # within which the same new policy is a form sent twice


@dataclass(slots=True)
class PolicyRow:
    policy: Policy
    words: str
    scope: str
    figures: Figures
    shadow: Seen
    edited: PolicyVersion | None
    draft: PolicyVersion | None
    flags: list[tuple[str, str]] = field(default_factory=list)  # word, and why


@dataclass(frozen=True, slots=True)
class SignalRow:
    """A rule on signals: what it says, how often it acted in 30 days, and of how many things it holds now."""

    policy: Policy
    words: str
    acted: int
    holds: int
    edited: PolicyVersion
    draft: PolicyVersion | None


@dataclass(frozen=True, slots=True)
class PoliciesPage:
    rows: list[PolicyRow]
    signals: list[SignalRow]
    kinds: list[tuple[str, str]]
    retired: list[Policy]
    book: Rulebook
    rates: str
    rated: str  # the currencies
    default: Figures
    first_day: bool
    default_words: str
    defaults: list[tuple[str, str]]
    finding: Finding
    starters: tuple[Starter, ...]
    q: str
    total: int
    wishes: list[Wish]


@require_http_methods(["GET", "HEAD", "POST"])
@needs(MEMBER)
def listing(request: Here) -> HttpResponse:
    if request.method == "POST":
        if not request.is_admin:
            raise NotAllowed("admin")
        return change_rules(request) if request.POST.get("do") == "rules" else create(request)
    context = {"page": policies_page(request)}
    fragments = {"policies": "dashboard/_policies_rows.html"}
    return render_page_or_fragment(request, "dashboard/policies.html", fragments, context)


def create(request: Here) -> HttpResponse:
    """A draft with a name, and on to its editor."""
    name, signal = request.POST.get("name", "").strip(), request.POST.get("signal", "")
    body = starting(signal) if signal in SIGNALS else body_of(request.POST.get("starter") or signal)
    try:
        with transaction.atomic():
            Workspace.objects.select_for_update().get(pk=request.workspace.pk)  # the same form twice is one policy
            policy = _just_made(request, name)
            if policy is None:
                policy = lifecycle.create(request.workspace, name, request.user, body).policy
    except lifecycle.NotNow as error:
        messages.error(request, str(error), extra_tags="crit")
        return HttpResponseRedirect(reverse("dashboard:policies"))
    publish(request.workspace.pk, "policy")
    return HttpResponseRedirect(reverse("dashboard:edit_policy", args=[policy.slug]))


def _just_made(request: Here, name: str) -> Policy | None:
    mine = Policy.objects.filter(workspace=request.workspace, name=name[:120], created_by=request.user)
    return mine.filter(created_at__gt=timezone.now() - TWICE).first()


def _set_rates(request: Here) -> bool:
    if "rates" not in request.POST:
        return True
    wanted = rates.read(request.POST["rates"], request.workspace.currency)
    shown = "\n".join(request.POST.get("rates_were", "").splitlines())
    return rates.put(request.workspace, wanted, request.user, instead_of=shown)


@freshly_proven
def change_rules(request: Here) -> HttpResponse:
    """What holds when no policy speaks, what other currencies are worth, and whether publishing takes two people."""
    try:
        with transaction.atomic():
            done = [
                rulebook.set_default(request.workspace, request.POST.get("default", ""), request.user),
                _set_rates(request),
                rulebook.set_two_people(request.workspace, request.POST.get("two_people") == "on", request.user),
            ]
    except lifecycle.NotNow as error:
        messages.error(request, f"Nothing was changed. {error}", extra_tags="crit")
    else:
        said = "Saved what holds for all policies." if all(done) else f"What loosens them waits. {WAITS}"
        messages.success(request, said, extra_tags="ok")
        publish(request.workspace.pk, "policy")
    return HttpResponseRedirect(reverse("dashboard:policies"))


def policies_page(request: Here) -> PoliciesPage:
    workspace = request.workspace
    book = rulebook.rulebook(workspace)
    found = standing.figures(workspace.pk)
    every = _policies(workspace)
    policies = [policy for policy in every if policy.subject == Subject.ASK]
    overruled = standing.overruled(workspace.pk, book.generation, live.book(workspace.pk).rules)
    rows = [row_of(policy, found, overruled) for policy in policies if not is_retired(policy)]
    q = text_of(request, "q")
    shown = [row for row in rows if q.casefold() in f"{row.policy.name} {row.words} {row.scope}".casefold()]
    default, waiting = found.get(None, Figures()), wishes(workspace, request.user)
    return PoliciesPage(
        rows=shown,
        signals=signal_rows(workspace, [policy for policy in every if policy.subject == Subject.SIGNAL]),
        kinds=[(name, kind.label) for name, kind in SIGNALS.items()],
        retired=[policy for policy in every if is_retired(policy)],
        book=book,
        rates=rates.text(book.rates),
        rated=", ".join(sorted(book.rates)),
        default=default,
        first_day=any(figures.first_day for figures in found.values()),
        default_words=effect_words(Effect(Kind(book.default_effect))),
        defaults=[(kind.value, WORDS[kind]) for kind in DEFAULTS],
        finding=finding(rows, book, default, len(waiting)),
        starters=STARTERS,
        q=q,
        total=len(rows),
        wishes=waiting,
    )


def _policies(workspace: Workspace) -> list[Policy]:
    versions = PolicyVersion.objects.select_related("author").order_by("-number")
    return list(
        Policy.objects.filter(workspace=workspace)
        .prefetch_related(Prefetch("versions", versions))
        .order_by("name", "created_at")
    )


def is_retired(policy: Policy) -> bool:
    return policy.retired_at is not None and not any(v.state == State.DRAFT for v in policy.versions.all())


def row_of(policy: Policy, found: dict[UUID | None, Figures], overruled: dict[UUID, list[str]]) -> PolicyRow:
    versions = list(policy.versions.all())
    draft = next((version for version in versions if version.state == State.DRAFT), None)
    current = next((version for version in versions if version.number == policy.live), None)
    said = current or next((v for v in versions if v.state == State.SHADOW), None) or draft or versions[0]
    row = PolicyRow(
        policy,
        in_words(said.body),
        scope_words(said.body["scope"]),
        found.get(policy.pk, Figures()),
        shadows.seen(policy),
        max(versions, key=lambda version: version.saved_at),
        draft,
    )
    row.flags = flags(policy, current, row.figures, overruled.get(policy.pk, []))
    return row


def signal_rows(workspace: Workspace, policies: list[Policy]) -> list[SignalRow]:
    if not policies:
        return []
    mine = Episode.objects.filter(workspace=workspace, shadow=False)
    since = timezone.now() - timedelta(days=standing.DAYS)
    acted = dict(mine.filter(acted_at__gt=since).values_list("policy_id").annotate(n=Count("id")))
    holds = dict(mine.filter(ended_at=None).values_list("policy_id").annotate(n=Count("id")))
    found = []
    for policy in policies:
        if is_retired(policy):
            continue
        versions = list(policy.versions.all())
        said = {version.number: version for version in versions}.get(policy.live or policy.shadow or 0, versions[0])
        draft = next((version for version in versions if version.state == State.DRAFT), None)
        edited = max(versions, key=lambda version: version.saved_at)
        words = signal_words.in_words(said.body)
        found.append(SignalRow(policy, words, acted.get(policy.pk, 0), holds.get(policy.pk, 0), edited, draft))
    return found


def flags(policy: Policy, current: PolicyVersion | None, figures: Figures, by: list[str]) -> list[tuple[str, str]]:
    found = []
    if by:
        found.append(("Conflict", f"{', '.join(by)} is stricter in every recent case of the same scope"))
    since = current.published_at if current else None
    if since and since < timezone.now() - standing.QUIET and not figures.decisions:
        found.append(("Unused", f"It decided nothing in {standing.DAYS} days"))
    return found


def finding(rows: list[PolicyRow], book: Rulebook, default: Figures, wished: int = 0) -> Finding:
    """The first that holds: nothing is live, a second person is waited for, rules in conflict, what is asked of
    people."""
    in_force = [row for row in rows if row.policy.live is not None]
    otherwise = f"Where none speaks: {lower(WORDS[Kind(book.default_effect)])}."
    if not in_force:
        return Finding(say("No policy is live"), say(f"Every ask of an agent is answered the same. {otherwise}"))
    lede = say(f"{plural(len(in_force), 'policy is,policies are')} live. {otherwise}")
    waiting = wished + sum(bool(row.draft and row.draft.proposed_by_id) for row in rows)
    if waiting:
        title = f"{plural(waiting, 'change waits,changes wait')} for a second person"
        return Finding(say(title), lede)
    conflicts = [row for row in in_force if row.flags and row.flags[0][0] == "Conflict"]
    if conflicts:
        title = (
            f"{plural(len(conflicts), 'policy decides,policies decide')} nothing: others of the same scope are stricter"
        )
        return Finding(say(title), lede)
    tickets = sum(row.figures.a_day for row in in_force)
    if tickets and any(row.figures.first_day for row in in_force):
        return Finding(say(f"Policies have asked people {plural(round(tickets), 'time,times')} so far"), lede)
    if not tickets:
        return Finding(
            say(f"{plural(len(in_force), 'policy has,policies have')} asked nobody in {standing.DAYS} days"), lede
        )
    asks = (
        f"Policies ask people {tickets:.1f} times a day"
        if tickets < 10
        else f"Policies ask people {number(tickets)} times a day"
    )
    return Finding(say(asks), lede)
