"""Beside the receipt of a decision: the rule as of then, what it read, and whether its facts are the same still."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from django.test import Client
from pytest_django import Settings

from orchestration.ledger import chain, entries
from orchestration.policies.models import Decision, Policy
from orchestration.workspaces.models import User, Workspace
from tests.dashboard.policy_scene import decided, draft, published

pytestmark = pytest.mark.django_db
WORDS = "because this is not so: action.amount <= limit (action.amount is 620, limit is 500)."


@pytest.fixture(autouse=True)
def outside(settings: Settings, tmp_path: Path) -> None:
    settings.LEDGER_CHECKPOINTS = tmp_path


@pytest.fixture
def decision(workspace: Workspace, admin: User) -> Decision:
    published(workspace, admin)
    reason = {"policy": "refund-limit", "version": 1, "words": WORDS, "effect": "hold"}
    return decided(workspace, 1, answer={"reasons": [reason]})[0]


def receipt(workspace: Workspace, decision: Decision) -> UUID:
    kept = hashlib.sha256(orjson.dumps(decision.facts, option=orjson.OPT_SORT_KEYS)).hexdigest()
    told: dict[str, Any] = {"effect": "hold", "action": "refund", "amount": "620", "facts_sha256": kept}
    subject = ("decision", str(decision.id))
    made = entries.record(workspace.pk, "decision", subject, "agent:refund-bot", told, datetime.now(UTC))
    chain.link()
    return made


def text(client: Client, entry: UUID) -> str:
    return client.get(f"/ledger/{entry}/").content.decode()


def test_a_receipt_shows_the_rule_as_of_then_and_what_it_looked_at(
    as_reviewer: Client, workspace: Workspace, admin: User, decision: Decision
) -> None:
    entry = receipt(workspace, decision)
    draft(workspace, admin, "Refund limit two")

    page = text(as_reviewer, entry)

    assert 'href="/policies/refund-limit/versions/1/"' in page
    assert "The rule as of then" in page
    assert "<code data-untrusted>action.amount</code></td><td data-untrusted>620.0</td>" in page
    assert "<code data-untrusted>limit</code></td><td data-untrusted>500</td>" in page
    assert "they are what the decision was made on" in page


def test_facts_that_were_changed_since_are_named_as_such(
    as_reviewer: Client, workspace: Workspace, decision: Decision
) -> None:
    entry = receipt(workspace, decision)
    Decision.objects.filter(id=decision.id).update(facts=decision.facts | {"action.amount": 20.0})

    assert "they were changed since" in text(as_reviewer, entry)


def test_what_a_case_holds_is_not_for_operators(as_operator: Client, workspace: Workspace, decision: Decision) -> None:
    page = text(as_operator, receipt(workspace, decision))

    assert "What the rules looked at is for reviewers and admins." in page
    assert "The rule as of then" in page
    assert "action.amount is 620" not in page
    assert "returned" not in page


def test_forgotten_facts_leave_the_receipt_alone(as_reviewer: Client, workspace: Workspace, decision: Decision) -> None:
    entry = receipt(workspace, decision)
    Decision.objects.filter(id=decision.id).update(facts={}, answer={}, forgotten_at=datetime.now(UTC))

    page = text(as_reviewer, entry)

    assert 'id="why-h"' not in page
    assert "facts_sha256" in page


def test_what_a_policy_decided_last_leads_to_its_receipt(
    as_operator: Client, workspace: Workspace, decision: Decision
) -> None:
    Decision.objects.filter(id=decision.id).update(policy_id=Policy.objects.get(workspace=workspace).pk, version=1)
    entry = receipt(workspace, decision)

    assert f'href="/ledger/{entry}/"' in as_operator.get("/policies/refund-limit/").content.decode()
