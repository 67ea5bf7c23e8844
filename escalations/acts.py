"""What a reviewer does to the cases of a batch. Each press is a row made in the same transaction as what it does, so
that a second press of the same form is the first one again, and so that it can be taken back.

Order in which rows are locked, here and in the sweep: batches by their ids and all at once, holds, cases. What meets
somebody from another side nevertheless is tried again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import OperationalError, transaction
from django.db.models import F
from django.utils import timezone

from escalations import precedents
from escalations.assigning import kept_from
from escalations.counting import recount
from escalations.forms import ActForm
from escalations.models import Act, Batch, Escalation, Verb
from escalations.opened import who_was_first, why_not
from orchestration.holds import verdicts
from orchestration.holds.models import Answered, Hold
from orchestration.holds.verdicts import UNDO, Outcome, Verdict
from orchestration.ledger import entries
from orchestration.lib.pulse import publish
from orchestration.workspaces.models import User, Workspace

STANDS_OUT = "it stands out by now, which it did not when you opened this: look at it"
HASTE = (15, 5.0)  # more cases than that, sooner than so many seconds after opening, is asked about once
TRIES = 4
VERDICTS = (Verb.APPROVE, Verb.REJECT, Verb.AMEND, Verb.MORE)


@dataclass(frozen=True, slots=True)
class By:
    """Who presses, with which form, and which press it is."""

    workspace: Workspace
    person: User
    key: str


@dataclass(frozen=True, slots=True)
class Done:
    """`again`: the same press had been done before."""

    act: Act
    again: bool

    @property
    def lost(self) -> list[dict[str, Any]]:
        """What could not be done, each with why."""
        return [each for each in self.act.results if not each["done"]]

    @property
    def count(self) -> int:
        return len(self.act.results) - len(self.lost)

    @property
    def unlooked(self) -> set[UUID]:
        """What is to be looked at before it is decided."""
        return {UUID(each["hold"]) for each in self.lost if each["why"] == STANDS_OUT}


class Hasty(Exception):
    """So many in so short a time: asked once whether that was meant."""

    def __init__(self, count: int, seconds: float) -> None:
        self.count, self.seconds = count, seconds
        super().__init__(f"{count} in {seconds:.0f} s")


class Changed(Exception):
    """What was to be decided as a whole is no longer what it was. `now`: how many cases there are."""

    def __init__(self, now: int) -> None:
        self.now = now
        super().__init__(str(now))


def decide(by: By, batch: Batch, form: ActForm) -> Done:
    """The verdict of the form on the cases it names, or on all that are alike. Raises Hasty, Changed."""
    said, now = form.cleaned_data, timezone.now()
    verb, verdict, seconds = Verb(said["act"]), form.verdict, form.seconds(now)
    asked = alike(batch, said["alike"]) if said.get("alike") else form.asked
    if said.get("as_before"):
        verb, verdict, asked = as_before(batch, *said["as_before"])
    if seconds is not None and seconds < HASTE[1] and len(asked) > HASTE[0] and not said["sure"]:
        before = Act.objects.filter(workspace=by.workspace, person=by.person, key=by.key)
        if not before.exists():
            raise Hasty(len(asked), seconds)

    def do(act: Act) -> None:
        _decide(by, act, asked, verdict, form.offered if asked is form.asked else ())
        spent = seconds / len(asked) if seconds is not None and asked else None
        _close(act, now, spent, unneeded=bool(said["unneeded"]))

    return once(by, verb, batch, do)


def as_before(batch: Batch, precedent_id: UUID, seen: int) -> tuple[Verb, Verdict, dict[UUID, int]]:
    """What a precedent says, and the cases of the batch that it covers, as many as the page said."""
    live = precedents.speaking(batch.workspace_id, timezone.now())
    found = live.filter(pk=precedent_id).first()
    covered = precedents.covered_in(batch, found) if found else {}
    if found is None or len(covered) != seen:
        raise Changed(len(covered))
    return Verb(found.verdict), Verdict(Answered(found.verdict), found.note), covered


def alike(batch: Batch, seen: int) -> dict[UUID, int]:
    """What starts selected in all open batches of the same key, by the revisions they have now; the page said how many
    these are, and a page that was wrong decides nothing."""
    found = Escalation.objects.filter(
        workspace_id=batch.workspace_id, key=batch.key, open=True, selected=True, batch__closed_at=None
    )
    ids = list(found.values_list("hold_id", flat=True))
    if len(ids) != seen:
        raise Changed(len(ids))
    return dict(Hold.objects.filter(pk__in=ids).values_list("pk", "revision"))


def once(by: By, verb: Verb, batch: Batch, do: Callable[[Act], None]) -> Done:
    """Does it unless this press has been done; tries again where two were in each other's way."""
    for tried in range(TRIES):
        try:
            with transaction.atomic():
                defaults = {"verb": verb, "batch_id": batch.pk}
                act, made = Act.objects.get_or_create(
                    workspace=by.workspace, person=by.person, key=by.key, defaults=defaults
                )
                if made:
                    do(act)
                    act.save(update_fields=["results", "before", "words", "undo_until"])
                    transaction.on_commit(lambda: publish(by.workspace.pk, "batch"))
            return Done(act, not made)
        except OperationalError:
            if tried == TRIES - 1:
                raise
            time.sleep(0.05 * (tried + 1))
    raise AssertionError("unreachable")


def _decide(by: By, act: Act, asked: Mapping[UUID, int], verdict: Verdict, offered: Collection[UUID]) -> None:
    """`offered`: what started as a yes on the page. What stands out by now, since verdicts have taught more or others
    came, takes a look: the page that is shown again leaves it unticked."""
    cases = _locked(by.workspace, asked)
    mine = {pk: revision for pk, revision in asked.items() if pk in cases}
    holds = Hold.objects.in_bulk(list(mine))
    barred = {pk: why for pk, hold in holds.items() if (why := _barred(cases[pk], hold, by.person))}
    if verdict.answer == Answered.APPROVE:
        barred |= {pk: STANDS_OUT for pk in offered if pk in mine and cases[pk].open and not cases[pk].selected}
    barred |= kept_from(by.workspace.pk, by.person, {pk: hold.people for pk, hold in holds.items()})
    free = {pk: revision for pk, revision in mine.items() if pk not in barred}
    outcomes = verdicts.decide_many(by.workspace.pk, free, verdict, by.person)
    act.results = [_result(cases[each.hold.pk], each) for each in outcomes]
    act.results += [
        {"hold": str(pk), "number": cases[pk].number, "done": False, "why": why} for pk, why in barred.items()
    ]
    won = [each.hold for each in outcomes if each.done]
    precedents.used(act, [cases[each.hold.pk] for each in outcomes if each.done and not each.first])
    ends = [hold.apply_at for hold in won if hold.apply_at]
    act.undo_until = max(ends, default=act.at + UNDO if won else None)
    act.before = {"early": sum(end < act.at + UNDO - UNDO / 10 for end in ends)}
    act.words = _words(act, len(won), sum(each.first for each in outcomes))


def _barred(case: Escalation, hold: Hold, person: User) -> str:
    """Who raised a case may not decide it. That a person has answered already is the first word of two, and no bar."""
    why = why_not(case, hold, person)
    return "" if hold.first and hold.first.get("by") == person.pk else why


def _words(act: Act, count: int, firsts: int) -> str:
    label = Verb(act.verb).label
    return f"{label} {count}" + (f", {firsts} of them for a second person to confirm" if firsts else "")


def _result(case: Escalation, outcome: Outcome) -> dict[str, Any]:
    told: dict[str, Any] = {"hold": str(outcome.hold.pk), "number": case.number, "done": outcome.done}
    if outcome.done:
        return told | {"revision": outcome.hold.revision, "first": outcome.first}
    return told | {"why": outcome.why or who_was_first(outcome.hold)}


def _locked(workspace: Workspace, ids: Iterable[UUID]) -> dict[UUID, Escalation]:
    """The cases of these holds in this workspace; their batches cannot change until the end of the transaction."""
    cases = Escalation.objects.filter(workspace=workspace, pk__in=list(ids)).in_bulk()
    batches = {case.batch_id for case in cases.values()}
    list(Batch.objects.filter(pk__in=batches).order_by("pk").select_for_update(no_key=True).values_list("pk"))
    return cases


def _close(act: Act, now: datetime, seconds: float | None, *, unneeded: bool) -> None:
    """What was decided leaves the inbox with the same commit; the sweep would see to it a second later."""
    ids = [UUID(each["hold"]) for each in act.results if each["done"] and not each["first"]]
    closed = Escalation.objects.filter(pk__in=ids)
    closed.update(open=False, closed_at=now, seconds=seconds, unneeded=unneeded)
    recount(_batches(ids))


def _batches(ids: Sequence[UUID]) -> set[UUID]:
    found = Escalation.objects.filter(pk__in=ids).values_list("batch_id", flat=True)
    return {each for each in found if each is not None}


def undo(act: Act, by: User) -> int:
    """Takes back what may still be taken back of it. Returns how many cases wait again; 0 is too late."""
    with transaction.atomic():
        open_acts = Act.objects.select_for_update().filter(pk=act.pk, person=by, undone_at=None)
        held = open_acts.filter(undo_until__gt=timezone.now()).first()
        if held is None:
            return 0
        back = _back(held, by) if held.verb in VERDICTS else _set_back(held, by)
        if back:
            Act.objects.filter(pk=act.pk).update(undone_at=timezone.now())
        transaction.on_commit(lambda: publish(act.workspace_id, "batch"))
    return back


def _back(act: Act, by: User) -> int:
    asked = {UUID(each["hold"]): each["revision"] for each in act.results if each["done"]}
    _locked(act.workspace, asked)
    ids = [hold.pk for hold in verdicts.undo_many(act.workspace_id, asked, by)]
    if ids:
        precedents.taken_back(act, ids, by)
    Escalation.objects.filter(pk__in=ids).update(open=True, closed_at=None, seconds=None, unneeded=False)
    recount(_batches(ids))
    return len(ids)


def _set_back(act: Act, by: User) -> int:
    """A batch as it was: whose, until when put off, with which cases."""
    now = timezone.now()
    was = act.before
    ids = [was["batch"], *([was["apart"]] if act.verb == Verb.SPLIT else [])]
    held = Batch.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    batch = {str(each.pk): each for each in held}.get(was["batch"])
    if batch is None:
        return 0
    if act.verb == Verb.SPLIT:
        return _joined(act, was, by, now)
    fields = {name: was[name] for name in ("assigned_to_id", "assigned_why", "pinned", "snoozed_until") if name in was}
    Batch.objects.filter(pk=batch.pk).update(revision=F("revision") + 1, **fields)
    told(by, batch, "batch.undone", now, {"act": act.verb})
    return batch.cases


def _joined(act: Act, was: Mapping[str, Any], by: User, now: datetime) -> int:
    back = 0
    for hold, number, standing, selected in was["cases"]:
        mine = Escalation.objects.filter(pk=hold, batch_id=was["apart"])
        back += mine.update(batch_id=was["batch"], number=number, standing=standing, selected=selected)
    recount([UUID(was["batch"]), UUID(was["apart"])])
    told(by, Batch(pk=UUID(was["batch"]), workspace_id=act.workspace_id), "batch.undone", now, {"act": act.verb})
    return back


def told(by: User, batch: Batch, kind: str, at: datetime, facts: Mapping[str, Any]) -> None:
    """What people do to a batch stands in the ledger too."""
    who = f"person:{by.get_username()}"
    entries.record(batch.workspace_id, kind, ("batch", str(batch.pk)), who, dict(facts), at)


def latest(workspace: Workspace, person: User, now: datetime) -> list[Act]:
    """What this person may still take back, the last first."""
    mine = Act.objects.filter(workspace=workspace, person=person, undone_at=None, undo_until__gt=now)
    return list(mine.exclude(words="").order_by("-at")[:20])
