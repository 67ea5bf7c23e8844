"""A slow step that was planted is ranked first, and its time is told apart: waiting, work, people, trying again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from orchestration.control import digest
from orchestration.control.overview import overview
from orchestration.workflows import stats
from orchestration.workflows.stats import Split, StepFigure
from orchestration.workspaces.models import Workspace
from tests.control.test_digest import Sender, settle_all

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("days")]
RUNS = 6
TOOL = {"gen_ai__operation__name": "execute_tool"}


def loan(sender: Sender) -> None:
    """Ten seconds: one of look-up; one until the check begins, which takes three and is tried again for another two;
    two with a person; one that nobody works in."""
    root = sender.span("loan", took=10, gen_ai__operation__name="invoke_workflow", gen_ai__workflow__name="Loan", at=0)
    sender.span("execute_tool lookup", root, at=0, took=1, gen_ai__tool__name="lookup", **TOOL)
    turn = sender.span(
        "invoke_agent desk", root, at=2, took=5, gen_ai__operation__name="invoke_agent", gen_ai__agent__name="desk"
    )
    sender.span("execute_tool check", turn, at=2, took=3, error="no answer", gen_ai__tool__name="check", **TOOL)
    sender.span("execute_tool check", turn, at=5, took=2, gen_ai__tool__name="check", **TOOL)
    sender.span("review", root, at=7, took=2, gen_ai__operation__name="await_human_input")


@pytest.fixture
def steps(workspace: Workspace) -> dict[str, StepFigure]:
    for _ in range(RUNS):
        sender = Sender(workspace)
        loan(sender)
        sender.deliver()
    while digest.digest(workspace.pk):
        pass
    settle_all(workspace)
    now = timezone.now()
    (line,) = stats.workflows(workspace.pk, now - timedelta(hours=1), now)
    return {step.name: step for step in line.steps}


def rounded(split: Split) -> tuple[float, ...]:
    return tuple(round(part, 2) for part in (split.wait, split.work, split.people, split.retry))


def test_the_planted_step_is_the_worst_bottleneck(workspace: Workspace, steps: dict[str, StepFigure]) -> None:
    now = timezone.now()

    worst = overview(workspace.pk, timedelta(hours=1), now).bottlenecks[0]

    assert (worst.workflow, worst.step, worst.share_of_elapsed) == ("Loan", "check", 0.5)
    assert worst.waits is False


@pytest.mark.parametrize(
    ("step", "split"),
    [
        ("check", (0.0, 0.3, 0.0, 0.2)),
        ("lookup", (0.0, 0.1, 0.0, 0.0)),
        ("desk", (0.1, 0.0, 0.0, 0.0)),
        ("review", (0.0, 0.0, 0.2, 0.0)),
    ],
)
def test_each_step_tells_waiting_work_people_and_trying_again_apart(
    steps: dict[str, StepFigure], step: str, split: tuple[float, ...]
) -> None:
    assert rounded(steps[step].split) == split
    assert sum(split) == pytest.approx(steps[step].share_of_elapsed)


def test_settling_again_books_retries_once(workspace: Workspace, steps: dict[str, StepFigure]) -> None:
    settle_all(workspace)
    now = timezone.now()

    (line,) = stats.workflows(workspace.pk, now - timedelta(hours=1), now)

    assert {step.name: step.split for step in line.steps} == {name: step.split for name, step in steps.items()}


def test_a_single_run_does_not_make_its_step_the_worst(workspace: Workspace, steps: dict[str, StepFigure]) -> None:
    sender = Sender(workspace)
    sender.span("invoke_agent greeter", took=2, gen_ai__operation__name="invoke_agent", gen_ai__agent__name="greeter")
    sender.deliver()
    while digest.digest(workspace.pk):
        pass
    settle_all(workspace)
    now = timezone.now()

    found = stats.bottlenecks(workspace.pk, now - timedelta(hours=1), now)

    assert found[0].step == "check"
    assert (found[-1].step, found[-1].share_of_elapsed) == ("greeter", 1.0)
