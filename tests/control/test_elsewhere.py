"""Decisions made elsewhere, stored beside Baton's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from django.utils import timezone

from orchestration.control import elsewhere
from orchestration.ledger.models import Entry
from orchestration.policies.elsewhere import BadTold, Told, read
from orchestration.policies.models import Decision, Past
from orchestration.workspaces.models import Workspace
from tests import make

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
FACTS = {"action.type": "refund", "action.amount": 620, "context": {"years": 3, "password": "hunter2hunter2"}}


def recorded(**more: Any) -> Told:
    return read({"type": "decision.recorded", "decision": "D-1", "agent": "refund-bot", "facts": FACTS} | more, AT)


def decided(**more: Any) -> Told:
    event = {"type": "hold.decided", "decision": "D-1", "verdict": "reject", "reviewer": "anna", "minutes": 5}
    return read(event | more, AT + timedelta(minutes=5))


def columns(space: Workspace) -> dict[str, Any]:
    row = Decision.objects.get(workspace=space)
    return {
        name: getattr(row, name) for name in ("at", "action_type", "effect", "verdict", "minutes", "outcome", "facts")
    }


def test_it_is_marked_imported_and_its_labels_are_no_facts(workspace: Workspace) -> None:
    assert elsewhere.store(workspace, [recorded(verdict="approve", outcome="good")], "key:1").new == 1

    row = Decision.objects.get(workspace=workspace)
    assert (row.imported, row.effect, row.verdict, row.outcome) == (True, "hold", "approve", "good")
    assert "approve" not in str(row.facts)
    assert "good" not in str(row.facts)
    assert row.facts["now.hour"] == 9.0
    assert not Past.objects.filter(workspace=workspace).exists()


def test_secrets_are_taken_out_before_any_rule_sees_them(workspace: Workspace) -> None:
    elsewhere.store(workspace, [recorded()], "")

    assert "hunter2" not in str(Decision.objects.get(workspace=workspace).facts)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_in_any_order_and_however_often_it_is_the_same_row(workspace: Workspace, order: tuple[int, ...]) -> None:
    parts = [recorded(), decided(), recorded(outcome="chargeback")]

    for place in order:
        elsewhere.store(workspace, [parts[place]], "")
        elsewhere.store(workspace, [parts[place]], "")

    found = columns(workspace)
    assert (found["at"], found["action_type"], found["effect"]) == (AT, "refund", "hold")
    assert (found["verdict"], found["minutes"], found["outcome"]) == ("reject", 5.0, "chargeback")


def test_told_together_is_as_told_apart(workspace: Workspace) -> None:
    found = elsewhere.store(workspace, [decided(), recorded(outcome="bad"), recorded()], "")

    assert (found.new, Decision.objects.filter(workspace=workspace).count()) == (1, 1)
    assert columns(workspace)["verdict"] == "reject"


def test_a_known_agent_is_named_by_its_id_and_application(workspace: Workspace) -> None:
    agent = make.agent(workspace, "refund-bot", "desk")

    elsewhere.store(workspace, [recorded()], "")

    row = Decision.objects.get(workspace=workspace)
    assert (row.agent_id, row.application, row.facts["agent.application"]) == (agent.pk, "desk", "desk")


def test_decisions_of_our_own_are_never_touched(workspace: Workspace) -> None:
    told = recorded(outcome="bad")
    Decision.objects.create(
        workspace=workspace,
        id=told.id,
        at=timezone.now(),
        agent="x",
        action_type="y",
        effect="allow",
        facts={},
        answer={},
    )

    found = elsewhere.store(workspace, [told], "")

    assert (found.new, found.changed, Decision.objects.get(workspace=workspace).outcome) == (0, 0, "")


def test_the_same_name_elsewhere_is_another_decision(workspace: Workspace) -> None:
    other = Workspace.objects.create(slug="other", name="Other")

    for space in (workspace, other):
        elsewhere.store(space, [recorded()], "")

    assert Decision.objects.filter(workspace__in=[workspace, other]).count() == 2


def test_an_import_leaves_a_receipt_and_one_that_changes_nothing_leaves_none(workspace: Workspace) -> None:
    for _ in range(2):
        elsewhere.store(workspace, [recorded()], "key:7")

    entry = Entry.objects.get(workspace=workspace.pk, kind="decisions.imported")
    assert (entry.actor, '"new":1' in entry.body) == ("key:7", True)


def test_why_people_said_so_is_kept_without_secrets_and_forgotten_with_the_facts(workspace: Workspace) -> None:
    event = {
        "type": "hold.decided",
        "decision": "D-1",
        "verdict": "reject",
        "reason": "Account closed, api_key=sk-123456789012345678901234",
    }

    elsewhere.store(workspace, [read(event, AT)], "key:1")
    elsewhere.store(workspace, [read({"type": "hold.decided", "decision": "D-1", "verdict": "reject"}, AT)], "key:1")

    decision = Decision.objects.get()
    assert decision.reason is not None
    assert decision.reason.startswith("Account closed")
    assert "sk-1234" not in decision.reason
    with pytest.raises(BadTold, match="2000"):
        read(event | {"reason": "x" * 2001}, AT)
