"""The page of what Baton did, and the presses by which people act: on agents, workflows and runs, and on acts."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from orchestration.autonomy import ordering, work
from orchestration.autonomy.limits import Allowed, allowed, forget
from orchestration.autonomy.models import Action, Cause, Kind, State, Stop
from orchestration.ledger.models import Entry
from orchestration.lib.templatetags.baton import plural
from orchestration.workflows.models import Run
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import User, Workspace
from tests import make, scenes
from tests.autonomy.ordered import aimed, at_run, done, wish
from tests.dashboard.conftest import Scene, play, played, region

one_run = scenes.scene(lambda: play(make.workspace()))


@pytest.fixture
def scene(workspace: Workspace) -> Scene:
    return played(workspace)


AGENT = "/agents/desk-billing/"


@pytest.fixture(autouse=True)
def nothing_allowed() -> None:
    forget()


def proposal(scene: Scene) -> Action:
    asked = wish(Kind.PAUSE, cause=Cause.FINDING, reason="It made the same call four times")
    return ordering.order(scene.workspace.pk, asked, aimed(scene.billing), proposed=True)


def text(client: Client, path: str, **headers: Any) -> str:
    return client.get(path, **headers).content.decode()


def test_an_agent_is_quarantined_by_a_form_and_released_by_one_press(as_operator: Client, scene: Scene) -> None:
    page = text(as_operator, AGENT)
    assert "Quarantine this agent?" in page
    assert "It takes part in" in page

    answer = as_operator.post(f"{AGENT}quarantine/", {"once": "a", "reason": "It pays twice"}, follow=True)

    page = answer.content.decode()
    assert "Quarantined by <bdi data-untrusted>operator</bdi>" in page
    assert "It pays twice" in page
    assert '<span class="pill crit">' in page

    as_operator.post(f"{AGENT}release/", {"once": "b"})
    assert not Stop.objects.exists()
    assert Action.objects.get(kind=Kind.QUARANTINE).state == State.UNDONE


def test_a_second_press_of_one_form_is_one_act(as_operator: Client, scene: Scene) -> None:
    for _ in range(2):
        as_operator.post(f"{AGENT}quarantine/", {"once": "a", "reason": "Odd"})

    assert Action.objects.count() == 1
    assert Entry.objects.filter(subject_kind="action", kind="action.done").count() == 1


def test_a_quarantine_without_a_reason_is_not_done_and_says_so(as_operator: Client, scene: Scene) -> None:
    page = as_operator.post(f"{AGENT}quarantine/", {"once": "a"}, follow=True).content.decode()

    assert "Say why: it stays with the act." in page
    assert not Action.objects.exists()


def test_who_may_only_read_sees_what_stops_an_agent_and_no_button(as_reviewer: Client, scene: Scene) -> None:
    done(scene.workspace, Kind.PAUSE, aimed(scene.billing))

    page = text(as_reviewer, AGENT)

    assert "Paused by" in page
    assert "Resume" not in page
    assert "ask-quarantine" not in page


def test_a_workflow_is_paused_and_a_run_cancelled(as_operator: Client, scene: Scene) -> None:
    run = make.run(scene.workspace, scene.flow, status="running")

    as_operator.post("/workflows/refund/pause/", {"once": "a", "minutes": "15"})
    as_operator.post(f"/runs/{run.id}/cancel/", {"once": "a", "reason": "Wrong customer"})

    assert set(Stop.objects.values_list("kind", "target_kind")) == {("pause", "workflow"), ("cancel", "run")}
    assert "Cancelled by" in text(as_operator, f"/runs/{run.id}/")
    assert "Paused by" in text(as_operator, "/workflows/refund/")


@pytest.mark.parametrize("path", [f"{AGENT}explode/", f"{AGENT}cancel/", "/workflows/refund/quarantine/"])
def test_what_cannot_be_done_to_a_thing_has_no_address(as_operator: Client, scene: Scene, path: str) -> None:
    assert as_operator.post(path, {"reason": "x"}).status_code == 404


def test_all_runs_that_a_filter_finds_are_cancelled_and_the_page_says_how_far(
    as_operator: Client, scene: Scene
) -> None:
    for _ in range(3):
        make.run(scene.workspace, scene.flow, status="running")
    make.run(scene.workspace, make.workflow(scene.workspace, "Loan"), status="running")
    assert "Cancel 3 runs?" in text(as_operator, "/runs/?workflow=refund")

    there = as_operator.post("/runs/cancel/", {"once": "a", "workflow": "refund", "reason": "Stop all"})
    assert "Cancelling 3 runs" in text(as_operator, there["Location"])
    work.carry_out()

    page = text(as_operator, there["Location"])
    assert "Cancelled 3 runs" in page
    assert "3 of 3 ended, 3 done" in page


@pytest.mark.parametrize(
    ("query", "many"),
    [
        ("status=waiting", "1 run"),
        ("status=running", "3 runs"),
        ("status=stalled", "1 run"),
        ("status=in_progress", "4 runs"),
        ("conversation=c-1", "1 run"),
        ("workflow=refund&range=1h", "2 runs"),
        ("q=workflow:refund status:running", "2 runs"),
    ],
)
def test_what_a_list_shows_is_cancelled_and_nothing_else(
    as_operator: Client, scene: Scene, query: str, many: str
) -> None:
    space, flow, long_ago = scene.workspace, scene.flow, timezone.now() - timedelta(hours=5)
    made = [
        make.run(space, flow, status="running", conversation="c-1"),
        make.run(space, flow, status="waiting"),
        make.run(space, flow, status="running", started_at=long_ago),
        make.run(space, flow, status="stalled"),
        make.run(space, make.workflow(space, "Loan"), status="running"),
        make.run(space, flow, status="completed", conversation="c-1"),
    ]
    page = text(as_operator, f"/runs/?{query}")
    assert f"Cancel {many}?" in page
    form = page.partition('id="cancel-all"')[2].partition("</form>")[0]
    sent = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))

    as_operator.post("/runs/cancel/", {**sent, "reason": "Stop"})
    work.carry_out()

    told = Run.objects.filter(pk__in=[run.pk for run in made], status="cancelled").count()
    assert f"Cancel {plural(told, 'run,runs')}?" == f"Cancel {many}?"


def test_the_page_opens_with_what_waits_for_a_word(as_operator: Client, scene: Scene) -> None:
    assert "Baton has done nothing yet" in text(as_operator, "/actions/")
    proposal(scene)

    page = text(as_operator, "/actions/")

    assert "1 act waits</a> for your word" in page
    assert "It made the same call four times" in page


def test_a_proposal_is_done_by_one_press(as_operator: Client, scene: Scene) -> None:
    action = proposal(scene)

    as_operator.post(f"/actions/{action.pk}/approve/", {"next": "/actions/"})

    action.refresh_from_db()
    assert (action.state, action.decided_by) == (State.DONE, "person:operator")
    assert Stop.objects.count() == 1


def test_a_proposal_is_left_and_then_cannot_be_done(as_operator: Client, scene: Scene) -> None:
    action = proposal(scene)
    as_operator.post(f"/actions/{action.pk}/decline/", {"reason": "It polls"})

    page = as_operator.post(f"/actions/{action.pk}/approve/", follow=True).content.decode()

    assert "it is left as it was by now" in page
    assert not Stop.objects.exists()


def test_an_act_is_undone_on_its_page_with_all_its_receipts(as_operator: Client, scene: Scene) -> None:
    action = done(scene.workspace, Kind.QUARANTINE, aimed(scene.billing))
    page = text(as_operator, f"/actions/{action.pk}/")
    assert "Whatever it asks is denied until it is released." in page
    assert "action.done" in page

    page = as_operator.post(f"/actions/{action.pk}/undo/", follow=True).content.decode()

    assert "Taken back by" in page
    assert "Undone" in page


def test_what_was_given_up_says_why_and_is_tried_again(as_operator: Client, scene: Scene) -> None:
    action = done(scene.workspace, Kind.COMPENSATE, at_run(scene.run))
    assert "1 act was</a> given up" in text(as_operator, "/actions/")

    page = as_operator.post(f"/actions/{action.pk}/retry/", follow=True).content.decode()

    assert "Nobody takes it: no webhook" in page


def test_all_that_failed_of_a_filter_is_tried_again_at_once_and_the_page_says_how_far(
    as_operator: Client, scene: Scene
) -> None:
    runs = [make.run(scene.workspace, scene.flow, status="running") for _ in range(3)]
    lost = [ordering.order(scene.workspace.pk, wish(Kind.CANCEL), at_run(run)) for run in runs]
    lost.append(ordering.order(scene.workspace.pk, wish(Kind.PAUSE), aimed(scene.billing)))
    Action.objects.update(state=State.DEAD, error="Baton could not do it")
    assert "Try all 4 again" in text(as_operator, "/actions/")
    page = text(as_operator, "/actions/?kind=cancel")
    assert 'action="/actions/retry/?kind=cancel"' in page

    sent = [as_operator.post("/actions/retry/?kind=cancel", {"once": "a"}) for _ in range(2)]
    assert sent[0]["Location"] == sent[1]["Location"]
    assert "Retrying 3 acts" in text(as_operator, sent[0]["Location"])
    work.carry_out()

    page = text(as_operator, sent[0]["Location"])
    assert "Retried 3 acts" in page
    assert "3 of 3 ended, 3 done" in page
    assert [Action.objects.get(pk=each.pk).state for each in lost] == [State.DONE] * 3 + [State.DEAD]
    assert Entry.objects.filter(kind="action.tried_again").count() == 3
    assert "nothing that failed" in as_operator.post("/actions/retry/?kind=cancel", follow=True).content.decode()


def test_a_press_leads_back_to_a_page_of_ours_alone(as_operator: Client, scene: Scene) -> None:
    action = proposal(scene)

    answer = as_operator.post(f"/actions/{action.pk}/decline/", {"next": "//evil.example/"})

    assert answer["Location"] == f"/actions/{action.pk}/"


def test_the_list_is_narrowed_by_state_kind_and_words(as_operator: Client, scene: Scene) -> None:
    done(scene.workspace, Kind.PAUSE, aimed(scene.triage))
    done(scene.workspace, Kind.QUARANTINE, aimed(scene.billing))

    assert "Quarantined" not in text(as_operator, "/actions/?kind=pause", headers=region("acts")).split("<tbody>")[1]
    assert "triage" not in text(as_operator, "/actions/?q=billing").split("<tbody>")[1]
    assert "No acts match" in text(as_operator, "/actions/?state=dead")


def test_thirty_acts_cost_no_more_queries_than_one(
    as_operator: Client, scene: Scene, django_assert_max_num_queries: Any
) -> None:
    for place in range(30):
        done(scene.workspace, Kind.PAUSE, aimed(make.agent(scene.workspace, f"bot {place}")))

    with django_assert_max_num_queries(16):
        as_operator.get("/actions/", headers=region("acts"))


def test_the_part_is_the_same_as_in_the_page(as_operator: Client, scene: Scene) -> None:
    proposal(scene)

    part = text(as_operator, "/actions/", headers=region("acts"))

    assert part.split("<tbody>")[1][:200] in text(as_operator, "/actions/")


def test_an_admin_says_what_baton_may_do_by_itself(as_admin: Client, workspace: Workspace) -> None:
    said = {"loops": "apply", "repeats": "5", "spend": "2.50", "minutes": "30"}

    page = as_admin.post("/actions/limits/", said, follow=True).content.decode()

    assert "Saved what Baton may do by itself" in page
    found = allowed(workspace.pk)
    assert (found.loops, found.repeats, str(found.spend), found.minutes) == ("apply", 5, "2.5000", 30)
    assert Entry.objects.filter(kind="limits.changed").count() == 1


def test_nonsense_in_the_limits_changes_nothing(as_admin: Client, workspace: Workspace) -> None:
    answer = as_admin.post("/actions/limits/", {"loops": "apply", "repeats": "1", "minutes": "30"})

    assert answer.status_code == 422
    assert allowed(workspace.pk) == Allowed()


def test_a_quarantined_agent_is_so_on_every_page(as_operator: Client, scene: Scene) -> None:
    make.pulse(scene.triage, timezone.now())
    done(scene.workspace, Kind.QUARANTINE, aimed(scene.billing))

    assert "is quarantined" in text(as_operator, "/agents/")
    assert "1 agent</a> is quarantined" in text(as_operator, "/")
    assert "Quarantined" in text(as_operator, AGENT, headers=region("state"))


def test_who_pauses_by_key_stands_there_by_its_name_and_the_agent_as_paused(as_operator: Client, scene: Scene) -> None:
    made, _ = create_key(scene.workspace, "night shift", ["admin"])
    asked = replace(wish(Kind.PAUSE, reason="It pays twice"), by=f"key:{made.pk}")
    work.carry_out_one(ordering.order(scene.workspace.pk, asked, aimed(scene.billing)))

    assert "Paused by <bdi data-untrusted>key night shift</bdi>" in text(as_operator, AGENT)
    assert "It pays twice.</bdi>" in text(as_operator, AGENT)
    assert "key night shift" in text(as_operator, "/actions/")
    assert '<span class="sub">paused</span>' in text(as_operator, "/agents/")


def test_an_admin_and_an_operator_find_actions_in_the_sidebar(as_operator: Client, admin: User, scene: Scene) -> None:
    proposal(scene)

    page = text(as_operator, "/")

    assert 'href="/actions/"' in page
