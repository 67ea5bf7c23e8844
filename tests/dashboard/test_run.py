"""One run: its waterfall, what it comes down to, and who may read what was said in it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from uuid_utils.compat import uuid7

from dashboard import telling
from dashboard.views.run import rows, tone
from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows.account_lines import StepLine
from orchestration.workspaces.models import Membership, User, Workspace
from tests import make, scenes
from tests.dashboard.conftest import Scene, play, played, region
from tests.make import Made

one_run = scenes.scene(lambda: play(make.workspace()))


@pytest.fixture
def scene(workspace: Workspace) -> Scene:
    return played(workspace)


STEP = StepLine(
    id="00" * 8,
    trace_id="00" * 16,
    parent=None,
    depth=0,
    orphan=False,
    kind="tool",
    detail="tool",
    name="charge",
    subject="charge",
    agent=None,
    agent_slug=None,
    system=None,
    status="ok",
    counted=False,
    attempt=1,
    started_at=datetime(2026, 11, 22, tzinfo=UTC),
    ended_at=None,
    offset_ms=250.0,
    duration_ms=500.0,
    tokens=None,
    cost=None,
    error=None,
)


def test_a_bar_lies_where_the_step_lay() -> None:
    (row,) = rows([STEP], 1000.0, "", "")

    assert (row.bar.x, row.bar.width, row.shown) == ("25.00", "50.00", "500 ms")


@pytest.mark.parametrize(
    ("changed", "bar"),
    [
        ({"duration_ms": 0.0}, ("25.00", "0.40")),
        ({"offset_ms": 1000.0, "duration_ms": 0.0}, ("99.60", "0.40")),
        ({"offset_ms": -5.0}, ("0.00", "50.00")),
        ({"duration_ms": 9e9}, ("25.00", "75.00")),
        ({"duration_ms": None}, ("25.00", "75.00")),
    ],
)
def test_a_bar_stays_in_its_place_and_can_be_seen(changed: dict[str, Any], bar: tuple[str, str]) -> None:
    (row,) = rows([replace(STEP, **changed)], 1000.0, "", "")

    assert (row.bar.x, row.bar.width) == bar


@pytest.mark.parametrize(
    ("changed", "colour"),
    [
        ({"counted": True, "kind": "agent"}, "fail"),
        ({"kind": "human", "duration_ms": None}, "wait"),
        ({"kind": "human"}, "human"),
        ({"kind": "llm"}, "agent"),
        ({"status": "failed"}, "tool"),
        ({"kind": "other"}, "other"),
    ],
)
def test_red_is_what_counts_as_a_failure_and_no_ancestor_of_it(changed: dict[str, Any], colour: str) -> None:
    assert tone(replace(STEP, **changed)) == colour


def test_the_page_tells_who_did_what_and_what_failed(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get(f"/runs/{scene.run.id}/").content.decode()

    assert text.count('<tr id="s-') == 5
    assert "Timeout: no answer from payments" in text
    assert "try 2" in text
    assert re.search(r"Tool calls</dt><dd>2, <span class=\"c-crit\">1 failed", text)


def test_the_steps_as_a_table_say_the_same(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get(f"/runs/{scene.run.id}/?tab=steps").content.decode()

    assert text.count("execute_tool charge") >= 2
    assert "120, 30" in text


@pytest.mark.parametrize("target", ["summary", "waterfall", "told"])
def test_a_region_is_what_the_page_shows_there(as_operator: Client, scene: Scene, target: str) -> None:
    page = as_operator.get(f"/runs/{scene.run.id}/").content.decode()

    part = as_operator.get(f"/runs/{scene.run.id}/", headers=region(target)).content.decode()

    assert part.strip() in page


def test_an_unknown_run_is_not_found(as_operator: Client, scene: Scene) -> None:
    assert as_operator.get(f"/runs/{uuid7()}/").status_code == 404
    assert as_operator.get("/runs/not-an-id/").status_code == 404


def test_a_trace_leads_to_its_run_where_it_is_and_nowhere_else(
    as_operator: Client, client: Client, scene: Scene, stranger: User
) -> None:
    trace = bytes(range(16)).hex()

    answer = as_operator.get(f"/runs/{trace.upper()}/?tab=steps")

    assert (answer.status_code, answer["Location"]) == (302, f"/runs/{scene.run.id}/?tab=steps")
    assert as_operator.get(f"/runs/{scene.run.id.hex}/")["Location"] == f"/runs/{scene.run.id}/"
    assert as_operator.get(f"/runs/{'f' * 32}/").status_code == 404
    client.force_login(stranger)
    assert client.get(f"/runs/{trace}/").status_code == 404
    Membership.objects.create(user=stranger, workspace=scene.workspace, roles=["operator"])
    client.post("/workspace/", {"workspace": "elsewhere"})
    assert "Switch to Default" in client.get(f"/runs/{trace}/").content.decode()


def test_a_run_in_another_workspace_of_mine_is_not_here_and_the_switch_is_offered(
    client: Client, scene: Scene, stranger: User
) -> None:
    Membership.objects.create(user=stranger, workspace=scene.workspace, roles=["operator"])
    elsewhere = Workspace.objects.get(slug="elsewhere")
    client.force_login(stranger)
    client.post("/workspace/", {"workspace": elsewhere.slug})

    answer = client.get(f"/runs/{scene.run.id}/")
    text = answer.content.decode()
    switched = client.post("/workspace/", {"workspace": "default", "next": f"/runs/{scene.run.id}/"}, follow=True)

    assert answer.status_code == 404
    assert "Switch to Default" in text
    assert switched.status_code == 200


def test_a_merged_run_leads_to_the_one_that_took_it(as_operator: Client, scene: Scene) -> None:
    gone = make.run(scene.workspace, scene.flow, merged_into=scene.run.id, traces=[])

    answer = as_operator.get(f"/runs/{gone.id}/?tab=steps")

    assert answer.status_code == 302
    assert answer["Location"] == f"/runs/{scene.run.id}/?tab=steps"


def test_a_long_run_comes_in_pieces_of_two_hundred(as_operator: Client, workspace: Workspace) -> None:
    trace, began = bytes(16), timezone.now() - timedelta(minutes=1)
    make.spans(workspace, trace, began, *(Made(f"step {n}", at_ms=n) for n in range(450)))
    run = make.run(workspace, started_at=began, traces=[trace])

    first = as_operator.get(f"/runs/{run.id}/").content.decode()
    second = as_operator.get(f"/runs/{run.id}/?from=200", headers=region("more")).content.decode()
    last = as_operator.get(f"/runs/{run.id}/?from=400", headers=region("more")).content.decode()

    assert [piece.count('<tr id="s-') for piece in (first, second, last)] == [200, 200, 50]
    assert f'hx-get="/runs/{run.id}/?from=200"' in first
    assert 'hx-trigger="revealed"' in second
    assert 'id="more"' not in last
    assert len(first) < 150_000


@pytest.mark.parametrize("start", ["-1", "x", "9" * 30, "\u0663"])
def test_a_place_that_is_none_is_the_first(as_operator: Client, scene: Scene, start: str) -> None:
    answer = as_operator.get(f"/runs/{scene.run.id}/", {"from": start})

    assert answer.content.count(b'<tr id="s-') == 5


def spoken(scene: Scene) -> str:
    """A run in which a model was told a secret; the address of that step."""
    trace, began = b"spoken__________", timezone.now() - timedelta(minutes=1)
    attributes = {"gen_ai.input.messages": "the customer's secret wish", "gen_ai.request.model": "gpt-4.1"}
    said = Made("chat gpt-4.1", Kind.LLM, scene.triage, values={"attrs": {"a": attributes, "k": 1, "s": "test"}})
    make.spans(scene.workspace, trace, began, said)
    run = make.run(scene.workspace, scene.flow, started_at=began, traces=[trace])
    return f"/runs/{run.id}/?span={said.id.hex()}"


def test_prompts_are_withheld_from_who_may_not_read_them(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get(spoken(scene)).content.decode()

    assert "secret wish" not in text
    assert "1 attribute is withheld" in text
    assert "gen_ai.request.model" in text


def test_prompts_are_shown_to_who_may_read_content(client: Client, scene: Scene, operator: User) -> None:
    Membership.objects.filter(user=operator).update(sees_content=True)
    client.force_login(operator)

    text = client.get(spoken(scene)).content.decode()

    assert re.search(r"data-untrusted>the customer&#x27;s secret wish</dd>", text)


def test_an_admin_may_read_content(as_admin: Client, scene: Scene) -> None:
    assert "secret wish" in as_admin.get(spoken(scene)).content.decode()


@pytest.mark.parametrize("span", ["ffffffffffffffff", "x", "%00", "'", "../.."])
def test_a_step_that_the_run_has_not_is_said_to_be_missing(as_operator: Client, scene: Scene, span: str) -> None:
    answer = as_operator.get(f"/runs/{scene.run.id}/?span={span}")

    assert answer.status_code == 200
    assert b"no such step" in answer.content


def test_a_run_without_stored_steps_says_why(as_operator: Client, workspace: Workspace) -> None:
    run = make.run(workspace)

    assert b"no stored steps" in as_operator.get(f"/runs/{run.id}/").content


def test_agents_have_lanes_and_work_goes_from_one_to_the_other(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get(f"/runs/{scene.run.id}/").content.decode()
    lanes = text.split('id="lanes"')[1].split("</section>")[0]

    assert re.findall(r'class="s lane-name"[^>]*>([^<]+)', lanes) == ["triage", "billing"]
    assert 'aria-label="Lanes of triage, billing; 1 handoff"' in lanes
    assert f'data-span="{scene.failed.id.hex()}"' in lanes
    assert "Timeout, retried" in lanes


def test_what_failed_is_said_first(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get(f"/runs/{scene.run.id}/").content.decode()

    assert "It ended well although 1 step failed on the way." in text
    assert "Why it took long." in text
    assert "1 failed call cost another 90 ms." in text


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"agent": "payer"}, "charge of payer failed: No cover"),
        ({"agent": "payer", "kind": "agent", "name": "pay"}, "payer failed: No cover"),
        ({}, "charge failed: No cover"),
    ],
)
def test_what_failed_last_is_named_once(changed: dict[str, Any], words: str) -> None:
    told = telling.failed([replace(STEP, error="No cover", **changed)], 1)

    assert "".join(part.text for part in told) == words


def test_a_failure_that_was_made_up_for_is_not_what_a_run_failed_of(as_operator: Client, workspace: Workspace) -> None:
    trace, began, who = b"m" * 16, timezone.now() - timedelta(minutes=5), make.agent(workspace, "payer")
    top = Made("invoke_agent payer", Kind.AGENT, who, ms=900)
    wrong = Made("registry", Kind.TOOL, who, None, top, 10, 20, Outcome.ERROR, {"error": "Unknown"})
    late = Made("charge", Kind.TOOL, who, None, top, 40, 20, Outcome.ERROR, {"error": "Timeout"})
    again = Made("charge", Kind.TOOL, who, None, top, 70, 20)
    make.spans(workspace, trace, began, top, wrong, late, again)
    run = make.run(workspace, status="failed", errors=2, agents=[who.pk], traces=[trace], started_at=began)

    text = as_operator.get(f"/runs/{run.id}/").content.decode()

    said = re.search(r"One of 2 failures\..*?</p>", text, re.S)
    assert said
    assert re.sub("<.*?>", "", said[0]) == "One of 2 failures. registry of payer failed: Unknown"


@pytest.mark.parametrize(
    ("elsewhere", "ms", "said"),
    [("registry-desk", -283_000, True), ("registry-desk", -900, False), ("desk", -283_000, False)],
)
def test_clocks_that_disagree_are_told(
    as_operator: Client, workspace: Workspace, elsewhere: str, ms: int, said: bool
) -> None:
    trace, began, caller = b"c" * 16, timezone.now() - timedelta(minutes=9), make.agent(workspace, "wire")
    top = Made("invoke_agent wire", Kind.AGENT, caller, ms=900)
    below = Made("invoke_agent check", Kind.AGENT, make.agent(workspace, "check", elsewhere), None, top, ms)
    make.spans(workspace, trace, began, top, below)
    first = began + timedelta(milliseconds=ms)
    run = make.run(workspace, traces=[trace], started_at=first, ended_at=began + timedelta(seconds=1))

    text = re.sub("<.*?>", "", as_operator.get(f"/runs/{run.id}/").content.decode())

    assert ("Steps of registry-desk begin 4 m 43 s before what called them" in text) is said
    assert ("its clock is behind" in text) is said


def test_a_run_may_be_read_by_its_problems_alone(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get(f"/runs/{scene.run.id}/?show=problems").content.decode()
    rows = text.split('id="waterfall"')[1]

    assert rows.count('<tr id="s-') == 4  # the failed call, its retry, and the turns above them
    assert "5 steps, 1 folded" in rows
    assert f'href="/runs/{scene.run.id}/#waterfall"' in rows


def test_a_call_that_two_agents_made_is_marked_on_both(as_operator: Client, scene: Scene) -> None:
    trace, began = b"twice___________", timezone.now() - timedelta(minutes=1)
    same = {"subject": "get_customer", "hints": {"call": "a1"}}
    one = Made("invoke_agent triage", Kind.AGENT, scene.triage, ms=300)
    other = Made("invoke_agent billing", Kind.AGENT, scene.billing, at_ms=400, ms=300)
    made = [
        Made("execute_tool get_customer", Kind.TOOL, who, parent=turn, at_ms=at, ms=50, values=same)
        for who, turn, at in ((scene.triage, one, 10), (scene.billing, other, 420))
    ]
    make.spans(scene.workspace, trace, began, one, other, *made)
    run = make.run(scene.workspace, scene.flow, started_at=began, traces=[trace])

    text = as_operator.get(f"/runs/{run.id}/").content.decode()

    assert text.count(" data-dup") == 2
    assert "Same call twice" in text
    assert "The repeated call cost another 50 ms." in text


def test_steps_whose_parent_never_came_have_a_lane_of_their_own(as_operator: Client, scene: Scene) -> None:
    trace, began = b"orphan__________", timezone.now() - timedelta(minutes=1)
    turn = Made("invoke_agent triage", Kind.AGENT, scene.triage)
    lost = Made("GET /rates", parent=Made("never sent"))
    make.spans(scene.workspace, trace, began, turn, lost)
    run = make.run(scene.workspace, scene.flow, started_at=began, traces=[trace], status="running")

    text = as_operator.get(f"/runs/{run.id}/").content.decode()

    assert "Unknown parent" in text.split('id="lanes"')[1].split("</svg>")[0]
    assert 'class="lb lost"' in text
    assert "1 step whose parent" in text


def test_a_run_that_goes_on_is_followed_unless_a_step_is_open(as_operator: Client, scene: Scene) -> None:
    trace, began = b"live____________", timezone.now() - timedelta(minutes=1)
    turn = Made("invoke_agent triage", Kind.AGENT, scene.triage, parent=Made("not ended yet"))
    make.spans(scene.workspace, trace, began, turn)
    run = make.run(scene.workspace, scene.flow, started_at=began, traces=[trace], status="running")

    followed = as_operator.get(f"/runs/{run.id}/").content.decode().split('id="main"')[1]
    opened = as_operator.get(f"/runs/{run.id}/?span={turn.id.hex()}").content.decode().split('id="main"')[1]

    assert followed.count('hx-trigger="live:run from:body') == 4
    assert opened.count('hx-trigger="live:run from:body') == 1  # its figures
    assert "now-l" in followed


def test_a_run_that_changed_after_its_end_is_called_revised(as_operator: Client, scene: Scene) -> None:
    late = make.run(scene.workspace, scene.flow, late=True)

    assert ">Revised</span>" in as_operator.get(f"/runs/{late.id}/").content.decode()


def test_a_run_asks_the_database_the_same_few_questions_however_long_it_is(
    as_operator: Client, workspace: Workspace, django_assert_max_num_queries: Any
) -> None:
    trace, began = bytes(16), timezone.now() - timedelta(minutes=1)
    who = make.agent(workspace)
    make.spans(workspace, trace, began, *(Made(f"step {n}", Kind.TOOL, who, at_ms=n) for n in range(600)))
    run = make.run(workspace, started_at=began, traces=[trace])

    with django_assert_max_num_queries(32):
        as_operator.get(f"/runs/{run.id}/?span={bytes(8).hex()}")
