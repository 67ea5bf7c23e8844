"""Draft, shadow, live, retired: every change of what a policy says, each one transaction with its ledger entry.

A policy's row is locked first, so two people who press at once are told apart; a version that has left draft stands for
good. What is refused is a `NotNow` whose text says what has to be done first.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.text import slugify

from orchestration.ledger import entries
from orchestration.outbox import send
from orchestration.outbox.models import Event
from orchestration.policies import bodies, live, proposals, shadows, standing, versions
from orchestration.policies.models import Act, Policy, PolicyVersion, State, Subject
from orchestration.policies.rehearsal import RECENT
from orchestration.workspaces.models import User, Workspace

REPLAY_STANDS = timedelta(hours=24)
MOST_POLICIES = 500
EPISODES = 5  # that the shadow of a rule on signals has to see: it holds of something far more seldom than agents ask
# Words that are addresses below those of policies, or stand in answers where no policy speaks
RESERVED = frozenset({"bundle", "second", "default"})


class NotNow(ValueError):
    """The step cannot be taken; the text says why and what to do."""


class Changed(NotNow):
    """Somebody else was first."""


def create(workspace: Workspace, name: str, by: User, body: Mapping[str, Any], *, purpose: str = "") -> PolicyVersion:
    """A policy with its first draft. Raises versions.BadBody and NotNow."""
    made = bodies.checked(body, standing.lately(workspace.pk, RECENT))
    name = name.strip()[:120]
    if not name:
        raise NotNow("Give the policy a name.")
    if slugify(name) in RESERVED:
        raise NotNow(f"No policy can be called {name}: the word means something else in addresses. Add another word.")
    with transaction.atomic():
        if Policy.objects.filter(workspace=workspace).count() >= MOST_POLICIES:
            raise NotNow(f"A workspace has at most {MOST_POLICIES} policies.")
        policy = Policy.objects.create(
            workspace=workspace,
            slug=_free_slug(workspace, name),
            name=name,
            purpose=purpose.strip(),
            subject=bodies.subject_of(made),
            created_by=by,
            **({"shadow_decisions": EPISODES} if bodies.subject_of(made) == Subject.SIGNAL else {}),
        )
        draft = _draft(policy, made, by, based_on=None)
        _note(policy, "policy.created", by, {"name": name, "version": draft.number})
    return draft


def save_draft(policy_id: UUID, by: User, body: Mapping[str, Any], *, seen: str | None = None) -> PolicyVersion:
    """Store what the draft says; the first save after a publication begins the next version.

    `seen`: digest of the draft that was being edited; another one now means that somebody else has saved (Changed).
    """
    of, subject = Policy.objects.values_list("workspace_id", "subject").get(pk=policy_id)
    made = bodies.checked(body, standing.lately(of, RECENT))
    if bodies.subject_of(made) != subject:
        raise NotNow("A policy about asks stays one, and so does one about a signal.")
    with transaction.atomic():
        policy = _lock(policy_id)
        draft = policy.versions.filter(state=State.DRAFT).first()
        if draft is None:
            return _draft(policy, made, by, based_on=policy.live)
        if seen is not None and seen not in (draft.digest, versions.digest_of(made)):
            raise Changed(f"Version {draft.number} was saved by {_name(draft.author)} meanwhile.")
        draft.body, draft.digest = made, versions.digest_of(made)
        draft.author, draft.saved_at, draft.proposed_by = by, timezone.now(), None
        draft.save(update_fields=["body", "digest", "author", "saved_at", "proposed_by"])
    return draft


def discard(policy_id: UUID, by: User) -> None:
    with transaction.atomic():
        policy = _lock(policy_id)
        gone = [draft.number for draft in policy.versions.filter(state=State.DRAFT)]
        policy.versions.filter(state=State.DRAFT).delete()
        for number in gone:
            _note(policy, "policy.discarded", by, {"version": number})
        if gone and not policy.versions.exists():
            policy.delete()  # it never said anything; the ledger remembers that there was a draft


def start_shadow(policy_id: UUID, by: User) -> PolicyVersion:
    """The draft runs beside what is live and changes nothing; its answers are counted. It stands from now on."""
    with transaction.atomic():
        policy = _lock(policy_id)
        draft = _only_draft(policy)
        policy.versions.filter(state=State.SHADOW).update(state=State.RETIRED, ended_at=timezone.now())
        draft.state = State.SHADOW
        draft.save(update_fields=["state"])
        policy.shadow, policy.shadow_since = draft.number, timezone.now()
        policy.save(update_fields=["shadow", "shadow_since"])
        _renewed(policy, "policy.shadowed", by, draft)
    return draft


def stop_shadow(policy_id: UUID, by: User) -> None:
    with transaction.atomic():
        policy = _lock(policy_id)
        version = policy.versions.filter(state=State.SHADOW).first()
        if version is None:
            return
        version.state, version.ended_at = State.RETIRED, timezone.now()
        version.save(update_fields=["state", "ended_at"])
        policy.shadow = policy.shadow_since = None
        policy.save(update_fields=["shadow", "shadow_since"])
        _renewed(policy, "policy.unshadowed", by, version)


def publish(policy_id: UUID, number: int, by: User, reason: str, *, early: bool = False) -> PolicyVersion:
    """Draft or shadow to live. Where a second person is needed the first press proposes (`state` is still what it was,
    `proposed_by` says who), and another admin's press publishes. `early`: a rule on signals may go before its shadow
    has seen enough, since what it waits for may not happen in years; what was lacking stays with the version."""
    with transaction.atomic():
        policy = _lock(policy_id)
        version = policy.versions.filter(number=number).first()
        if version is None:
            raise NotNow("There is no such version.")
        if version.state == State.LIVE:
            return version
        if version.state == State.RETIRED:
            raise NotNow(f"Version {number} has ended. Revert to it, which makes a new version.")
        lacks = _ready(policy, version, reason, early)
        if needs_second(policy) and version.proposed_by_id in (None, by.pk):
            version.proposed_by, version.reason = by, reason.strip()[:400]
            version.save(update_fields=["proposed_by", "reason"])
            _note(policy, "policy.proposed", by, _told(version))
            return version
        version.reason = reason.strip()[:400] or version.reason
        version.early = lacks[:200]
        more = {"asked_by": _name(version.proposed_by)} if version.proposed_by_id else {}
        more |= {"early": lacks} if lacks else {}
        return _go_live(policy, version, by, "policy.published", more)


def revert(policy_id: UUID, number: int, by: User, reason: str) -> PolicyVersion | None:
    """One press: what an earlier version said is live again, as a new version. None: it waits for a second person."""
    with transaction.atomic():
        policy = _lock(policy_id)
        earlier = policy.versions.filter(number=number).exclude(published_at=None).first()
        if earlier is None:
            raise NotNow(f"Version {number} was never live.")
        told = {"version": number, "live": policy.live}
        may, asked_by = _agreed(policy, Act.REVERT, told, by, reason)
        if not may:
            return None
        version = _draft(policy, earlier.body, by, based_on=number, spare=True)
        version.reason = reason.strip()[:400] or f"Back to version {number}"
        return _go_live(policy, version, by, "policy.reverted", asked_by)


def retire(policy_id: UUID, by: User, reason: str) -> bool:
    """The policy speaks no more. Its versions and decisions stay. False: it waits for a second person."""
    with transaction.atomic():
        policy = _lock(policy_id)
        may, asked_by = _agreed(policy, Act.RETIRE, {"live": policy.live}, by, reason)
        if not may:
            return False
        now = timezone.now()
        policy.versions.filter(state__in=[State.LIVE, State.SHADOW]).update(state=State.RETIRED, ended_at=now)
        policy.live = policy.shadow = policy.shadow_since = None
        policy.retired_at = now
        policy.save(update_fields=["live", "shadow", "shadow_since", "retired_at"])
        live.renew([policy.workspace_id])
        _note(policy, "policy.retired", by, {"reason": reason.strip()[:400], **asked_by})
    return True


def needs_second(policy: Policy) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("select two_people from policies_rulebook where workspace_id = %s", [policy.workspace_id])
        row = cursor.fetchone()
    return policy.sensitive or bool(row and row[0])


def _agreed(policy: Policy, act: Act, told: Mapping[str, Any], by: User, reason: str) -> tuple[bool, dict[str, str]]:
    """Whether this may be done now, and who has asked for it where two people were needed."""
    if not needs_second(policy):
        return True, {}
    found = proposals.agreed(policy.workspace, policy, act, told, by, reason)
    return found is not None, {"asked_by": found.asked_by.get_username()} if found else {}


def _ready(policy: Policy, version: PolicyVersion, reason: str, early: bool) -> str:
    """What its shadow still lacks, where it may go without ("" : nothing)."""
    if not (reason.strip() or version.reason):
        raise NotNow("Say in a sentence why this changes: it stays in the history.")
    failed = [tried for tried in bodies.try_examples(policy.name, version.body) if not tried.passes]
    if failed:
        told = "; ".join(f"{tried.name} should be {tried.expected} and is {tried.said}" for tried in failed[:3])
        raise NotNow(f"Example cases do not pass: {told}.")
    fresh = version.replayed_at and version.replayed_at > timezone.now() - REPLAY_STANDS
    if not (fresh and version.replayed_digest == version.digest) and _has_history(policy):
        of = "what was measured" if policy.subject == Subject.SIGNAL else "recorded decisions"
        raise NotNow(f"Replay this version over {of} first: its last replay is older than a day or absent.")
    lacks = shadows.why_not(policy, shadows.seen(policy)) if version.state == State.SHADOW else ""
    if not lacks or (early and policy.subject == Subject.SIGNAL):
        return lacks
    raise NotNow(f"{lacks} Wait, or lower what this policy asks of shadows.")


def _has_history(policy: Policy) -> bool:
    table = "policies_reading" if policy.subject == Subject.SIGNAL else "policies_decision"
    with connection.cursor() as cursor:
        cursor.execute(f"select exists(select 1 from {table} where workspace_id = %s)", [policy.workspace_id])
        return bool(cursor.fetchone()[0])


def _go_live(
    policy: Policy, version: PolicyVersion, by: User, kind: str, more: Mapping[str, str] | None = None
) -> PolicyVersion:
    now = timezone.now()
    policy.versions.filter(state=State.LIVE).update(state=State.RETIRED, ended_at=now)
    was_shadow = version.state == State.SHADOW
    version.state, version.published_by, version.published_at = State.LIVE, by, now
    version.save(update_fields=["state", "published_by", "published_at", "reason", "early"])
    policy.live, policy.retired_at = version.number, None
    if was_shadow:
        policy.shadow = policy.shadow_since = None
    policy.save(update_fields=["live", "retired_at", "shadow", "shadow_since"])
    _renewed(policy, kind, by, version, more)
    return version


def _draft(
    policy: Policy, body: Mapping[str, Any], by: User, *, based_on: int | None, spare: bool = False
) -> PolicyVersion:
    """A new version in draft. `spare`: it is about to leave that state, and an open draft beside it stays."""
    last = policy.versions.aggregate(last=Max("number"))["last"] or 0
    if spare:
        policy.versions.filter(state=State.LIVE).update(state=State.RETIRED, ended_at=timezone.now())
    return PolicyVersion.objects.create(
        policy=policy,
        number=last + 1,
        state=State.LIVE if spare else State.DRAFT,
        body=dict(body),
        digest=versions.digest_of(body),
        based_on=based_on,
        author=by,
    )


def _only_draft(policy: Policy) -> PolicyVersion:
    draft = policy.versions.filter(state=State.DRAFT).first()
    if draft is None:
        raise NotNow("There is no draft.")
    return draft


def _lock(policy_id: UUID) -> Policy:
    return Policy.objects.select_for_update().get(pk=policy_id)


def _renewed(
    policy: Policy, kind: str, by: User, version: PolicyVersion, more: Mapping[str, str] | None = None
) -> None:
    live.renew([policy.workspace_id])
    _note(policy, kind, by, {**_told(version), **(more or {})})
    if version.state == State.LIVE:
        told = {"policy": policy.slug, "by": by.get_username(), **_told(version)}
        send.announce(policy.workspace_id, Event.POLICY_PUBLISHED, f"{policy.pk} {version.number}", told)


def _told(version: PolicyVersion) -> dict[str, Any]:
    return {"version": version.number, "sha256": version.digest, "reason": version.reason}


def _note(policy: Policy, kind: str, by: User, told: Mapping[str, Any]) -> None:
    told = {"policy": policy.slug, **told}
    entries.record(
        policy.workspace_id, kind, ("policy", str(policy.pk)), f"person:{by.get_username()}", told, timezone.now()
    )


def _free_slug(workspace: Workspace, name: str) -> str:
    wanted = slugify(name)[:70] or "policy"
    taken = set(Policy.objects.filter(workspace=workspace, slug__startswith=wanted).values_list("slug", flat=True))
    return next(
        slug for n in range(1, MOST_POLICIES + 2) if (slug := wanted if n == 1 else f"{wanted}-{n}") not in taken
    )


def _name(user: User | None) -> str:
    return user.get_username() if user else "somebody"
