"""Why an agent's steps failed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows import causes
from orchestration.workspaces.models import Workspace
from tests import make
from tests.make import Made

pytestmark = pytest.mark.django_db
BEGAN = timezone.now() - timedelta(minutes=5)


def failing(workspace: Workspace, place: int, error: str, name: str = "refund") -> None:
    """A run in which a call fails, and with it the step around it."""
    who, trace = make.agent(workspace, name), bytes([place]) * 16
    turn = Made(f"invoke_agent {name}", Kind.AGENT, who, outcome=Outcome.ERROR, values={"error": error})
    call = Made("pay", Kind.TOOL, who, make.system(workspace), turn, 10, 50, Outcome.ERROR, {"error": error})
    make.spans(workspace, trace, BEGAN + timedelta(seconds=place), turn, call)
    make.run(workspace, traces=[trace], agents=[who.pk], started_at=BEGAN + timedelta(seconds=place), errors=1, spans=2)


def found(workspace: Workspace, name: str = "refund", since: timedelta = timedelta(hours=1)) -> causes.Causes:
    who = make.agent(workspace, name)
    return causes.causes(workspace.pk, who.pk, ("desk", name), timezone.now() - since)


def test_like_errors_are_one_cause_and_climb_no_higher(workspace: Workspace) -> None:
    failing(workspace, 1, "Timeout: after 30 s")
    failing(workspace, 2, "Timeout: after 45 s")
    failing(workspace, 3, "Refused: no such account")

    told = found(workspace)

    assert [(cause.step, cause.count, cause.error) for cause in told.found] == [
        ("pay", 2, "Timeout: after 45 s"),
        ("pay", 1, "Refused: no such account"),
    ]
    assert told.runs == 3


def test_failures_of_others_are_theirs(workspace: Workspace) -> None:
    failing(workspace, 1, "Timeout", "billing")

    assert found(workspace).found == []


def test_old_failures_do_not_count(workspace: Workspace) -> None:
    failing(workspace, 1, "Timeout")

    assert found(workspace, since=timedelta(minutes=1)).runs == 0


def test_a_run_too_long_to_be_read_is_left_out(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causes, "MOST_STEPS", 3)
    failing(workspace, 1, "Timeout")
    failing(workspace, 2, "Timeout")

    assert found(workspace).runs == 1
