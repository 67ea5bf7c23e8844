"""People and a small inbox: twelve refunds of which one differs, and one case that stands alone."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from escalations import intake
from escalations.models import Act, Batch, Escalation, Precedent
from orchestration.holds.models import Hold
from orchestration.policies.models import Decision
from orchestration.workspaces.models import Membership, User, Workspace
from tests import make
from tests.conftest import person
from tests.escalations.held import holds

ODD = {
    "amount": 940,
    "context": {"item_back": False, "refunds_1y": 2, "confidence": 0.71},
    "arguments": {"item": "Phone"},
}


def plain(place: int) -> dict[str, Any]:
    return {
        "amount": 510 + 10 * place,
        "context": {"item_back": True, "refunds_1y": 0, "confidence": 0.96},
        "arguments": {"item": f"Thing {chr(65 + place)}"},
    }


def refunds(space: Workspace, n: int = 11, *, odd: bool = True, **more: Any) -> Batch:
    """A batch of like refunds, and one that differs."""
    due = {"due_at": timezone.now() + timedelta(minutes=20), "evidence": [{"kind": "photo"}]} | more
    made = holds(space, [*([ODD] if odd else []), *(plain(place) for place in range(n))], **due)
    intake.take_in()
    found = Escalation.objects.get(pk=made[-1].pk).batch
    assert found is not None
    return found


def alone(space: Workspace, **more: Any) -> Hold:
    due = {"due_at": timezone.now() + timedelta(hours=2), "agent": "screener", "policy": "sanctions", "action": "clear"}
    (hold,) = holds(space, [{"context": {"match": 0.9}}], **(due | more))
    intake.take_in()
    return hold


def second(space: Workspace, name: str = "second") -> User:
    user = User.objects.create_user(name, password=f"{name}-password-12", first_name="Reviewer", last_name="Two")
    Membership.objects.create(user=user, workspace=space, roles=["reviewer"])
    return user


def chosen(batch: Batch, *, everything: bool = False) -> list[str]:
    """The cases as the form sends them."""
    cases = Escalation.objects.filter(batch=batch, open=True).order_by("number")
    picked = cases if everything else cases.filter(selected=True)
    seen = dict(Hold.objects.filter(pk__in=picked.values("pk")).values_list("pk", "revision"))
    return [f"{case.pk}:{seen[case.pk]}{':offered' * case.selected}" for case in picked]


def press(client: Client, batch: Batch, cases: list[str], act: str = "approve", **said: Any) -> Any:
    told = {"act": act, "key": secrets.token_hex(8), "case": cases} | said
    headers = told.pop("headers", {})
    return client.post(f"/inbox/{batch.pk}/decide/", told, headers=headers)


def clear() -> None:
    """Nothing waits, for a test that begins with other cases than its file does."""
    for rows in (Precedent, Act, Escalation, Batch, Hold, Decision):
        rows.objects.all().delete()


def open_inbox() -> Client:
    """A reviewer, logged in, for the scene of a file: `reviewer` and `as_reviewer` go on with it."""
    client = Client()
    client.force_login(person(make.workspace(), "reviewer", "reviewer"))
    return client


@pytest.fixture
def reviewer(workspace: Workspace) -> User:
    return User.objects.filter(username="reviewer").first() or person(workspace, "reviewer", "reviewer")


@pytest.fixture
def as_reviewer(client: Client, reviewer: User) -> Client:
    begun = Session.objects.first()
    if begun and begun.get_decoded()[SESSION_KEY] == str(reviewer.pk):
        client.cookies[settings.SESSION_COOKIE_NAME] = begun.session_key
    else:
        client.force_login(reviewer)
    return client
