"""Acts that decide nothing: who looks at a batch, when, and which cases belong together. Each can be taken back."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q
from django.utils import timezone

from escalations.acts import By, Done, once, told
from escalations.counting import recount
from escalations.forms import ActForm, wake_at
from escalations.models import Act, Alarm, Batch, Clock, Escalation, Standing, Verb
from escalations.words import person as named
from orchestration.holds.verdicts import UNDO
from orchestration.workspaces.models import Membership, User, Workspace


class Nobody(Exception):
    """There is no one to give it to."""


def split(by: By, batch: Batch, form: ActForm) -> Done:
    """The chosen cases into a batch of their own, which takes no newcomers."""
    chosen = list(form.asked)

    def do(act: Act) -> None:
        home = Batch.objects.select_for_update().get(pk=batch.pk)
        moving = list(Escalation.objects.filter(pk__in=chosen, batch=home, open=True).order_by("number"))
        if not moving or len(moving) == home.cases:
            act.words = ""  # all of them: they are on their own already
            return
        apart = _apart(home, len(moving))
        before = [[str(case.pk), case.number, case.standing, case.selected] for case in moving]
        standing = Standing.ALONE if len(moving) == 1 else Standing.ALIKE
        for number, case in enumerate(moving, 1):
            case.batch, case.number, case.standing, case.selected = apart, number, standing, True
        Escalation.objects.bulk_update(moving, ["batch", "number", "standing", "selected"])
        recount([home.pk, apart.pk])
        act.before = {"batch": str(home.pk), "apart": str(apart.pk), "cases": before}
        _leaves(act, f"Split off {len(moving)}")
        told(by.person, home, "batch.split", timezone.now(), {"cases": len(moving), "into": str(apart.pk)})

    return once(by, Verb.SPLIT, batch, do)


def _apart(home: Batch, count: int) -> Batch:
    kept = ("workspace_id", "key", "core", "title", "agent", "policy", "version", "skill", "people", "due_at")
    more = {name: getattr(home, name) for name in (*kept, "opened_at", "assigned_to_id", "assigned_why", "pinned")}
    return Batch.objects.create(**more, split=True, cases=count)


def assign(by: By, batch: Batch, form: ActForm) -> Done:
    """Raises Nobody when that person reviews nothing here."""
    chosen = reviewers(by.workspace).filter(user_id=form.cleaned_data["person"]).first()
    if chosen is None:
        raise Nobody

    def do(act: Act) -> None:
        why = f"Given to you by {named(by.person)}" if chosen.user_id != by.person.pk else "You took it"
        _give(act, batch, chosen.user, why)
        _leaves(act, f"Assigned to {named(chosen.user)}")
        told(by.person, batch, "batch.assigned", timezone.now(), {"to": chosen.user.get_username()})

    return once(by, Verb.ASSIGN, batch, do)


def escalate(by: By, batch: Batch, form: ActForm) -> Done:
    """To an admin with the fewest open cases. Raises Nobody when there is no other."""
    above = _above(by)
    if above is None:
        raise Nobody
    note = str(form.cleaned_data.get("escalated", "")).strip()

    def do(act: Act) -> None:
        _give(act, batch, above, f"Escalated by {named(by.person)}" + (f": {note}" if note else ""))
        _leaves(act, f"Escalated to {named(above)}")
        told(by.person, batch, "batch.escalated", timezone.now(), {"to": above.get_username(), "noted": bool(note)})

    return once(by, Verb.ESCALATE, batch, do)


def _above(by: By) -> User | None:
    admins = reviewers(by.workspace).filter(roles__contains=["admin"]).exclude(user=by.person)
    open_ones = Q(workspace=by.workspace, closed_at=None)
    loads = dict(
        Batch.objects.filter(open_ones, assigned_to__in=admins.values("user"))
        .values_list("assigned_to")
        .annotate(Count("id"))
        .order_by()
    )
    return min((each.user for each in admins), key=lambda user: (loads.get(user.pk, 0), user.pk), default=None)


def snooze(by: By, batch: Batch, form: ActForm) -> Done:
    """Out of the list until then; it comes back by itself. Its deadline stays."""

    def do(act: Act) -> None:
        now = timezone.now()
        until = wake_at(form.cleaned_data["snooze"], now)
        held = Batch.objects.select_for_update().get(pk=batch.pk)
        act.before = {"batch": str(batch.pk), "snoozed_until": _iso(held.snoozed_until)}
        Batch.objects.filter(pk=batch.pk).update(snoozed_until=until, claimed_by=None, claimed_until=None)
        _ring(batch, until)
        late = ", though it is due before" if held.due_at and held.due_at < until else ""
        _leaves(act, f"Snoozed until {timezone.localtime(until):%a %H:%M}{late}")
        told(by.person, batch, "batch.snoozed", now, {"until": until.isoformat()})

    return once(by, Verb.SNOOZE, batch, do)


def _ring(batch: Batch, at: datetime) -> None:
    rows = Escalation.objects.filter(batch=batch, open=True).order_by("number").values_list("hold_id", flat=True)
    first: UUID | None = rows.first()
    if first is not None:
        Clock.objects.get_or_create(
            hold_id=first, alarm=Alarm.BACK, at=at, defaults={"workspace_id": batch.workspace_id}
        )


def _give(act: Act, batch: Batch, to: User, why: str) -> None:
    held = Batch.objects.select_for_update().get(pk=batch.pk)
    act.before = {
        "batch": str(batch.pk),
        "assigned_to_id": held.assigned_to_id,
        "assigned_why": held.assigned_why,
        "pinned": held.pinned,
        "snoozed_until": _iso(held.snoozed_until),
    }
    Batch.objects.filter(pk=batch.pk).update(
        assigned_to=to,
        assigned_why=why,
        pinned=True,
        revision=F("revision") + 1,
        snoozed_until=None,
        claimed_by=None,
        claimed_until=None,
    )


def _leaves(act: Act, words: str) -> None:
    act.words, act.undo_until = words, act.at + UNDO


def _iso(at: datetime | None) -> Any:
    return at.isoformat() if at else None


def reviewers(workspace: Workspace) -> Any:
    """Members who may decide."""
    may = Q(roles__contains=["reviewer"]) | Q(roles__contains=["admin"])
    return Membership.objects.filter(may, workspace=workspace).select_related("user").order_by("user__username")
