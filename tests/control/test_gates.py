"""What let a run through, and what stopped it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.control.gates import Gate, gates
from orchestration.holds import verdicts
from orchestration.holds.models import Answered, Hold
from orchestration.holds.verdicts import Verdict
from orchestration.ledger import entries
from orchestration.policies.models import Decision, Past
from orchestration.workflows.models import Run
from orchestration.workflows.runs import lines
from orchestration.workspaces.models import User, Workspace
from tests import make

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def decided(space: Workspace, run: str, effect: str = "allow", at: Any = NOW, **more: Any) -> Decision:
    answer = {"reasons": [{"policy": "refund-limit", "words": "action.amount is 620, limit is 500"}]}
    fields = {"agent": "bot", "action_type": "refund", "amount": 620, "currency": "EUR", "facts": {}, "version": 3}
    found = Decision.objects.create(
        workspace=space, id=uuid7(), at=at, run=run, effect=effect, answer=answer, **(fields | more)
    )
    Past.objects.create(
        workspace=space, decision_id=found.id, subject="run", value=run, at=at, action_type="refund", agent="bot",
        counts=True,
    )  # fmt: skip
    entries.record(space.pk, "decision", ("decision", str(found.id)), "agent:bot", {"effect": effect}, at)
    return found


def hold(space: Workspace, **more: Any) -> Hold:
    fields = {"source": "decision", "agent": "bot", "question": "May it?", "proposal": "refund", "why": "over"}
    return Hold.objects.create(workspace=space, opened_at=NOW, **(fields | more))


def told(run: Run) -> list[Gate]:
    (line,) = lines(run.workspace_id, [run])
    return gates(run.workspace_id, line)


def test_gates_come_in_order_with_rule_verdict_and_receipt(workspace: Workspace, reviewer: User) -> None:
    run = make.run(workspace, traces=[b"t" * 16])
    stopped = decided(workspace, (b"t" * 16).hex(), "hold", NOW + timedelta(seconds=1))
    decided(workspace, str(run.id))
    asked = hold(workspace, decision_id=stopped.id)
    verdicts.decide(asked, Verdict(Answered.REJECT, "no"), reviewer, revision=0)

    first, second = told(run)

    assert (first.effect, first.tone, first.hold) == ("allow", "ok", None)
    assert (second.effect, second.tone, second.said, second.who) == ("hold", "deny", "rejected", "reviewer")
    assert (second.policy, second.version, second.amount) == ("refund-limit", 3, "620 EUR")
    assert first.receipt
    assert second.receipt


def test_a_question_of_the_agent_itself_is_a_gate(workspace: Workspace) -> None:
    run = make.run(workspace)
    hold(workspace, source="agent", run_id=run.id)

    (gate,) = told(run)

    assert (gate.what, gate.tone, gate.said) == ("asked a person", "human", "")


def test_what_others_decided_is_not_of_this_run(workspace: Workspace) -> None:
    run, other = make.run(workspace), make.workspace("other")
    decided(workspace, "another run")
    decided(other, str(run.id))
    hold(other, run_id=run.id)

    assert told(run) == []


def test_the_run_page_shows_them(client: Client, workspace: Workspace, operator: User, admin: User) -> None:
    run = make.run(workspace)
    decided(workspace, str(run.id), "deny")
    client.force_login(operator)
    seen_by_operator = client.get(f"/runs/{run.id}/").content.decode()
    client.force_login(admin)

    text = client.get(f"/runs/{run.id}/").content.decode()

    assert "Denied by" in text
    assert "Receipt" in text
    assert "limit is 500" in text
    assert "limit is 500" not in seen_by_operator
