"""What state an agent is in: the first that holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from orchestration.control.states import Signs, census, signs_of, state_of
from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows.models import Step
from orchestration.workspaces.models import Workspace
from tests import make

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def state(quiet_s: float | None, **signs: Any) -> str:
    heard_at = None if quiet_s is None else NOW - timedelta(seconds=quiet_s)
    return state_of(Signs(heard_at=heard_at, **signs), NOW)


@pytest.mark.parametrize(
    ("quiet_s", "signs", "expected"),
    [
        (None, {}, "idle"),
        (5, {}, "working"),
        (60, {}, "working"),
        (61, {}, "idle"),
        (86_400, {"open_step": True}, "working"),
        (None, {"open_step": True}, "working"),
        (5, {"run_status": "waiting", "last": True}, "waiting"),
        (86_400, {"run_status": "waiting", "last": True}, "waiting"),
        (5, {"run_status": "waiting", "last": True, "open_step": True}, "waiting"),
        (5, {"run_status": "waiting", "last": False}, "working"),
        (599, {"run_status": "running", "last": True}, "idle"),
        (601, {"run_status": "running", "last": True}, "silent"),
        (601, {"run_status": "stalled", "last": True}, "silent"),
        (601, {"run_status": "running", "last": False}, "idle"),
        (601, {"run_status": "completed", "last": True}, "idle"),
        (601, {"run_status": "waiting", "last": False}, "idle"),
        (100, {"usual_gap": timedelta(seconds=64)}, "silent"),
        (100, {"usual_gap": timedelta(seconds=128)}, "idle"),
        (50, {"usual_gap": timedelta(seconds=2)}, "working"),
        (70, {"usual_gap": timedelta(seconds=2)}, "silent"),
        (700, {"usual_gap": timedelta(hours=1), "run_status": "running", "last": True}, "idle"),
    ],
)
def test_the_first_state_that_holds(quiet_s: float | None, signs: dict[str, Any], expected: str) -> None:
    assert state(quiet_s, **signs) == expected


def test_a_run_that_is_over_is_not_what_an_agent_is_at() -> None:
    run = uuid4()

    assert Signs(run=run, run_status="completed").current is None
    assert Signs(run=run, run_status="running", step="pay").current is not None


@pytest.mark.django_db
def test_the_agent_that_came_last_waits_and_the_one_that_handed_over_does_not(workspace: Workspace) -> None:
    now = timezone.now()
    triage, refund = make.agent(workspace, "triage"), make.agent(workspace, "refund")
    run = make.run(workspace, status="waiting", traces=[b"t" * 16], agents=[triage.pk, refund.pk])
    make.pulse(triage, now - timedelta(minutes=3), trace_id=b"t" * 16)
    make.pulse(refund, now - timedelta(minutes=2), trace_id=b"t" * 16)

    signs = signs_of(workspace.pk)

    assert [state_of(signs[a.pk], now) for a in (triage, refund)] == ["idle", "waiting"]
    assert signs[refund.pk].run == run.id


@pytest.mark.django_db
def test_a_hundred_gaps_tell_what_is_usual(workspace: Workspace) -> None:
    now = timezone.now()
    often, rarely = make.agent(workspace, "often"), make.agent(workspace, "rarely")
    make.pulse(often, now - timedelta(minutes=5), gaps=[0, 0, 0, 100])
    make.pulse(rarely, now - timedelta(minutes=5), gaps=[0, 0, 0, 99])

    signs = signs_of(workspace.pk)

    assert [state_of(signs[a.pk], now) for a in (often, rarely)] == ["silent", "idle"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "key", "expected"),
    [("running", "1", "working"), ("stalled", "1", "idle"), ("completed", "1", "idle"), ("running", "", "idle")],
)
def test_an_open_step_is_work_while_its_run_goes_on_but_the_open_run_alone_is_none(
    workspace: Workspace, status: str, key: str, expected: str
) -> None:
    now = timezone.now()
    bot = make.agent(workspace, "bot")
    run = make.run(workspace, status=status, traces=[b"t" * 16])
    Step.objects.create(
        workspace=workspace,
        trace_id=b"t" * 16,
        key=key,
        kind=Kind.TOOL,
        name="type",
        application_id=bot.application_id,
        agent_id=bot.pk,
        system_id=0,
        outcome=Outcome.OK,
        started_at=run.started_at,
    )

    assert state_of(signs_of(workspace.pk).get(bot.pk, Signs()), now) == expected


@pytest.mark.django_db
def test_a_name_that_no_run_has_among_its_agents_is_that_of_a_process(workspace: Workspace) -> None:
    now = timezone.now()
    desk, refund, new, conductor = (make.agent(workspace, name) for name in ("desk", "refund", "new", "conductor"))
    make.run(workspace, traces=[b"t" * 16], agents=[refund.pk])
    make.workflow(workspace, "DESK")
    make.pulse(conductor, now, trace_id=b"t" * 16)
    make.run(workspace, traces=[b"u" * 16], agents=[])
    make.pulse(desk, now, trace_id=b"t" * 16)
    make.pulse(refund, now, trace_id=b"u" * 16)
    make.pulse(new, now, trace_id=b"not settled yet".ljust(16))

    signs = signs_of(workspace.pk)

    assert [signs[a.pk].process for a in (desk, refund, new, conductor)] == [True, False, False, False]
    assert (census(workspace.pk, now).all, census(workspace.pk, now).working) == (3, 3)


@pytest.mark.django_db
def test_active_are_those_at_work_and_those_that_wait(workspace: Workspace) -> None:
    now = timezone.now()
    make.pulse(make.agent(workspace, "a"), now)
    make.pulse(make.agent(workspace, "b"), now - timedelta(days=1))
    make.agent(workspace, "never heard of")
    third = make.agent(workspace, "c")
    make.run(workspace, status="waiting", traces=[b"t" * 16], agents=[third.pk])
    make.pulse(third, now - timedelta(minutes=4), trace_id=b"t" * 16)
    make.pulse(make.agent(make.workspace("elsewhere"), "d"), now)

    found = census(workspace.pk, now)

    assert (found.working, found.waiting, found.idle, found.silent) == (1, 1, 2, 0)
    assert (found.active, found.all) == (2, 4)
