"""The list of runs: filters, places in it, and what it says when it is empty."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from orchestration.workspaces.models import Workspace
from tests import make
from tests.dashboard.conftest import Scene, region


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", True),
        ("?status=completed", True),
        ("?status=failed", False),
        ("?status=in_progress", False),
        ("?agent=desk-billing", True),
        ("?agent=nobody", False),
        ("?workflow=refund", True),
        ("?workflow=loan", False),
        ("?q=A-1001", True),
        ("?q=%00", True),
        ("?range=1h", True),
    ],
)
def test_the_list_shows_what_the_address_asks_for(as_operator: Client, scene: Scene, query: str, found: bool) -> None:
    answer = as_operator.get(f"/runs/{query}")

    assert answer.status_code == 200
    assert (f'id="run-{scene.run.id}"' in answer.content.decode()) == found


def test_filters_that_fit_nothing_can_be_cleared(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get("/runs/?q=nothing-like-it").content.decode()

    assert "No runs match" in text
    assert "Clear the filters" in text
    assert 'value="nothing-like-it"' in text


def test_older_runs_are_a_link_away_and_keep_the_filter(as_operator: Client, workspace: Workspace) -> None:
    begun = timezone.now() - timedelta(hours=1)
    for n in range(55):
        make.run(workspace, started_at=begun - timedelta(seconds=n), title=f"Run {n}")

    first = as_operator.get("/runs/?status=completed").content.decode()
    link = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    second = as_operator.get(link).content.decode()

    assert "status=completed" in link
    assert first.count('id="run-') == 50
    assert second.count('id="run-') == 5
    assert "hx-get" not in second.split('id="rows"')[1].split(">")[0]  # only the newest page goes on by itself


def test_a_cursor_of_somebody_else_is_refused_with_a_sentence(as_operator: Client) -> None:
    answer = as_operator.get("/runs/?cursor=bogus")

    assert answer.status_code == 400
    assert b"cursor" in answer.content


def test_the_region_is_what_the_page_shows_there(as_operator: Client, scene: Scene) -> None:
    page = as_operator.get("/runs/?status=completed").content.decode()

    part = as_operator.get("/runs/?status=completed", headers=region("rows")).content.decode()

    assert part.strip() in page
    assert "<html" not in part


def test_a_run_whose_workflow_is_not_known_yet_is_listed(as_operator: Client, workspace: Workspace) -> None:
    make.run(workspace, workflow_id=0, status="running")

    answer = as_operator.get("/runs/")

    assert b"not known yet" in answer.content


def test_a_new_workspace_is_told_how_to_begin(as_admin: Client) -> None:
    text = as_admin.get("/runs/").content.decode()

    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in text
    assert "Make a key" in text


def test_fifty_runs_cost_no_more_questions_than_one(
    as_operator: Client, workspace: Workspace, django_assert_max_num_queries: object
) -> None:
    agents = [make.agent(workspace, f"a{n}").pk for n in range(5)]
    for _ in range(50):
        make.run(workspace, agents=agents)

    with django_assert_max_num_queries(16):  # type: ignore[operator]
        as_operator.get("/runs/")
