"""A verdict that is kept answers the next ask by itself: asked, kept and asked again through the doors that agents and
people use, with the real rules between them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.test import Client

from escalations import intake
from escalations.models import Act, Batch
from orchestration.ledger.models import Entry
from orchestration.policies import lifecycle
from orchestration.policies.models import Decision
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Membership, User, Workspace
from tests.api.door import JSON, Door
from tests.escalations.conftest import chosen, press

BODY = {
    "condition": "action.amount <= limit",
    "then": {"kind": "allow"},
    "otherwise": {"kind": "hold", "skill": "refunds", "due_s": 600, "precedents": "answer"},
    "limits": {"limit": 500},
}


@pytest.fixture
def may(served: int, tenant: Workspace) -> Door:
    return Door(served, create_key(tenant, "asks", ["decide"])[1])


@pytest.fixture
def ada(tenant: Workspace) -> User:
    user = User.objects.create_user(username="ada", password="ada-password-12")
    Membership.objects.create(user=user, workspace=tenant, roles=["admin"])
    return user


def asked(door: Door, amount: int, *, reversible: bool = True) -> str:
    """The hold that it opens, once the inbox has seen it."""
    body = {
        "agent": "refund-bot",
        "action": {"type": "refund", "system": "payments", "amount": amount, "arguments": {}},
        "run": f"R-{amount}",
        "context": {"item_back": True, "reversible": reversible},
    }
    told: Any = door.send("/api/v1/decisions", orjson.dumps(body), JSON).json()
    assert told["effect"] == "hold"
    intake.take_in()
    return str(told["hold"])


def became(door: Door, hold: str) -> tuple[Any, Any]:
    told: Any = door.send(f"/api/v1/holds/{hold}", method="GET").json()
    return told["state"], told["verdict"]


def test_the_next_ask_like_it_is_answered_at_once(may: Door, tenant: Workspace, ada: User, client: Client) -> None:
    draft = lifecycle.create(tenant, "Refund limit", ada, BODY)
    Decision.objects.filter(workspace=tenant).delete()
    lifecycle.publish(draft.policy_id, draft.number, ada, "A first rule")
    client.force_login(ada)
    for amount in (600, 700):
        asked(may, amount)
    batch = Batch.objects.get(workspace=tenant)
    press(client, batch, chosen(batch))
    client.post(f"/inbox/precedents/keep/{Act.objects.get().pk}/", {"reason": "The goods are back", "days": "90"})

    within, beyond, final = asked(may, 650), asked(may, 900), asked(may, 660, reversible=False)

    assert became(may, within) == ("applied", "approve")
    assert [became(may, hold) for hold in (beyond, final)] == [("open", None), ("open", None)]
    assert '"precedent":' in Entry.objects.get(kind="verdict", subject_id=within).body
