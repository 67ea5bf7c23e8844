"""What a pair of agents needs in a handoff beyond the common shape: named facts and their kinds, how much of each list,
which kinds of data may go along. An admin writes it; the sender is told what is missing, and the receiver can rely on
the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Length
from django.utils import timezone

from orchestration.handoffs import parties
from orchestration.handoffs.envelope import Sent
from orchestration.handoffs.given import MISSING, NOT_ALLOWED, TOO_FEW, WRONG_TYPE, Fault
from orchestration.handoffs.models import Demand
from orchestration.handoffs.parties import Pair
from orchestration.ledger import entries
from orchestration.workspaces.models import User, Workspace

COUNTED = ("done", "evidence")  # lists of which a pair may need some
MOST_FACTS = 30
REMEMBERED = 5_000
_known: dict[tuple[int, Pair], Demanded] = {}


def _time(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


KINDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "text": ("a text", lambda value: isinstance(value, str) and bool(value.strip())),
    "number": ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "whole": ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "flag": ("true or false", lambda value: isinstance(value, bool)),
    "time": ("a time as RFC 3339 has it", _time),
    "list": ("a list", lambda value: isinstance(value, list)),
    "object": ("an object", lambda value: isinstance(value, dict)),
}


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    kind: str
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Demanded:
    """`classes`: the only kinds of data that may go along; None: any. `again`: whether what one has begun may be begun
    by the next, once the first was given up. `row`: where it is written."""

    facts: tuple[Fact, ...] = ()
    least: tuple[tuple[str, int], ...] = ()
    classes: tuple[str, ...] | None = None
    version: int = 0
    again: bool = True
    row: int = 0

    @classmethod
    def of(cls, row: Demand | None) -> Demanded:
        body = row.body if row else {}
        classes = body.get("classes")
        return cls(
            tuple(Fact(**each) for each in body.get("facts", ())),
            tuple(sorted((body.get("least") or {}).items())),
            None if classes is None else tuple(classes),
            row.version if row else 0,
            body.get("again", True),
            (row.pk or 0) if row else 0,
        )

    @property
    def stored(self) -> dict[str, Any]:
        facts = [{"name": fact.name, "kind": fact.kind, "needed": fact.needed} for fact in self.facts]
        least = {name: n for name, n in self.least if n}
        classes = None if self.classes is None else list(self.classes)
        return {"facts": facts, "least": least, "classes": classes, "again": self.again}

    @property
    def empty(self) -> bool:
        return not self.facts and self.classes is None and self.again and not any(n for _, n in self.least)


def row_of(workspace_id: int, pair: Pair) -> Demand | None:
    """The version that counts: what is said of just these two before what is said of their names."""
    sender, receiver = pair
    found = Demand.objects.filter(
        workspace=workspace_id, sender_key__in=sender.keys, receiver_key__in=receiver.keys
    ).annotate(said=Length("sender_key") + Length("receiver_key"))
    return found.order_by("-said", "-version").first()


def remembered(workspace_id: int, pair: Pair) -> Demanded:
    """The same for who sends many; what is stored asks whether it still counts (`sending_sql`)."""
    known = _known.get((workspace_id, pair))
    return renewed(workspace_id, pair) if known is None else known


def renewed(workspace_id: int, pair: Pair) -> Demanded:
    """Read anew."""
    if len(_known) >= REMEMBERED:
        _known.clear()
    found = _known[workspace_id, pair] = Demanded.of(row_of(workspace_id, pair))
    return found


def forget() -> None:
    """Empty the memory, between tests."""
    _known.clear()


def faults(sent: Sent, demanded: Demanded) -> list[Fault]:
    """What the pair needs and the envelope lacks."""
    found = [fault for fact in demanded.facts if (fault := _fault(fact, sent.body["facts"]))]
    for name, least in demanded.least:
        if len(sent.body[name]) < least:
            found.append(Fault(name, TOO_FEW, f"This pair of agents needs at least {least}."))
    if demanded.classes is not None:
        others = [each for each in sent.body["data_classes"] if each not in demanded.classes]
        if others:
            found.append(Fault("data_classes", NOT_ALLOWED, f"Between these agents no {', '.join(others)} may go."))
    return found


def _fault(fact: Fact, given: Mapping[str, Any]) -> Fault | None:
    words, fits = KINDS[fact.kind]
    value = given.get(fact.name)
    if value is None:
        needed = f"This pair of agents needs it: {words}."
        return Fault(f"facts.{fact.name}", MISSING, needed) if fact.needed else None
    return None if fits(value) else Fault(f"facts.{fact.name}", WRONG_TYPE, f"This is {words}.")


class ChangedMeanwhile(Exception):
    """Somebody else has written a version since this one was read."""


def change(workspace: Workspace, names: tuple[str, str], wanted: Demanded, by: User) -> Demand:
    """A new version, based on `wanted.version`; the same as before is no change. Raises ChangedMeanwhile."""
    pair = parties.between(workspace.pk, *names)
    before = row_of(workspace.pk, pair)
    if before and before.body == wanted.stored:
        return before
    if (before.version if before else 0) != wanted.version:
        raise ChangedMeanwhile
    try:
        with transaction.atomic():
            return _store(workspace, names, pair, wanted, by)
    except IntegrityError:
        raise ChangedMeanwhile from None


def _store(workspace: Workspace, names: tuple[str, str], pair: Pair, wanted: Demanded, by: User) -> Demand:
    actor = f"person:{by.get_username()}"
    made = Demand.objects.create(
        workspace=workspace,
        sender=names[0],
        sender_key=pair[0].text,
        receiver=names[1],
        receiver_key=pair[1].text,
        version=wanted.version + 1,
        body=wanted.stored,
        by=actor,
        made_at=timezone.now(),
    )
    told = {"from": names[0], "to": names[1], "version": made.version, **wanted.stored}
    entries.record(
        workspace.pk, "handoff.demands", ("pair", "/".join(each.text for each in pair)[:300]), actor, told, made.made_at
    )
    return made
