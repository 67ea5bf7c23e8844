"""Rules on signals on the pages: made, edited, tried, published; what they did and what came of it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from orchestration.autonomy import work
from orchestration.autonomy.models import Action
from orchestration.control import replaying, signals
from orchestration.policies import lifecycle
from orchestration.policies.models import Policy, PolicyVersion, Reading
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.control.test_signals import NOW, body, failing, live
from tests.dashboard.conftest import region

EDIT = "/policies/when-it-fails/edit/"


def text(answer: Any) -> str:
    return str(answer.content.decode())


def sent(**more: Any) -> dict[str, Any]:
    return {
        "editing": "1",
        "signal": "agent_failures",
        "was": "agent_failures",
        "of": "agent",
        "shape": "form",
        "joiner": "all",
        "row-group": ["0", "1"],
        "row-field": ["signal.calls", "signal.surely"],
        "row-op": ["ge", "ge"],
        "row-value": ["20", "limit"],
        "row-second": ["", ""],
        "act-pause": "on",
        "minutes-pause": "30",
        "words-pause": "",
        "leave": "apply",
        "bound-an_hour": "4",
        "bound-cool_down_s": "10",
        "bound-clear_s": "90",
        "limit-name": ["limit"],
        "limit-value": ["0.3"],
    } | more


def publishing(client: Client) -> str:
    fields = sent(seen=PolicyVersion.objects.get().digest, version="1", reason="Nights")
    return text(client.post("/policies/when-it-fails/publish/", fields, follow=True))


@pytest.fixture
def version(workspace: Workspace, admin: User) -> PolicyVersion:
    return lifecycle.create(workspace, "When it fails", admin, body("agent_failures", "agent"))


def test_a_new_one_begins_with_its_signals_own_rule(as_admin: Client, workspace: Workspace) -> None:
    answer = as_admin.post("/policies/", {"name": "Slow inbox", "signal": "queue"}, follow=True)

    assert Policy.objects.get().subject == "signal"
    assert 'name="row-field" value="signal.minutes"' in text(answer)
    listed = text(as_admin.get("/policies/"))
    assert "Questions wait too long: send a notice about the inbox" in listed
    assert "Nobody is told of notices yet" in text(answer)


def test_work_is_moved_to_no_agent_that_is_not_there(
    as_admin: Client, version: PolicyVersion, workspace: Workspace
) -> None:
    make.agent(workspace, "refund-bot")
    wanted = {"act-reroute": "on", "to-reroute": "refund-bto", "do": "save", "seen": version.digest}

    refused = as_admin.post(EDIT, sent(**wanted))

    assert refused.status_code == 422
    assert "There is no agent called refund-bto. Near to it: desk-refund-bot." in text(refused)
    assert 'value="refund-bto"' in text(refused)
    assert as_admin.post(EDIT, sent(**wanted | {"to-reroute": "desk-refund-bot"})).status_code == 302
    assert PolicyVersion.objects.get().body["acts"][-1]["to"] == "desk-refund-bot"


def test_what_is_typed_is_stored_in_the_units_of_the_rule(as_admin: Client, version: PolicyVersion) -> None:
    assert as_admin.post(EDIT, sent(do="save", seen=version.digest)).status_code == 302

    stored = PolicyVersion.objects.get().body
    assert stored["condition"] == "signal.calls >= 20\n  && signal.surely >= limit"
    assert stored["acts"] == [{"kind": "pause", "minutes": 30, "words": ""}]
    assert stored["bounds"] == {"an_hour": 4, "cool_down_s": 600, "clear_s": 90}
    assert 'name="bound-cool_down_s" value="10"' in text(as_admin.get(EDIT))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"row-field": ["signal.calls", "signal.minutes"]}, "has no signal.minutes"),
        ({"row-field": ["signal.call", "signal.surely"]}, "There is no fact signal.call."),
        ({"minutes-pause": "soon"}, "whole number"),
        ({"act-pause": None}, "Say what is to be done"),
        ({"bound-an_hour": "0"}, "A whole number from 1"),
        ({"limit-value": ["much"]}, "This is a number."),
        ({"leave": "perhaps"}, "Say whether Baton does it"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost(
    as_admin: Client, version: PolicyVersion, change: dict[str, Any], said: str
) -> None:
    given = {name: value for name, value in sent(do="save", seen=version.digest, **change).items() if value is not None}
    answer = as_admin.post(EDIT, given)

    assert (answer.status_code, PolicyVersion.objects.get().digest) == (422, version.digest)
    assert said in text(answer)
    assert 'value="0.3"' in text(answer) or "limit-value" in change


def test_rows_become_cel_and_come_back(as_admin: Client, version: PolicyVersion) -> None:
    as_cel = text(as_admin.post(EDIT, sent(do="cel"), headers=region("rule")))
    assert "signal.calls &gt;= 20" in as_cel

    back = text(
        as_admin.post(EDIT, sent(do="form", shape="cel", condition="signal.rate > 0.5"), headers=region("rule"))
    )

    assert 'value="signal.rate"' in back


def test_another_signal_brings_its_own_rule_and_acts(as_admin: Client, version: PolicyVersion) -> None:
    seen = text(as_admin.post(EDIT, sent(do="signal", signal="stuck_run")))

    assert 'value="signal.minutes"' in seen
    assert 'name="act-cancel"' in seen
    assert 'name="act-pause"' not in seen


def test_it_is_tried_on_the_past_and_then_published(
    proven: Client, workspace: Workspace, version: PolicyVersion
) -> None:
    now = timezone.now().replace(second=0, microsecond=0)
    facts = {"signal.calls": 40.0, "signal.surely": 0.6, "signal.rate": 0.7, "signal.failures": 28.0}
    Reading.objects.create(
        workspace=workspace,
        signal="agent_failures",
        target="1",
        at=now - timedelta(hours=3),
        name="refund",
        tied={"agent": ["1", "refund"]},
        facts=facts,
    )
    started = text(proven.post(EDIT, sent(do="replay", seen=version.digest), follow=True))
    assert 'role="status"><span class="soft">Replaying what was measured' in started
    assert "Replay this version over what was measured" in publishing(proven)
    replaying.work()
    seen = text(proven.get(EDIT, headers=region("backtest")))
    assert "In the last 30 days it would have acted 1 time." in seen
    assert seen.strip().startswith('<section class="panel" id="backtest"')

    assert "v1 live" in publishing(proven)
    assert Policy.objects.get().live == 1


def test_a_shadow_shows_what_it_lacks_and_goes_live_early_with_a_word_only(
    proven: Client, workspace: Workspace, admin: User, version: PolicyVersion
) -> None:
    lifecycle.start_shadow(version.policy_id, admin)
    failing(workspace)
    signals.sweep_one(workspace, NOW)
    PolicyVersion.objects.update(replayed_at=timezone.now(), replayed_digest=version.digest)
    address = "/policies/when-it-fails/"

    panel = text(proven.get(address, headers=region("shadow")))
    assert "The shadow has seen 1 of 5 episodes and 0 of 7 days so far." in panel
    assert "1 time</b>, and did nothing" in panel
    fields = {"version": "1", "reason": "It cannot wait"}
    refused = text(proven.post(f"{address}publish/", fields, follow=True))
    assert "Wait, or lower what this policy asks of shadows." in refused
    assert 'name="early" required' in refused

    proven.post(f"{address}gate/", {"decisions": "2", "days": "0"})
    shown = text(proven.post(f"{address}publish/", fields | {"early": "on"}, follow=True))

    assert "It went live early, as a person wished. The shadow has seen 1 of 2 episodes so far." in shown
    assert "Early: The shadow has seen" in text(proven.get(f"{address}?tab=history"))


def test_a_draft_that_somebody_else_saved_is_not_overwritten(
    as_admin: Client, admin: User, version: PolicyVersion
) -> None:
    lifecycle.save_draft(version.policy_id, admin, body("agent_failures", "agent", "pause"))

    answer = as_admin.post(EDIT, sent(do="save", seen=version.digest))

    assert answer.status_code == 409
    assert "meanwhile" in text(answer)


def test_what_a_rule_did_stands_with_the_rule_and_with_what_came_of_it(
    as_operator: Client, workspace: Workspace, admin: User
) -> None:
    published = live(workspace, admin, body("agent_failures", "agent", "pause"))
    failing(workspace)
    signals.sweep_one(workspace, NOW)
    work.carry_out()
    slug = published.policy.slug

    listed = text(as_operator.get(f"/actions/?rule={slug}"))
    alone = text(as_operator.get(f"/actions/{Action.objects.get().pk}/"))
    rule = text(as_operator.get(f"/policies/{slug}/"))

    for page in (listed, alone):
        assert re.search(rf'href="/policies/{slug}/">A rule', page)
        assert "75% failing then, 75% failing now." in page
    assert "Acted, holds still" in rule
    assert "No acts match" in text(as_operator.get("/actions/?rule=another"))


def test_history_and_changes_of_a_rule_are_shown_and_it_is_retired(
    proven: Client, workspace: Workspace, admin: User
) -> None:
    published = live(workspace, admin, body("agent_failures", "agent", "pause"))
    lifecycle.save_draft(
        published.policy_id, admin, body("agent_failures", "agent", "pause", condition="signal.rate > 0.9")
    )
    address = f"/policies/{published.policy.slug}/"

    assert 'class="add"' in text(proven.get(f"{address}?tab=changes"))
    assert "v2" in text(proven.get(f"{address}?tab=history"))
    assert proven.get(f"{address}versions/1/").status_code == 200
    assert proven.get(f"{address}diff/1..2/").status_code == 200

    proven.post(f"{address}retire/", {"reason": "No more"})

    assert Policy.objects.get().live is None


def test_everybody_reads_a_rule_and_admins_alone_edit_it(
    as_operator: Client, stranger: User, version: PolicyVersion
) -> None:
    elsewhere = Client()
    elsewhere.force_login(stranger)
    address = "/policies/when-it-fails/"

    assert [as_operator.get(path).status_code for path in (address, EDIT)] == [200, 403]
    assert as_operator.post(EDIT, sent(do="save", seen=version.digest)).status_code == 403
    assert [elsewhere.get(path).status_code for path in (address, f"{address}versions/1/")] == [404, 404]


@pytest.mark.parametrize("change", [{"signal": "\0"}, {"of": "moon"}, {"shape": ""}, {"row-group": []}, {"was": "x"}])
def test_nonsense_from_a_browser_is_no_error_of_ours(
    as_admin: Client, version: PolicyVersion, change: dict[str, Any]
) -> None:
    assert as_admin.post(EDIT, sent(do="save", seen=version.digest) | change).status_code in (302, 422)
