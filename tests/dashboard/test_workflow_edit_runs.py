"""Declared runs on their pages: what waits for whom, what failed, what is taken back."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from orchestration.ledger.models import Entry
from orchestration.workflows import declared
from orchestration.workflows.declared_models import DeclaredRun, Effect
from orchestration.workflows.definition import parse
from orchestration.workspaces.models import Workspace
from tests import make
from tests.control import flows
from tests.dashboard.conftest import region

pytestmark = pytest.mark.django_db
WHY = {"reason": "It was wrong"}


@pytest.fixture
def operator_at(client: Client, operator: Any) -> Client:
    client.force_login(operator)
    return client


def text(client: Client, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


@pytest.fixture
def failed(workspace: Workspace) -> DeclaredRun:
    """Two steps are done, one of which nobody can take back; the third failed."""
    make.workflow(workspace, "Refund")
    flows.declare(
        workspace,
        flows.undoable("book"),
        flows.step("mail", "book"),
        flows.step("pay", "mail", retry={"budget": 0}),
    )
    run = flows.begin(workspace)
    flows.finish(workspace, flows.one(workspace), ok=True)
    flows.finish(workspace, flows.one(workspace), [("A mail", "mail-1", {})], ok=True)
    flows.lose(workspace, flows.one(workspace), "refused", "The bank said no")
    return run


def test_the_page_says_what_waits_for_whom_and_since_when(operator_at: Client, workspace: Workspace) -> None:
    make.workflow(workspace, "Refund")
    flows.declare(workspace, flows.step("pay"))
    run = flows.begin(workspace)

    page = text(operator_at, "/workflows/refund/")

    assert "v1 is live" in page
    assert "v1: 1 in progress" in page
    assert "whoever can any" in page
    assert f"/runs/{run.id}/plan/" in page
    alone = text(operator_at, "/workflows/refund/", **region("declared"))
    assert alone.startswith("<section")
    assert alone[: alone.index("Waiting to be taken")] in page


def test_a_running_run_keeps_its_version_and_its_page_says_which(operator_at: Client, workspace: Workspace) -> None:
    make.workflow(workspace, "Refund")
    flows.declare(workspace, flows.step("pay"))
    run = flows.begin(workspace)
    second = declared.save(workspace.pk, parse({"name": "Refund", "steps": [flows.step("other")]}), flows.BY)
    declared.publish(second.pk, flows.BY, "Another way")

    assert "/workflows/refund/versions/1/" in text(operator_at, f"/runs/{run.id}/plan/")
    page = text(operator_at, "/workflows/refund/")
    assert "v2 is live" in page
    assert "v1: 1 in progress" in page


def test_a_failed_run_names_its_step_and_what_stands(operator_at: Client, failed: DeclaredRun) -> None:
    page = text(operator_at, f"/runs/{failed.id}/plan/")

    assert "failed at <bdi" in page or "failed at" in page
    assert "The bank said no" in page
    assert "Of 2 effects: 2 stands." in page
    assert "1 effect cannot be reversed" in page
    assert "Roll back or retry" in text(operator_at, "/workflows/refund/")


def test_rolling_back_is_one_act_and_shows_each_effect(
    operator_at: Client, workspace: Workspace, failed: DeclaredRun
) -> None:
    for _ in range(2):
        assert operator_at.post(f"/runs/{failed.id}/plan/rollback/", WHY).status_code == 302

    assert flows.effects(failed) == [("book", "asked"), ("mail", "kept")]
    assert "is being rolled back" in text(operator_at, f"/runs/{failed.id}/plan/")
    flows.finish(workspace, flows.one(workspace))
    page = text(operator_at, f"/runs/{failed.id}/plan/")
    assert "was rolled back" in page
    assert "Of 2 effects: 1 undone, 1 cannot be undone." in page
    assert "It was wrong" in page


def test_nothing_is_done_without_a_reason(operator_at: Client, failed: DeclaredRun) -> None:
    for act in ("rollback", "cancel", "again"):
        operator_at.post(f"/runs/{failed.id}/plan/{act}/", {"reason": " ", "once": "x"})

    assert flows.state(failed) == "failed"
    assert DeclaredRun.objects.count() == 1


def test_starting_again_twice_makes_one_run_with_the_same_input(
    operator_at: Client, workspace: Workspace, failed: DeclaredRun
) -> None:
    answers = {operator_at.post(f"/runs/{failed.id}/plan/again/", WHY | {"once": "x"})["Location"] for _ in range(2)}

    assert len(answers) == 1
    made = DeclaredRun.objects.exclude(id=failed.id).get()
    assert (made.input, made.state) == (failed.input, "running")


def test_a_failed_step_is_tried_again_with_a_press_that_counts_once(
    operator_at: Client, workspace: Workspace, failed: DeclaredRun
) -> None:
    address, at = f"/runs/{failed.id}/plan/", flows.task(failed, "pay").ended_at
    assert at
    told = {"step": "pay", "of": at.isoformat()}
    assert f'value="{at.isoformat()}"' in text(operator_at, address)
    for wrong in (told, WHY | {"step": "pay"}, WHY | told | {"effect": "x"}, WHY | told | {"step": "book"}):
        operator_at.post(f"{address}retry/", wrong)
    assert flows.state(failed) == "failed"

    for _ in range(2):
        assert operator_at.post(f"{address}retry/", WHY | told).status_code == 302

    assert (flows.state(failed), flows.task(failed, "pay").state) == ("running", "ready")
    assert Entry.objects.filter(kind="step.tried_again").count() == 1


def test_taking_an_effect_back_is_tried_again_with_a_press(
    operator_at: Client, workspace: Workspace, failed: DeclaredRun
) -> None:
    address = f"/runs/{failed.id}/plan/"
    operator_at.post(f"{address}rollback/", WHY)
    flows.lose(workspace, flows.one(workspace), "gone", "The account is closed")
    effect = Effect.objects.get(step="book")
    assert "Try to take this back again?" in text(operator_at, address)
    assert effect.ended_at

    operator_at.post(f"{address}retry/", WHY | {"effect": str(effect.id), "of": effect.ended_at.isoformat()})

    assert flows.effects(failed) == [("book", "asked"), ("mail", "kept")]


def test_a_run_is_cancelled_with_a_press(operator_at: Client, workspace: Workspace) -> None:
    make.workflow(workspace, "Refund")
    flows.declare(workspace, flows.step("pay"))
    run = flows.begin(workspace)

    operator_at.post(f"/runs/{run.id}/plan/cancel/", WHY)

    assert flows.state(run) == "cancelled"
    assert "was cancelled" in text(operator_at, f"/runs/{run.id}/plan/")


def test_only_operators_press_and_only_declared_runs_have_a_plan(
    as_reviewer: Client, workspace: Workspace, failed: DeclaredRun
) -> None:
    assert as_reviewer.post(f"/runs/{failed.id}/plan/rollback/", WHY).status_code == 403
    page = text(as_reviewer, f"/runs/{failed.id}/plan/")
    assert "Roll back" not in page
    observed = make.run(workspace)
    assert as_reviewer.get(f"/runs/{observed.id}/plan/").status_code == 404
    assert "Goes by" not in text(as_reviewer, f"/runs/{observed.id}/")
