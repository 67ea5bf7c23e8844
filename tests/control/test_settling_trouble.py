"""One trace, however odd, popular or long, never keeps the others from being told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orchestration.control import digest, settling
from orchestration.workflows import stitch
from orchestration.workflows.fold import fold
from orchestration.workflows.models import Run, Trace
from orchestration.workflows.story import Rules, Step, Story
from orchestration.workspaces.models import Workspace
from tests.control.test_digest import Sender, refund, settle_all
from tests.control.test_settling import live_runs, take

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("days")]


def due_in(trace_id: bytes) -> timedelta:
    due_at = Trace.objects.get(trace_id=trace_id).due_at
    assert due_at is not None
    return due_at - timezone.now()


def test_a_trace_that_cannot_be_told_is_put_off_and_the_others_are_told(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, odd = Sender(workspace), Sender(workspace)
    for sender in (odd, good):
        refund(sender)
        sender.deliver()

    def stumble(steps: Sequence[Step], rules: Rules) -> Story:
        if any(step.trace_id == odd.trace_id for step in steps):
            raise RecursionError
        return fold(steps, rules)

    monkeypatch.setattr(settling, "fold", stumble)
    take(workspace)

    assert [run.spans for run in live_runs()] == [3]
    assert due_in(odd.trace_id) > timedelta(minutes=50)
    monkeypatch.undo()
    settle_all(workspace)
    assert [run.spans for run in live_runs()] == [3, 3]


def test_a_long_run_is_put_off_before_it_is_told_so_that_who_dies_of_it_goes_on_with_others(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.deliver()
    digest.digest(workspace.pk)
    Trace.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    monkeypatch.setattr(settling, "MOST_SPANS", 2)

    def killed(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(settling, "fold", killed)
    with pytest.raises(KeyboardInterrupt):
        settling.settle(workspace.pk)

    assert settling.settle(workspace.pk) == 0
    assert due_in(sender.trace_id) > timedelta(minutes=9)
    monkeypatch.undo()
    settle_all(workspace)
    assert Run.objects.get().spans == 3
    assert not Trace.objects.filter(due_at__isnull=False).exists()


def test_a_long_run_is_not_told_again_at_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "SPANS_A_SECOND", 0.1)
    sender = Sender(workspace)
    refund(sender)
    late = sender.spans.pop()
    sender.deliver()
    take(workspace)
    sender.deliver(late)
    take(workspace)

    assert Run.objects.get().spans == 2
    assert timedelta(seconds=20) < due_in(sender.trace_id) < timedelta(seconds=31)


def test_what_does_not_fit_one_round_is_told_in_the_next(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "MOST_TOLD", 4)
    for _ in range(3):
        sender = Sender(workspace)
        refund(sender)
        sender.deliver()

    take(workspace)

    assert [run.spans for run in live_runs()] == [3, 3, 3]


def test_a_name_of_a_run_that_too_many_traces_carry_joins_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stitch, "MOST_TIED", 4)
    for _ in range(7):
        sender = Sender(workspace)
        refund(sender)
        sender.spans[0].attributes.add(key="baton.run.id").value.string_value = "default"
        sender.deliver()
        take(workspace)

    assert [run.spans for run in live_runs()] == [3] * 7
