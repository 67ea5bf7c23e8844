"""Agents of equal names in different applications are different agents."""

from __future__ import annotations

import pytest

from orchestration.handoffs import demands, lists, parties, sending
from orchestration.handoffs.demands import Demanded, Fact
from orchestration.handoffs.given import KeyUsed, Wrong
from orchestration.handoffs.lists import Asked
from orchestration.handoffs.models import Envelope
from orchestration.handoffs.parties import Party
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.handoffs.spoken import envelope, speaker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def two_of_each(workspace: Workspace) -> None:
    parties.forget()
    demands.forget()
    for application in ("Desk", "Shop"):
        for name in ("support-triage", "billing"):
            make.agent(workspace, name, application)
    make.agent(workspace, "refund", "Desk")


def waiting(workspace: Workspace, to: str, *agents: str) -> int:
    return len(lists.listing(speaker(workspace, *agents), Asked(receiver=to, state="sent"), 10, None).items)


@pytest.mark.parametrize(
    ("sender", "receiver", "meant"),
    [
        ("refund", "billing", ("desk/refund", "desk/billing")),  # the other side says where
        ("shop/support-triage", "Billing", ("shop/supporttriage", "shop/billing")),
        ("support-triage", "refund", ("desk/supporttriage", "desk/refund")),
        ("support-triage", "billing", ("supporttriage", "billing")),  # nobody can tell
        ("stranger", "refund", ("stranger", "desk/refund")),
    ],
)
def test_a_name_means_the_one_that_has_it_or_stands_near(
    workspace: Workspace, sender: str, receiver: str, meant: tuple[str, str]
) -> None:
    first, second = parties.between(workspace.pk, sender, receiver)

    assert (first.text, second.text) == meant


def test_a_handoff_waits_for_the_one_that_was_meant(workspace: Workspace) -> None:
    sending.send(speaker(workspace), envelope(**{"from": "shop/support-triage"}), "")

    assert (waiting(workspace, "shop/billing"), waiting(workspace, "desk/billing")) == (1, 0)
    assert waiting(workspace, "billing", "desk/billing") == 0
    assert waiting(workspace, "shop/billing", "shop/billing") == 1


def test_what_was_sent_before_the_agent_was_known_still_reaches_it(workspace: Workspace) -> None:
    sending.send(speaker(workspace), envelope(to="newcomer"), "")
    make.agent(workspace, "newcomer", "Shop")
    parties.forget()

    assert (waiting(workspace, "newcomer"), waiting(workspace, "shop/newcomer")) == (1, 1)


def test_the_same_key_of_two_senders_of_one_name_is_two_handoffs(workspace: Workspace) -> None:
    made = {sending.send(speaker(workspace), envelope(**{"from": f"{app}/support-triage"}), "k").pk for app in "ab"}

    assert len(made) == 2
    with pytest.raises(KeyUsed):
        sending.send(speaker(workspace), envelope(asked="Other", **{"from": "a/support-triage"}), "k")


def test_what_a_pair_needs_is_asked_of_no_other_pair_of_these_names(workspace: Workspace, admin: User) -> None:
    wanted = Demanded(facts=(Fact("order", "text"),))
    demands.change(workspace, ("shop/support-triage", "shop/billing"), wanted, admin)

    sending.send(speaker(workspace), envelope(**{"from": "desk/support-triage"}), "")
    with pytest.raises(Wrong):
        sending.send(speaker(workspace), envelope(**{"from": "shop/support-triage"}), "")


def test_a_change_of_what_is_needed_holds_for_the_next_handoff(workspace: Workspace, admin: User) -> None:
    """Though a process remembers what was needed."""
    sending.send(speaker(workspace), envelope(to="refund"), "")
    pair = parties.between(workspace.pk, "support-triage", "refund")
    before = demands.remembered(workspace.pk, pair)

    demands.change(workspace, ("support-triage", "refund"), Demanded(facts=(Fact("order", "text"),)), admin)

    assert demands.remembered(workspace.pk, pair) == before
    with pytest.raises(Wrong):
        sending.send(speaker(workspace), envelope(to="refund"), "")
    row = sending.send(speaker(workspace), envelope(to="refund", facts={"order": "4711"}), "")
    assert row.demands == 1
    assert Envelope.objects.count() == 2


def test_a_name_that_was_said_is_taken_at_its_word(workspace: Workspace) -> None:
    assert parties.party(workspace.pk, "Elsewhere/Billing") == Party("billing", "elsewhere")
