"""What admins do to people, machines and settings leaves an entry each, in the same transaction, without a secret."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.db import transaction

from orchestration.control import administration, ways_set
from orchestration.ledger import chain
from orchestration.ledger.models import Entry
from orchestration.ledger.verify import verify
from orchestration.registry import prices
from orchestration.registry.models import Price
from orchestration.workspaces.invitations import Offer
from orchestration.workspaces.keys import Limit, MadeBefore
from orchestration.workspaces.models import ApiKey, Membership, User, Workspace
from orchestration.workspaces.ways import Keeping

pytestmark = pytest.mark.django_db


def noted(workspace: Workspace) -> list[tuple[str, str]]:
    return list(Entry.objects.filter(workspace=workspace.pk).order_by("id").values_list("kind", "actor"))


def told(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(Entry.objects.get(kind=kind).body)["told"]
    return found


def test_a_key_leaves_an_entry_when_it_is_made_replaced_limited_and_revoked(workspace: Workspace, admin: User) -> None:
    key, plain = administration.create_key(workspace, "refund-bot", ["decide"], ["refund"], admin, once="form")
    with pytest.raises(MadeBefore), transaction.atomic():
        administration.create_key(workspace, "refund-bot", ["decide"], ["refund"], admin, once="form")
    new, second = administration.rotate_key(key, admin, overlap=timedelta(hours=24))
    administration.limit_key(new, Limit(100, None), admin)
    administration.revoke_key(key, admin)
    administration.revoke_key(key, admin)

    by = f"person:{admin.get_username()}"
    assert noted(workspace) == [(kind, by) for kind in ("key.created", "key.rotated", "key.limited", "key.revoked")]
    assert told("key.created") == {"name": "refund-bot", "scopes": ["decide"], "agents": ["refund"]}
    bodies = " ".join(Entry.objects.values_list("body", flat=True))
    assert not any(secret[:9] in bodies for secret in (plain, second))


def test_an_entry_goes_with_what_it_tells_of(workspace: Workspace, admin: User) -> None:
    with transaction.atomic():
        administration.create_key(workspace, "refund-bot", ["decide"], by=admin)
        transaction.set_rollback(True)

    assert noted(workspace) == []
    assert not ApiKey.objects.exists()


def test_members_leave_entries_from_invitation_to_removal(workspace: Workspace, admin: User) -> None:
    offer = Offer("Ana of claims", ["reviewer"])
    invitation, secret = administration.invite(workspace, offer, admin, once="form")
    administration.invite(workspace, offer, admin, once="form")
    ana = User.objects.create_user("ana")
    member = administration.join(invitation, ana)
    assert member is not None
    assert administration.join(invitation, ana) is None
    administration.change_member(member, ["operator"], True, admin)
    administration.change_member(member, ["operator"], True, admin)
    administration.remove_member(member, admin)
    other, _ = administration.invite(workspace, offer, admin)
    administration.withdraw_invitation(other, admin)

    assert [kind for kind, _ in noted(workspace)] == [
        "member.invited",
        "member.joined",
        "member.changed",
        "member.removed",
        "member.invited",
        "invitation.withdrawn",
    ]
    assert noted(workspace)[1][1] == "person:ana"
    assert told("member.changed")["before"] == {"roles": ["reviewer"], "sees_content": False}
    assert secret not in " ".join(Entry.objects.values_list("body", flat=True))


def test_webhooks_are_noted_by_host_alone(workspace: Workspace, admin: User, settings: Any) -> None:
    settings.BATON_WEBHOOK_PRIVATE = True
    made = administration.add_webhook(
        workspace, "https://8.8.8.8:8443/T0/token-123?key=hidden", ["hold.opened"], admin, "form"
    )
    administration.add_webhook(workspace, "https://8.8.8.8:8443/T0/token-123", ["hold.opened"], admin, "form")
    administration.rotate_webhook(made, admin, timedelta(hours=1))
    administration.remove_webhook(made, admin)

    assert [kind for kind, _ in noted(workspace)] == ["webhook.created", "webhook.rotated", "webhook.removed"]
    assert told("webhook.created") == {"host": "https://8.8.8.8:8443", "events": ["hold.opened"]}
    bodies = " ".join(Entry.objects.values_list("body", flat=True))
    assert "token-123" not in bodies
    assert "hidden" not in bodies


def test_prices_are_noted_as_they_were_and_are(workspace: Workspace, admin: User) -> None:
    ways_set.start_prices(workspace, admin)
    row = Price.objects.get(workspace=workspace, model="gpt-4.1")
    row.input = Decimal(3)
    ways_set.put_prices(workspace, [row], [Price.objects.get(model="gpt-4o")], admin)
    ways_set.put_prices(workspace, [Price.objects.get(model="gpt-4.1")], [], admin)
    ways_set.restore_price(Price.objects.get(model="gpt-4o"), admin)

    kinds = [kind for kind, _ in noted(workspace)]
    assert kinds == ["prices.started", "price.changed", "price.retired", "price.restored"]
    assert told("prices.started") == {"prices": len(prices.STARTERS)}
    assert told("price.changed") == {
        "model": "gpt-4.1",
        "input": "3",
        "output": "8",
        "cached": "0.5",
        "before": {"input": "2", "output": "8", "cached": "0.5"},
    }


def test_what_holds_for_a_workspace_is_noted_once(workspace: Workspace, admin: User) -> None:
    for _ in range(2):
        ways_set.keep_for(workspace, Keeping(20, 300), admin)
        ways_set.keep_content(workspace, False, admin)
        ways_set.count_in(workspace, "EUR", admin)

    assert [kind for kind, _ in noted(workspace)] == ["workspace.retention", "workspace.content", "workspace.currency"]
    assert told("workspace.retention")["before"]["span_days"] == 30


def test_a_second_step_is_noted_wherever_the_person_belongs(workspace: Workspace, admin: User) -> None:
    other = Workspace.objects.create(slug="other", name="Other")
    Membership.objects.create(user=admin, workspace=other, roles=["operator"])
    left = Workspace.objects.create(slug="left", name="Left")
    Membership.objects.create(user=admin, workspace=left, roles=[])

    administration.note_second_step(admin, on=False)

    assert [noted(space) for space in (workspace, other, left)] == [
        [("person.second_step_off", f"person:{admin.get_username()}")],
        [("person.second_step_off", f"person:{admin.get_username()}")],
        [],
    ]


def test_a_key_made_by_command_is_noted_too_and_the_chain_still_verifies(
    workspace: Workspace, settings: Any, tmp_path: Any
) -> None:
    settings.LEDGER_CHECKPOINTS = tmp_path
    administration.create_key(workspace, "laptop", ["ingest"])
    chain.link()

    assert noted(workspace) == [("key.created", "baton:command")]
    assert verify().good


def test_pages_change_nothing_past_the_ledger() -> None:
    past = re.compile(
        r"\b(keys|members|invitations|ways|prices|endpoints)\."
        r"(create_key|rotate|revoke|limit|limit_together|change|remove|invite|withdraw|accept|keep_for|keep_content|"
        r"count_in|put|retire|restore|seed|add)\("
    )
    root = Path(__file__).resolve().parents[2]
    found = [
        f"{file.name}: {call[0]}"
        for screen in ("dashboard", "escalations")
        for file in (root / screen).rglob("*.py")
        for call in past.finditer(file.read_text())
    ]

    assert not found
