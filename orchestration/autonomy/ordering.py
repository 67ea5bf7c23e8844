"""Makes actions: one, or one for each of many; proposes them; undoes them. Only rows: `work` carries
them out. The same key is the same act, however often it is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import orjson
from django.db import IntegrityError, transaction
from django.utils import timezone

from orchestration.autonomy import receipts, rerouting
from orchestration.autonomy.aims import FITS, Aim
from orchestration.autonomy.haste import hasten
from orchestration.autonomy.models import Action, Cause, Kind, Order, State, Stop, Target
from orchestration.ledger import entries
from orchestration.routing.models import Move

Made = TypeVar("Made", Action, Order)
INVERSE: Mapping[str, Kind] = {
    Kind.QUARANTINE: Kind.RELEASE,
    Kind.RELEASE: Kind.QUARANTINE,
    Kind.PAUSE: Kind.RESUME,
    Kind.RESUME: Kind.PAUSE,
    Kind.CANCEL: Kind.REOPEN,
    Kind.REROUTE: Kind.RESTORE,
    Kind.SUPERVISE: Kind.TRUST,
    Kind.TRUST: Kind.SUPERVISE,
}
REASONED = (Kind.QUARANTINE, Kind.CANCEL, Kind.COMPENSATE)  # asked about, with a reason that is typed
MOST = 5_000  # in one order
MOST_MINUTES = 60 * 24 * 30
REASON_CHARS = 400


class Refused(ValueError):
    """An act that cannot be ordered so; the text says why."""


class KeyUsed(Refused):
    """The same key came with another wish."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done, by whom and why. `by` as the ledger names actors; `key`: the same key is the same act."""

    kind: Kind
    by: str
    key: str
    reason: str = ""
    minutes: int | None = None
    cause: Cause = Cause.PERSON
    cause_id: str = ""
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "by": self.by[:200],
            "reason": self.reason.strip()[:REASON_CHARS],
            "minutes": self.minutes,
            "cause": self.cause,
            "cause_id": self.cause_id[:300],
            "told": dict(self.told),
        }


def order(
    workspace_id: int, wish: Wish, target: Aim, *, proposed: bool = False, undoes: Action | None = None
) -> Action:
    """The action, made or found again by its key. Raises Refused, KeyUsed."""
    _check(workspace_id, wish, target.kind)
    digest = _digest(wish, [target])
    state = State.PROPOSED if proposed else State.QUEUED
    try:
        with transaction.atomic():
            made = Action.objects.create(
                workspace_id=workspace_id,
                key=wish.key,
                digest=digest,
                target_kind=target.kind,
                target=target.id,
                name=target.name,
                state=state,
                undoes=undoes,
                **wish.fields,
            )
            receipts.note(made, "proposed" if proposed else "ordered", wish.by, made.created_at)
            if not proposed:
                transaction.on_commit(hasten)
    except IntegrityError:
        return _before(Action.objects.get(workspace_id=workspace_id, key=wish.key), digest)
    return made


def order_all(workspace_id: int, wish: Wish, targets: Sequence[Aim], narrowed: Mapping[str, Any]) -> Order:
    """One action for each target, in one order. Raises Refused, KeyUsed."""
    if not targets:
        raise Refused("Nothing fits: there is nobody to do it to.")
    if len(targets) > MOST:
        raise Refused(f"That is {len(targets)}; at most {MOST} go in one order.")
    _check(workspace_id, wish, targets[0].kind)
    digest = _digest(wish, [], narrowed)
    before = Order.objects.filter(workspace_id=workspace_id, key=wish.key).first()
    if before:
        return _before(before, digest)
    try:
        with transaction.atomic():
            return _order_all(workspace_id, wish, targets, dict(narrowed), digest)
    except IntegrityError:
        return _before(Order.objects.get(workspace_id=workspace_id, key=wish.key), digest)


def _order_all(workspace_id: int, wish: Wish, targets: Sequence[Aim], narrowed: dict[str, Any], digest: str) -> Order:
    common = wish.fields
    made = Order.objects.create(
        workspace_id=workspace_id,
        key=wish.key,
        digest=digest,
        kind=wish.kind,
        target_kind=targets[0].kind,
        narrowed=narrowed,
        total=len(targets),
        by=common["by"],
        reason=common["reason"],
    )
    Action.objects.bulk_create(
        [
            Action(
                workspace_id=workspace_id,
                key=f"{made.pk}:{each.id}",
                digest="",
                target_kind=each.kind,
                target=each.id,
                name=each.name,
                order=made,
                **common,
            )
            for each in targets
        ],
        batch_size=1000,
    )
    told = {"kind": wish.kind.value, "target_kind": targets[0].kind.value, "total": len(targets)}
    whom = hashlib.sha256(orjson.dumps([each.id for each in targets])).hexdigest()
    told |= {"reason": common["reason"], "targets_sha256": whom}
    entries.record(workspace_id, "action.ordered_many", ("order", str(made.pk)), wish.by, told, made.created_at)
    transaction.on_commit(hasten)
    return made


@transaction.atomic
def approve(action: Action, by: str) -> bool:
    """A proposal becomes an act. False when it was settled before."""
    now = timezone.now()
    done = _turn(action, (State.PROPOSED,), state=State.QUEUED, due_at=now, decided_by=by)
    if done:
        receipts.note(action, "approved", by, now)
        transaction.on_commit(hasten)
    return done


@transaction.atomic
def decline(action: Action, by: str, reason: str = "") -> bool:
    """A proposal, or what was given up, is left as it is."""
    now = timezone.now()
    waiting = (State.PROPOSED, State.DEAD, State.FAILED, State.QUEUED)
    done = _turn(action, waiting, state=State.DECLINED, decided_by=by, ended_at=now)
    if done:
        receipts.note(action, "declined", by, now, {"why": reason.strip()[:REASON_CHARS]})
    return done


def undo(action: Action, wish: Wish) -> Action:
    """The act that takes it back, ordered. Raises Refused when it cannot be, or was already."""
    if not undoable(action):
        raise Refused("This cannot be taken back any more.")
    target = Aim(Target(action.target_kind), action.target, action.name)
    return order(action.workspace_id, wish, target, undoes=action)


def undoable(action: Action) -> bool:
    """Done, with an effect that is still there."""
    return action.pk in undoable_of([action])


def undoable_of(actions: Sequence[Action]) -> set[UUID]:
    """Ids of those of these that can be taken back. What stopped somebody, as long as that stands; what let somebody
    go on, as long as nobody has stopped it again."""
    done = [a for a in actions if a.state == State.DONE and a.kind in INVERSE and a.result.get("changed")]
    done = [a for a in done if not a.result.get("for_good")]
    if not done:
        return set()
    targets = [action.target for action in done]
    rows = Stop.objects.filter(workspace_id=done[0].workspace_id, target__in=targets)
    standing = list(rows.values_list("action_id", "kind", "target_kind", "target"))
    moved = Move.objects.filter(workspace_id=done[0].workspace_id, action__in=[action.pk for action in done])
    by_action = {row[0] for row in standing} | set(moved.values_list("action", flat=True))
    by_target = {row[1:] for row in standing}
    free = (Kind.RELEASE, Kind.RESUME)
    return {
        action.pk
        for action in done
        if (
            (INVERSE[action.kind].value, action.target_kind, action.target) not in by_target
            if action.kind in free
            else action.pk in by_action
        )
    }


def _turn(action: Action, states: tuple[State, ...], **fields: Any) -> bool:
    """One state to another, by whoever comes first."""
    done = bool(Action.objects.filter(pk=action.pk, state__in=states).update(**fields))
    if done:
        action.refresh_from_db()
    return done


def about(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """What more a caller said; nothing where that is no object."""
    found = told.get("about")
    return found if isinstance(found, Mapping) else {}


def _check(workspace_id: int, wish: Wish, target: Target) -> None:
    if wish.kind not in FITS[target]:
        raise Refused(f"There is no {wish.kind.label.lower()} of a {target.label.lower()}.")
    if wish.kind in REASONED and not wish.reason.strip():
        raise Refused("Say why: it stays with the act.")
    if wish.kind == Kind.REROUTE and not about(wish.told).get("to"):
        raise Refused("Say to whom the work goes: about.to, an agent by slug or name.")
    if wish.minutes is not None and not 1 <= wish.minutes <= MOST_MINUTES:
        raise Refused("It lasts at least a minute and at most 30 days.")
    if not wish.key or len(wish.key) > 300 or "\0" in wish.key + wish.reason:
        raise Refused("A key is a text of at most 300 characters.")
    if wish.kind == Kind.REROUTE and wish.cause == Cause.PERSON:
        _look(workspace_id, wish)


def _look(workspace_id: int, wish: Wish) -> None:
    """A person is told at once that nobody is called so. What Baton orders itself is given up where that is so."""
    try:
        rerouting.look(workspace_id, about(wish.told))
    except rerouting.Nobody as error:
        raise Refused(f"about: {error}") from error


def _digest(wish: Wish, targets: Sequence[Aim], narrowed: Mapping[str, Any] | None = None) -> str:
    fields = wish.fields
    said = [fields["kind"], fields["reason"], fields["minutes"], fields["told"], [(t.kind, t.id) for t in targets]]
    return hashlib.sha256(orjson.dumps([*said, dict(narrowed or {})], option=orjson.OPT_SORT_KEYS)).hexdigest()


def _before(found: Made, digest: str) -> Made:
    if found.digest != digest:
        raise KeyUsed("This key was used for another act.")
    return found
