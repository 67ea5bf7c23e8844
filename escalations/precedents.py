"""Verdicts that people keep for cases like those in which they were said, and what becomes of them.

A precedent speaks only for cases of the same key (same rule and version, same act of the same agent) within the bounds
of what was decided (`covering`). It is shown with such a case, and makes its answer one press, or, where the policy
says so, gives it by itself (`answering`). It is never wider than what people decided, and never speaks where two people
decide or where the policy is marked sensitive. Where two that say different things cover one case, neither speaks. Each
use, and its end, is a receipt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from escalations.covering import Bounds, bounds
from escalations.models import Act, Batch, Descendant, Escalation, Precedent, Verb
from escalations.titles import title
from orchestration.holds.models import Hold
from orchestration.ledger import entries
from orchestration.lib.pulse import publish
from orchestration.policies.models import Policy
from orchestration.workspaces.models import User

SPEAKING = (Verb.APPROVE, Verb.REJECT)
LASTS = {30: "For 30 days", 90: "For 90 days", 180: "For half a year", 365: "For a year"}
REASON_CHARS = 500
LATELY = timedelta(days=30)  # how long after a verdict it may still be kept


class NotKept(Exception):
    """Why a verdict cannot be kept, said to whoever wants it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What would be kept: of one press, the cases that it decided, by whom and within which bounds."""

    act: Act
    cases: list[Escalation]
    bounds: Bounds
    note: str
    policy_id: UUID | None

    @property
    def first(self) -> Escalation:
        return self.cases[0]

    @property
    def title(self) -> str:
        return title(self.first)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person says of it. `within`: narrower numbers, by field."""

    reason: str
    days: int
    within: Mapping[str, tuple[float, float]]


def offer(act: Act, by: User, now: datetime) -> Offer:
    """Raises NotKept."""
    if act.person_id != by.pk or act.verb not in SPEAKING:
        raise NotKept("Only a plain yes or no of your own can be kept.")
    if act.undone_at or act.at < now - LATELY:
        raise NotKept("It was taken back." if act.undone_at else f"It is more than {LATELY.days} days old.")
    ids = [UUID(each["hold"]) for each in act.results if each["done"] and not each.get("first")]
    said = Hold.objects.filter(workspace=act.workspace_id, pk__in=ids, reviewer=by, verdict=act.verb).order_by("pk")
    holds = {hold.pk: hold for hold in said}
    cases = list(Escalation.objects.filter(workspace=act.workspace_id, pk__in=holds).order_by("pk"))
    if not cases:
        raise NotKept("Nothing of what you said then still stands.")
    first = holds[cases[0].pk]
    _may_speak(list(holds.values()), cases)
    found = bounds([(case.fields, case.text) for case in cases], prose=not cases[0].action_type)
    return Offer(act, cases, found, first.note, first.policy_id)


def _may_speak(holds: Sequence[Hold], cases: Sequence[Escalation]) -> None:
    if any(hold.people > 1 for hold in holds):
        raise NotKept("Where two people decide, each case is decided by two people.")
    if len({case.key for case in cases}) > 1:
        raise NotKept("These cases are of several kinds.")
    wary = Policy.objects.filter(workspace=holds[0].workspace_id, slug=holds[0].policy, sensitive=True)
    if holds[0].policy and wary.exists():
        raise NotKept("The policy that asks is marked sensitive: each case is looked at for itself.")


@transaction.atomic
def keep(found: Offer, wish: Wish, by: User, now: datetime) -> Precedent:
    """Raises NotKept. The same press is kept once."""
    first, act = found.first, found.act
    try:
        limits = found.bounds.narrowed(wish.within)
    except ValueError as error:
        raise NotKept(f"{error} may be narrower than what you decided, never wider.") from None
    made = Precedent(
        workspace_id=act.workspace_id,
        act_id=act.pk,
        hold_id=first.pk,
        key=first.key,
        shape=limits.shape,
        within={name: list(each) for name, each in limits.within.items()},
        title=found.title,
        agent=first.agent,
        action_type=first.action_type,
        currency=first.currency,
        policy_id=found.policy_id,
        policy=first.policy,
        version=first.version,
        verdict=act.verb,
        note=found.note,
        reason=wish.reason.strip()[:REASON_CHARS],
        cases=len(found.cases),
        said_by=by,
        said_at=now,
        expires_at=now + timedelta(days=wish.days),
    )
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError:
        raise NotKept("It is kept already.") from None
    told = {"verdict": made.verdict, "cases": made.cases, "days": wish.days, "policy": made.policy}
    _note(made, "precedent.kept", by, told | {"version": made.version, "act": str(act.pk)}, now)
    _spread(made)
    return made


def _spread(precedent: Precedent) -> None:
    """To the open cases of its key. Their batches are locked first, as whoever writes cases does."""
    _hold_still(precedent)
    limits = Bounds.of(precedent.shape, precedent.within)
    waiting = Escalation.objects.filter(workspace=precedent.workspace_id, key=precedent.key, open=True)
    inside = [row for row in waiting.only("fields", "text", "before") if limits.cover(row.fields, row.text)]
    alone = [row.pk for row in inside if row.before in ("", precedent.verdict)]
    torn = [row.pk for row in inside if row.before not in ("", precedent.verdict)]
    Escalation.objects.filter(pk__in=alone).update(precedent=precedent, before=precedent.verdict)
    Escalation.objects.filter(pk__in=torn).update(precedent=None, before="")
    if precedent.verdict == Verb.REJECT:
        Escalation.objects.filter(pk__in=alone).update(selected=False)
    transaction.on_commit(lambda: publish(precedent.workspace_id, "batch"))


def _hold_still(precedent: Precedent) -> None:
    open_ones = Batch.objects.filter(workspace=precedent.workspace_id, key=precedent.key, closed_at=None)
    list(open_ones.order_by("pk").select_for_update(no_key=True).values_list("pk"))


def speaking(workspace_id: int, now: datetime) -> QuerySet[Precedent]:
    """Those that have neither been revoked nor run out."""
    return Precedent.objects.filter(workspace=workspace_id, revoked_at=None, expires_at__gt=now)


def mark(workspace_id: int, rows: Iterable[Escalation], people: Mapping[UUID, int], now: datetime) -> None:
    """New cases: what was decided of cases like them before. Nothing is stored here."""
    waiting = [row for row in rows if people.get(row.pk, 1) == 1]
    by_key: dict[str, list[tuple[Precedent, Bounds]]] = defaultdict(list)
    keys = {row.key for row in waiting}
    for each in speaking(workspace_id, now).filter(key__in=keys).order_by("-said_at") if keys else ():
        by_key[each.key].append((each, Bounds.of(each.shape, each.within)))
    for row in waiting:
        found = [each for each, limits in by_key.get(row.key, ()) if limits.cover(row.fields, row.text)]
        if found and len({each.verdict for each in found}) == 1:
            row.precedent, row.before = found[0], found[0].verdict


def used(act: Act, cases: Iterable[Escalation]) -> None:
    """By a person, who said the same or something else of cases that a precedent covers."""
    covered = [case for case in cases if case.precedent_id]
    if not covered or act.verb == Verb.MORE:
        return
    named = {case.precedent_id for case in covered}
    live = set(speaking(act.workspace_id, act.at).filter(pk__in=named).values_list("pk", flat=True))
    told: dict[str, Any] = {"workspace_id": act.workspace_id, "act_id": act.pk, "person_id": act.person_id}
    rows = [
        Descendant(hold_id=case.pk, precedent_id=case.precedent_id, agreed=case.before == act.verb, at=act.at, **told)
        for case in covered
        if case.precedent_id in live
    ]
    Descendant.objects.bulk_create(rows, ignore_conflicts=True)
    who = f"person:{act.person.get_username()}"
    entries.record_all(
        entries.draft(
            act.workspace_id,
            "precedent.used",
            ("precedent", str(row.precedent_id)),
            who,
            {"hold": str(row.hold_id), "verdict": act.verb, "agreed": row.agreed},
            act.at,
        )
        for row in rows
    )


def taken_back(act: Act, hold_ids: Sequence[UUID], by: User) -> None:
    """A press was undone: it is no use of a precedent any more, and one that was kept of it ends."""
    Descendant.objects.filter(act_id=act.pk, hold_id__in=hold_ids).delete()
    for each in Precedent.objects.filter(workspace=act.workspace_id, act_id=act.pk, revoked_at=None):
        revoke(each, by, "The verdict it was kept of was taken back.")


@transaction.atomic
def revoke(precedent: Precedent, by: User, why: str) -> int | None:
    """From now on it speaks for nothing. Returns how many cases it had a part in; None: it was revoked before."""
    now = timezone.now()
    live = Precedent.objects.filter(pk=precedent.pk, revoked_at=None)
    if not live.update(revoked_at=now, revoked_by=by, revoked_why=why.strip()[:REASON_CHARS]):
        return None
    waiting = _forgotten(precedent)
    touched = Descendant.objects.filter(precedent=precedent)
    alone = touched.filter(act_id=None).count()
    told: dict[str, Any] = {"decided": touched.count(), "by_itself": alone, "waiting": waiting}
    _note(precedent, "precedent.revoked", by, told, now)
    transaction.on_commit(lambda: publish(precedent.workspace_id, "batch"))
    return int(told["decided"])


def _forgotten(precedent: Precedent) -> int:
    """By the open cases that it covers. Waits for nobody: one that is being decided goes on naming it, in vain."""
    covered = Escalation.objects.filter(precedent=precedent, open=True).order_by("pk")
    free = list(covered.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True))
    return Escalation.objects.filter(pk__in=free).update(precedent=None, before="")


def _note(precedent: Precedent, kind: str, by: User, told: Mapping[str, Any], now: datetime) -> None:
    who = f"person:{by.get_username()}"
    entries.record(precedent.workspace_id, kind, ("precedent", str(precedent.pk)), who, dict(told), now)


def covered_in(batch: Batch, precedent: Precedent) -> dict[UUID, int]:
    """Open cases of a batch that it covers, by the revisions that their holds have now."""
    ids = Escalation.objects.filter(batch=batch, open=True, precedent=precedent).values("pk")
    return dict(Hold.objects.filter(pk__in=ids).values_list("pk", "revision"))


def keepable(workspace_id: int, person: User, now: datetime) -> QuerySet[Act]:
    """What this person said lately and has not kept, the last first."""
    kept = speaking(workspace_id, now).exclude(act_id=None).values("act_id")
    mine = Act.objects.filter(Q(undo_until__isnull=False), workspace=workspace_id, person=person, undone_at=None)
    return mine.filter(verb__in=SPEAKING, at__gte=now - LATELY).exclude(pk__in=kept).order_by("-at")
