"""The overview: its five answers, its regions, its states."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from dashboard.answers import answers
from dashboard.views import overview as view
from orchestration.control.yesterday import Before
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.dashboard.conftest import Scene, region
from tests.dashboard.figures import BEFORE, EMPTY, QUIET, SLOW, WORST
from tests.dashboard.governed import govern

REGIONS = ("answers", "load", "attention", "flows")


def test_the_answers_are_the_five_questions() -> None:
    now = replace(QUIET, bottlenecks=[SLOW], failing_agents=[WORST], runs_waiting=1)

    told = [(each.value, "".join(part.text for part in each.support)) for each in answers(now, "24h")]

    assert told == [
        ("2", "1 idle"),
        ("3", "1 waiting for a human"),
        ("3 h 40 m", "credit check, waiting for people p95"),
        ("20%", "refund"),
        ("1.0 s", "p90 3.0 s"),
    ]


@pytest.mark.parametrize(
    ("before", "delta", "better"),
    [
        (replace(BEFORE, failures=10, calls=100, failure_rate=0.1), "+10.0 pt", False),
        (replace(BEFORE, failures=30, calls=100, failure_rate=0.3), "\N{MINUS SIGN}10.0 pt", True),
        (replace(BEFORE, failures=3, calls=10, failure_rate=0.3), "", False),
    ],
)
def test_a_change_is_told_only_where_there_was_enough_to_compare(before: Before, delta: str, better: bool) -> None:
    worst = answers(replace(QUIET, failing_agents=[WORST], before=before), "24h")[3]

    assert (worst.delta, worst.better) == (delta, better)


def test_nothing_measured_is_a_dash_and_no_zero() -> None:
    told = answers(replace(QUIET, runs_ended=EMPTY), "24h")

    assert [each.value for each in told[2:]] == ["\N{EN DASH}"] * 3


def test_the_page_shows_figures_findings_and_workflows(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get("/").content.decode()

    assert "<bdi data-untrusted>billing</bdi></a> fails " in text
    assert 'href="/workflows/refund/?range=24h"' in text
    assert text.count('<li><a class="stat"') == 5


@pytest.mark.parametrize(
    ("owner", "work_ms", "said"),
    [
        ("people", 0.0, ", waiting for people p95"),
        ("people", 9e9, ", with people p95"),
        ("desk", 9e9, ", working p95"),
        ("desk", 0.0, ", waiting p95"),
    ],
)
def test_a_bottleneck_says_whose_time_it_is(owner: str, work_ms: float, said: str) -> None:
    slow = answers(replace(QUIET, bottlenecks=[replace(SLOW, owner=owner, work_p95_ms=work_ms)]), "24h")[2]

    assert slow.support[1].text == said


def test_the_inbox_is_counted_once_wherever_it_is_said(as_operator: Client, scene: Scene, admin: User) -> None:
    govern(scene.workspace, admin)

    text = as_operator.get("/").content.decode()

    assert 'id="count-inbox">1<' in text
    assert "; 1 case in the inbox" in text


@pytest.mark.parametrize("owner", ["people", "desk"])
def test_marigold_is_peoples_time_alone(owner: str) -> None:
    slow = answers(replace(QUIET, bottlenecks=[replace(SLOW, owner=owner)]), "24h")[2]

    assert slow.spark.tone == ("human" if owner == "people" else "mute")


def test_the_range_is_carried_by_every_link_that_looks_back(as_operator: Client, scene: Scene) -> None:
    for text in ("1h", "6h", "24h", "7d", "30d"):
        body = as_operator.get(f"/?range={text}").content.decode()

        assert f'href="/workflows/refund/?range={text}"' in body
        assert f'href="/agents/?range={text}"' in body
        assert body.count(f'aria-current="true">{text[:-1]} {text[-1]}<') == 2  # in the bar, and at the foot of a phone


def test_imported_data_is_said_and_led_to(as_operator: Client, workspace: Workspace) -> None:
    flow, then = make.workflow(workspace, "Loan"), datetime(2012, 3, 14, 9, tzinfo=UTC)
    for began in (datetime(2011, 10, 1, tzinfo=UTC), then):
        make.run(workspace, flow, started_at=began, heard_at=timezone.now())
    make.ended(flow, 900.0, at=then)

    text = as_operator.get("/").content.decode()
    there = as_operator.get("/?range=30d@2012-03-14").content.decode()

    assert "Imported data from 1 Oct 2011 to 14 Mar 2012; nothing live yet" in text
    assert "Waiting for the first span" not in text
    assert 'href="?range=30d@2012-03-14"' in text
    assert "1 run</a> ended in the 30 days until 14 Mar 2012" in there
    assert 'href="/workflows/loan/?range=30d@2012-03-14"' in there
    assert 'href="?range=30d">Show now' in there
    assert "Today" not in there


def test_a_fleet_at_rest_is_led_back_to_its_last_day(as_operator: Client, workspace: Workspace) -> None:
    began = (timezone.now() - timedelta(days=4)).replace(hour=9)  # by its evening six hours would do to show it
    make.run(workspace, started_at=began)

    text = as_operator.get("/").content.decode()

    assert "Nothing ran in the last 24 hours" in text
    assert f'href="?range=24h@{began.date()}"' in text


@pytest.mark.parametrize("broken", REGIONS)
def test_a_part_that_fails_leaves_the_others_as_they_are(
    as_operator: Client, scene: Scene, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(page: view.OverviewPage) -> None:
        raise OperationalError("canceling statement due to statement timeout")

    monkeypatch.setattr(view.OverviewPage, broken, property(fail))
    answer = as_operator.get("/")
    text = answer.content.decode()

    assert answer.status_code == 200
    assert text.count("This part could not be loaded") == 1
    assert f'<section class="panel" id="{broken}"' in text
    assert all(f'id="{each}"' in text for each in REGIONS)


def test_a_region_is_what_the_page_shows_there(as_operator: Client, scene: Scene) -> None:
    def plain(answer: Any) -> str:
        return re.sub(r"\d+ s ago|csrf\w+", "", answer.content.decode()).strip()

    page = plain(as_operator.get("/?range=7d"))
    parts = {target: plain(as_operator.get("/?range=7d", headers=region(target))) for target in REGIONS}

    assert [target for target, part in parts.items() if not part.startswith(("<div", "<section"))] == []
    assert [target for target, part in parts.items() if f'id="{target}"' not in part[:120]] == []
    assert [target for target, part in parts.items() if part not in page] == []


def test_a_new_workspace_is_told_how_to_send_the_first_span(as_operator: Client) -> None:
    text = as_operator.get("/").content.decode()

    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://testserver\n" in text
    assert "Waiting for the first span" in text
    assert "Make a key" not in text  # an operator cannot


def test_the_first_span_turns_the_mark_green_and_then_brings_the_whole_page(as_operator: Client, scene: Scene) -> None:
    mark = as_operator.get("/", headers=region("first-steps")).content.decode()
    page = as_operator.get("/", headers=region("first-seen"))

    assert '<span class="live" data-state="live" role="status">The first span has come' in mark
    assert 'id="first-seen"' in mark
    assert page["HX-Refresh"] == "true"


def test_whoever_has_no_agent_yet_is_shown_how_to_load_sample_data(as_operator: Client) -> None:
    text = as_operator.get("/").content.decode()

    assert "Load sample data" in text
    assert "manage.py demo --url http://testserver --key YOUR_KEY" in text


def test_a_range_that_is_none_is_answered_with_a_sentence(as_operator: Client) -> None:
    answer = as_operator.get("/?range=9y")

    assert answer.status_code == 400
    assert b"from 1h to 30d" in answer.content


def test_the_page_asks_the_database_a_fixed_number_of_times(
    as_operator: Client, scene: Scene, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(60):
        as_operator.get("/")
