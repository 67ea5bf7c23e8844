"""Page and API say the same, number by number."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from dashboard.charts.lines import spark
from orchestration.lib.templatetags.baton import NO_VALUE, duration, number, rate
from orchestration.workspaces.keys import create_key
from tests import make
from tests.dashboard.conftest import Scene

TAGS = re.compile(r"<[^>]+>")


@pytest.fixture
def told(client: Client, as_operator: Client, scene: Scene) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    """The page, the API's overview and its workflows, of a workspace where much has happened."""
    make.run(scene.workspace, scene.flow, status="waiting")
    make.run(scene.workspace, scene.flow, status="stalled")
    make.ended(make.workflow(scene.workspace, "Loan"), *[4_000.0] * 50, failed=20, asked=30, people_ms=900)
    headers = {"authorization": f"Bearer {create_key(scene.workspace, 'reader', ['read'])[1]}"}
    overview = client.get("/api/v1/overview", {"window": "24h"}, headers=headers).json()
    workflows = client.get("/api/v1/workflows", {"window": "24h"}, headers=headers).json()["items"]
    return as_operator.get("/?range=24h").content.decode(), overview, workflows


def tiles(page: str) -> list[tuple[str, str]]:
    found = re.findall(r'<span class="v">(.*?)</span><span class="s">(.*?)<(?:svg|span class="spark")', page, re.S)
    return [(words(value), words(support)) for value, support in found]


def words(markup: str) -> str:
    return " ".join(TAGS.sub("", markup).split())


Told = tuple[str, dict[str, Any], list[dict[str, Any]]]


def test_the_tiles_are_the_answers(told: Told) -> None:
    page, api, _ = told
    shown = tiles(page)
    slow, worst, ended = api["bottlenecks"][0], api["failing_agents"][0], api["runs_ended"]

    assert shown[0][0] == f"{api['active_agents']} of {sum(api['agents'].values())}"
    assert shown[1] == (number(api["runs_in_progress"]), f"{api['runs_waiting']} waiting for a human")
    assert shown[2][0] == duration(max(slow["wait_p95_ms"], slow["work_p95_ms"]))
    assert slow["step"] in shown[2][1]
    assert shown[3] == (rate(worst["failures"], worst["calls"]), worst["agent"])
    assert shown[4] == (duration(ended["p50_ms"]), f"p90 {duration(ended['p90_ms'])}")


@pytest.mark.parametrize("course", ["agents", "in_progress"])
def test_the_lines_are_the_points(told: Told, course: str) -> None:
    page, api, _ = told

    assert f'd="{spark(api["points"][course]).line}"' in page


def test_the_words_are_the_figures(told: Told) -> None:
    page, api, _ = told
    ended = api["runs_ended"]
    lede = words(page.split('<p class="lede">')[1].split("</p>")[0])

    assert f"{number(ended['runs'])} runs ended" in lede
    assert f"{number(ended['failed'])} ({ended['failed'] / ended['runs'] * 100:.1f}%) of them failed" in lede


def test_the_table_is_the_workflows(told: Told) -> None:
    page, _, workflows = told

    for flow in workflows:
        row = page.split(f'id="flow-{flow["id"]}"')[1].split("</tr>")[0]
        cells = [words(cell) for cell in re.findall(r"<td.*?</td>", row, re.S)]
        shares = flow["shares"]
        assert cells[1] == number(flow["in_progress"])
        assert f"{shares['people'] * 100:.1f}".removesuffix(".0") + "% people working" in row
        assert cells[4:8] == [
            duration(flow["p50_ms"]),
            duration(flow["p90_ms"]),
            rate(flow["escalated"], flow["runs"]),
            rate(flow["failed"], flow["runs"]),
        ]
        assert cells[8] == (flow["steps"][0]["name"] if flow["steps"] else NO_VALUE)


def test_what_needs_attention_is_the_same_in_the_same_order(told: Told) -> None:
    page, api, _ = told
    shown = re.findall(r'<li id="need-(\w+?)(?:-([\w-]+))?">', page)

    assert shown == [(item["kind"], item["slug"]) for item in api["attention"]][:5]
    assert len(shown) >= 4


def test_the_days_of_human_load_are_the_same(told: Told) -> None:
    page, api, _ = told
    bars = re.findall(r"<g><title>[^<]*: ([\d,]+)[^<]*</title>(?:<rect|</g>)", page)

    assert bars[:30] == [number(day["asked"]) for day in api["human_load"]]
    assert bars[30:] == bars[16:30]  # the narrow one shows the last fourteen
