"""The list of runs: filters, places in it, and what it says when it is empty."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.narrowing import span_words, terms
from orchestration.workspaces.models import Workspace
from tests import make
from tests.dashboard.conftest import Scene, region

ASKED_FOR = {
    "": True,
    "?status=completed": True,
    "?status=failed": False,
    "?status=in_progress": False,
    "?agent=desk-billing": True,
    "?agent=nobody": False,
    "?workflow=refund": True,
    "?workflow=loan": False,
    "?q=A-1001": True,
    "?q=status:completed+agent:billing+A-1001": True,
    "?q=status:failed": False,
    '?q=agent:"nobody+at+all"': False,
    "?q=workflow:Refund&sort=took": True,
    "?status=nonsense": False,
    "?sort=nonsense&page=x": True,
    "?q=%00": True,
    "?range=1h": True,
}


def test_the_list_shows_what_the_address_asks_for(as_operator: Client, scene: Scene) -> None:
    answers = {query: as_operator.get(f"/runs/{query}") for query in ASKED_FOR}

    assert {query: answer.status_code for query, answer in answers.items() if answer.status_code != 200} == {}
    row = f'id="run-{scene.run.id}"'
    assert {query: row in answer.content.decode() for query, answer in answers.items()} == ASKED_FOR


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
    link = followed(first, "next")
    second = as_operator.get(link).content.decode()
    back = as_operator.get(followed(second, "prev")).content.decode()

    assert "status=completed" in link
    assert [first.count('id="run-'), second.count('id="run-')] == [50, 5]
    assert ("1 to 50 of 55" in first, "51 to 55 of 55" in second) == (True, True)
    assert "hx-get" not in second.split('id="rows"')[1].split(">")[0]  # only the newest page goes on by itself
    assert body(back) == body(first)


def body(page: str) -> str:
    return page.partition("<tbody>")[2].partition("</tbody>")[0]


def followed(page: str, rel: str) -> str:
    before, _, _ = page.partition(f'rel="{rel}"')
    link, _, _ = before.rpartition('href="')[2].partition('"')
    return link.replace("&amp;", "&")


def test_a_list_longer_than_is_worth_counting_says_so() -> None:
    assert span_words(2, 50, 50, 1001) == "51 to 100 of more than 1,000"
    assert span_words(1, 50, 7, 7) == "1 to 7 of 7"


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ('late status:failed agent:"loan desk"', ("late", {"status": "failed", "agent": "loan desk"})),
        ("Status:Failed", ("", {"status": "Failed"})),
        ("http://x status:", ("http://x status:", {})),
        ("a status:ok status:failed", ("a", {"status": "failed"})),
        ("", ("", {})),
    ],
)
def test_the_filter_box_takes_words_and_fields(q: str, found: tuple[str, dict[str, str]]) -> None:
    assert terms(q, ("status", "agent")) == found


def test_a_filter_out_of_a_link_can_be_removed(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get("/runs/?agent=desk-billing&status=completed").content.decode()

    assert 'aria-label="Remove the filter Agent: desk-billing"' in text
    assert 'href="/runs/?status=completed"' in text
    assert '<input type="hidden" name="agent" value="desk-billing">' in text


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        ([], "No run is in progress"),
        (["running"], "1 run is in progress"),
        (["running", "waiting", "waiting"], "3 runs are in progress, 2 wait for a person"),
    ],
)
def test_the_page_says_first_what_is_at_work(
    as_operator: Client, workspace: Workspace, statuses: list[str], words: str
) -> None:
    for status in ["completed", *statuses]:
        make.run(workspace, status=status)

    assert f"<h1>{words}</h1>" in as_operator.get("/runs/").content.decode()


def test_how_many_match_is_said_of_a_narrowed_list(as_operator: Client, scene: Scene) -> None:
    assert "<h1>1 run matches</h1>" in as_operator.get("/runs/?q=A-1001").content.decode()
    assert "<h1>No runs match</h1>" in as_operator.get("/runs/?q=zzz").content.decode()


def test_the_column_that_orders_the_list_says_so(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get("/runs/?sort=took").content.decode()

    assert 'aria-sort="descending"><a href="/runs/?sort=took">Took' in text
    assert "of the last 7 days" in text


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

    with django_assert_max_num_queries(21):  # type: ignore[operator]
        as_operator.get("/runs/")
