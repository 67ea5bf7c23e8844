"""Whether a workflow's agents coordinate, and what came of it, on its page; and the same figures as JSON."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from dashboard import coordination_words as words
from orchestration.control import coordinating
from orchestration.control.mess_figures import figures
from orchestration.handoffs.mess_models import Coordination
from orchestration.ledger.models import Entry
from orchestration.workflows.models import Workflow
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.control.test_coordinating import counted
from tests.dashboard.conftest import region

pytestmark = pytest.mark.django_db
PAGE = "/workflows/refund/coordination/"


@pytest.fixture
def flow(workspace: Workspace) -> Workflow:
    return make.workflow(workspace, "Refund")


@pytest.fixture
def compared(flow: Workflow, admin: User) -> Workflow:
    """34 of 60 runs before, none of 60 since."""
    coordinating.switch(flow, on=True, reason="Twice the same", by=admin)
    since = Coordination.objects.get().since
    counted(flow, since - timedelta(hours=1), 60, hit=34)
    counted(flow, since, 60)
    return flow


def html(client: Client, path: str = PAGE) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_where_it_was_never_switched_on_the_page_says_so(as_admin: Client, flow: Workflow) -> None:
    page = html(as_admin)

    assert "are not told to coordinate" in page
    assert "Nothing is counted until" in page
    assert "Switch on" in page


def test_the_page_opens_with_what_changed(as_admin: Client, compared: Workflow) -> None:
    page = html(as_admin)

    assert "0 repeated look-ups in 60 runs; before 34 in 60" in page
    assert "56.7 of 100 (44.1 to 68.4)" in page
    assert "−56.7" in page  # noqa: RUF001
    assert "Twice the same" in page
    assert f"/runs/{figures(compared).kinds[0].before.examples[0]}/" in page
    assert as_admin.get(PAGE, headers=region("mess")).content.decode() in page


def test_too_few_runs_are_counts_and_no_rates(as_admin: Client, flow: Workflow, admin: User) -> None:
    coordinating.switch(flow, on=True, reason="", by=admin)
    counted(flow, Coordination.objects.get().since, 3, hit=1)

    page = html(as_admin)

    assert "1 repeated look-up in 3 runs; none was counted before" in page
    assert "not enough data" in page


def test_an_admin_switches_it_and_a_double_press_has_one_effect(as_admin: Client, flow: Workflow) -> None:
    for _ in range(2):
        answer = as_admin.post(PAGE + "switch/", {"on": "1", "reason": "Twice the same"})
        assert (answer.status_code, answer["Location"]) == (302, PAGE)

    assert Coordination.objects.get().on
    assert Entry.objects.filter(kind="workflow.coordination_on").count() == 1
    as_admin.post(PAGE + "switch/", {"on": "0", "reason": "Enough"})
    assert not Coordination.objects.get().on
    assert "While coordination was on" in html(as_admin)


@pytest.mark.parametrize("said", [{"on": "1"}, {"on": "1", "reason": "x" * 401}, {"on": "maybe", "reason": "y"}, {}])
def test_what_is_no_wish_changes_nothing(as_admin: Client, flow: Workflow, said: dict[str, Any]) -> None:
    answer = as_admin.post(PAGE + "switch/", said)

    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert not Coordination.objects.exists()


def test_others_read_and_do_not_switch(as_reviewer: Client, compared: Workflow) -> None:
    page = html(as_reviewer)

    assert "An admin switches it on and off." in page
    assert "<form class" not in page
    assert as_reviewer.post(PAGE + "switch/", {"on": "0", "reason": "y"}).status_code == 403


def test_page_and_json_show_the_same(client: Client, compared: Workflow, workspace: Workspace) -> None:
    _, key = create_key(workspace, "reader", ["read"])
    bearer = {"Authorization": f"Bearer {key}"}

    told = client.get("/api/v1/workflows/refund/coordination", headers=bearer).json()

    found = figures(compared)
    assert (told["state"], told["runs"], told["on"]) == ("known", [60, 60], True)
    looked = told["kinds"][0]
    assert (looked["before"]["count"], looked["after"]["count"]) == (34, 0)
    assert looked["difference"] == pytest.approx(found.kinds[0].difference)
    assert looked["before"]["examples"] == [str(run) for run in found.kinds[0].before.examples]
    assert client.get("/api/v1/workflows/nothing/coordination", headers=bearer).status_code == 404


def test_the_workflow_s_own_page_says_it_in_short(as_admin: Client, compared: Workflow) -> None:
    make.ended(compared, *[10.0] * 5)

    assert "0 repeated look-ups in 60 runs; before 34 in 60" in html(as_admin, "/workflows/refund/")


def test_a_small_difference_reads_as_none() -> None:
    assert [words.signed(value) for value in (-51.66, 3.04, 0.01, -0.04)] == ["−51.7", "+3.0", "0", "0"]  # noqa: RUF001
