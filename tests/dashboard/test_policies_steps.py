"""What a version would have done, and the steps to live, on the pages."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.charts.backtest import curve
from orchestration.ledger.models import Entry
from orchestration.policies import lifecycle, live, rulebook, versions
from orchestration.policies.models import Decision, Policy, PolicyVersion, Progress, ReplayRun, State
from orchestration.workspaces.models import User, Workspace
from tests import make, scenes
from tests.conftest import person
from tests.dashboard.conftest import region
from tests.dashboard.policy_scene import BODY, decided, draft, published, ran, replayed, report, sent
from tests.dashboard.test_policies_editor import EDIT, second_admin, text


def begin() -> None:
    space = make.workspace()
    draft(space, person(space, "admin", "admin"))


one_draft = scenes.scene(begin)


@pytest.fixture
def admin(workspace: Workspace) -> User:
    return User.objects.get(username="admin")


@pytest.fixture
def version(workspace: Workspace) -> PolicyVersion:
    return PolicyVersion.objects.get()


# ---- what it would have done


def test_a_replay_begins_with_what_was_typed(as_admin: Client, workspace: Workspace, version: PolicyVersion) -> None:
    decided(workspace, 3)

    as_admin.post(EDIT, sent(do="replay", seen=version.digest, **{"limit-value": ["900", ""]}))

    run = ReplayRun.objects.get(version=version)
    assert run.body["limits"] == {"limit": 900.0}


def test_the_report_tells_tickets_and_errors_together(
    as_admin: Client, workspace: Workspace, version: PolicyVersion
) -> None:
    ran(version)

    seen = text(as_admin.get(EDIT, headers=region("backtest")))

    assert seen.strip().startswith('<section class="panel bt" id="backtest"')
    for said in ("4,218 decisions, 24 Oct to 23 Nov", "40.8", "20.4", "52 m", "17 m", "R-20918", "Chargeback"):
        assert said in seen
    assert "2 more errors, worth 1,730 in all, against 155.6 hours of waiting saved a week." in seen
    assert "40 of 612 freed cases were never reviewed" in seen
    assert 'data-chart="tradeoff"' in seen
    asked = seen.split('id="consequences"')[1]  # of the dialog that publishes, which stands outside of the region
    assert 'hx-swap-oob="true"' in asked
    assert "Tickets go from 40.8 to 20.4 a day" in asked


def test_a_report_says_of_how_many_decisions_it_speaks(as_admin: Client, version: PolicyVersion) -> None:
    ran(version, report=report(concerned=1200))

    assert "1,200 in its scope, of 4,218 decisions, 24 Oct to 23 Nov" in text(as_admin.get(EDIT))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"freed": 0, "held": 0}, "No recorded decision would have come out otherwise."),
        ({"freed": 0, "held": 0, "concerned": 0}, "None of them lies in its scope."),
        ({"after": {**report()["after"], "missed": 1}}, "As many missed errors as now, with"),
        ({"after": {**report()["after"], "missed": 0, "missed_amount": 0.0}}, "1 error fewer, worth 100 in all, with"),
    ],
)
def test_each_consequence_has_its_words(
    as_admin: Client, version: PolicyVersion, more: dict[str, Any], says: str
) -> None:
    ran(version, report=report(**more))

    assert says in text(as_admin.get(EDIT))


def test_a_replay_that_runs_tells_how_far_it_is_and_keeps_the_last_in_view(
    as_admin: Client, version: PolicyVersion
) -> None:
    ran(version)
    ran(version, state=Progress.RUNNING, done=50, total=200, report=None, ended_at=None, beat_at=timezone.now())

    seen = text(as_admin.get(EDIT, headers=region("backtest")))

    assert "Replaying 50 of 200 decisions" in seen
    assert 'value="25"' in seen
    assert "load delay:1500ms" in seen
    assert "R-20918" in seen


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"digest": "0" * 64}, "Of an earlier draft"),
        ({"ended_at": timezone.now() - timedelta(hours=30)}, "Older than a day"),
        ({"state": Progress.FAILED, "fault": "Its worker died 3 times.", "report": None}, "Its worker died 3 times."),
    ],
)
def test_a_result_that_does_not_stand_says_so(
    as_admin: Client, version: PolicyVersion, more: dict[str, Any], says: str
) -> None:
    ran(version, **more)

    assert says in text(as_admin.get(EDIT))


def test_the_curve_has_one_axis_and_both_measures() -> None:
    chart = curve(report()["curve"], 30, 500, 1000)

    assert chart
    assert chart.words == (
        "As the limit goes from 500 to 1,000, tickets go from 53.3 to 40.0 a day and missed errors from 1 to 2"
    )
    assert {trace["yaxis"] for trace in chart.figure["data"]} == {"y", "y2"}
    assert {trace["xaxis"] for trace in chart.figure["data"]} == {"x"}
    assert curve([], 30, None, None) is None


# ---- steps


def test_publishing_asks_for_the_password(as_admin: Client, version: PolicyVersion) -> None:
    answer = as_admin.post("/policies/refund-limit/publish/", {"version": 1, "reason": "Go"})

    assert answer["Location"].startswith("/accounts/again/")
    assert Policy.objects.get(pk=version.policy_id).live is None


def test_what_was_seen_goes_live(proven: Client, workspace: Workspace, version: PolicyVersion) -> None:
    fields = sent(seen=version.digest, version="1", reason="Go", **{"limit-value": ["450", ""]})

    answer = proven.post("/policies/refund-limit/publish/", fields, follow=True)

    assert "Published v1" in text(answer)
    assert live.book(workspace.pk).rules[0].limits == {"limit": 450.0}
    assert Entry.objects.filter(workspace=workspace.pk, kind="policy.published").count() == 1


def test_without_a_reason_or_a_replay_nothing_goes_live(
    proven: Client, workspace: Workspace, version: PolicyVersion
) -> None:
    fields = sent(seen=version.digest, version="1", reason="")
    assert "why this changes" in text(proven.post("/policies/refund-limit/publish/", fields, follow=True))

    decided(workspace, 1)
    fields["reason"] = "Go"

    assert "Replay this version" in text(proven.post("/policies/refund-limit/publish/", fields, follow=True))
    assert Policy.objects.get(pk=version.policy_id).live is None


def test_the_dialog_names_consequences_in_numbers(as_admin: Client, version: PolicyVersion) -> None:
    ran(version)

    seen = text(as_admin.get(EDIT))

    assert "Tickets go from 40.8 to 20.4 a day, missed errors from 1 to 3; 612 recorded decisions" in seen
    assert "40 freed cases were never reviewed by anybody." in seen


def test_a_second_admin_publishes_what_is_sensitive(
    proven: Client, workspace: Workspace, version: PolicyVersion, admin: User
) -> None:
    rulebook.describe(version.policy_id, admin, name="Refund limit", purpose="", sensitive=True)
    proven.post("/policies/refund-limit/publish/", {"version": 1, "reason": "Please look"})
    assert "There is no other admin here yet" in text(proven.get(EDIT))
    second_admin(workspace)
    other = Client()
    other.post("/accounts/login/", {"login": "second", "password": "second-password-12"})

    assert "admin asks to publish it: Please look" in text(other.get("/policies/refund-limit/"))
    other.post("/policies/refund-limit/publish/", {"version": 1, "reason": "Agreed"})

    assert Policy.objects.get(pk=version.policy_id).live == 1


def test_a_shadow_runs_and_stops(as_admin: Client, workspace: Workspace, version: PolicyVersion) -> None:
    for _ in range(2):
        as_admin.post("/policies/refund-limit/shadow/", sent(seen=version.digest))
    assert [rule.version for rule in live.book(workspace.pk).shadows] == [1]

    as_admin.post("/policies/refund-limit/unshadow/")

    assert live.book(workspace.pk).shadows == ()


def test_a_shadow_is_replayed_and_published_where_it_is_read(
    proven: Client, workspace: Workspace, version: PolicyVersion
) -> None:
    proven.post("/policies/refund-limit/shadow/", sent(seen=version.digest))
    decided(workspace, 1)
    assert "Replay this version" in text(
        proven.post("/policies/refund-limit/publish/", {"version": 1, "reason": "Agreed"}, follow=True)
    )
    proven.post("/policies/refund-limit/replay/")
    assert ReplayRun.objects.filter(version=version).count() == 1

    ReplayRun.objects.all().delete()
    version.refresh_from_db()
    ran(version)
    replayed(version)
    assert "Tickets go from 40.8 to 20.4 a day" in text(proven.get("/policies/refund-limit/"))
    early = proven.post("/policies/refund-limit/publish/", {"version": 1, "reason": "Agreed"}, follow=True)
    assert "The shadow has seen 0 of 200 decisions and 0 of 7 days so far." in text(early)
    rulebook.ask_of_shadows(version.policy_id, User.objects.get(username="admin"), rulebook.Gate(0, 0))
    proven.post("/policies/refund-limit/publish/", {"version": 1, "reason": "Agreed"})

    assert Policy.objects.get(pk=version.policy_id).live == 1


def test_one_press_reverts_and_a_second_one_is_none(proven: Client, workspace: Workspace, admin: User) -> None:
    Policy.objects.all().delete()
    policy = published(workspace, admin)
    replayed(lifecycle.save_draft(policy.pk, admin, BODY | {"limits": {"limit": 900}}))
    lifecycle.publish(policy.pk, 2, admin, "More")

    for _ in range(2):
        proven.post("/policies/refund-limit/revert/", {"version": 1, "live": 2})

    policy.refresh_from_db()
    assert (policy.live, policy.versions.count()) == (3, 3)
    assert live.book(workspace.pk).rules[0].limits == {"limit": 500.0}


def test_a_policy_is_retired_and_a_draft_discarded(proven: Client, workspace: Workspace, admin: User) -> None:
    Policy.objects.all().delete()
    published(workspace, admin)
    proven.post("/policies/refund-limit/retire/", {"reason": "Gone"})
    assert live.book(workspace.pk).rules == ()
    assert "1 retired policy" in text(proven.get("/policies/"))

    draft(workspace, admin, "Never mind")
    answer = proven.post("/policies/never-mind/discard/")

    assert answer["Location"] == "/policies/"
    assert not Policy.objects.filter(slug="never-mind").exists()


def test_name_and_purpose_change_without_a_version(
    proven: Client, workspace: Workspace, version: PolicyVersion
) -> None:
    proven.post(
        "/policies/refund-limit/describe/", {"name": "Refunds", "purpose": "Small ones pass", "sensitive": "on"}
    )

    policy = Policy.objects.get(pk=version.policy_id)
    assert (policy.name, policy.purpose, policy.sensitive, policy.slug) == (
        "Refunds",
        "Small ones pass",
        True,
        "refund-limit",
    )


@pytest.mark.parametrize(
    "step", ["publish", "shadow", "unshadow", "replay", "revert", "retire", "discard", "describe", "gate"]
)
def test_a_step_is_never_taken_by_looking(as_admin: Client, version: PolicyVersion, step: str) -> None:
    assert as_admin.get(f"/policies/refund-limit/{step}/").status_code == 405
    assert PolicyVersion.objects.get(pk=version.pk).state == State.DRAFT


def test_facts_of_a_stored_example_are_what_was_recorded(workspace: Workspace) -> None:
    decided(workspace, 1)
    facts = Decision.objects.get(workspace=workspace).facts

    assert versions.facts_of(facts)["context"] == {"returned": True}


GATE = "/policies/refund-limit/gate/"


def test_an_admin_says_what_a_shadow_has_to_have_seen(proven: Client, version: PolicyVersion) -> None:
    proven.post(GATE, {"decisions": "500", "days": "14", "agreement": "97.5"})

    policy = Policy.objects.get(pk=version.policy_id)
    assert (policy.shadow_decisions, policy.shadow_days, policy.shadow_agreement) == (500, 14, 0.975)
    seen = text(proven.get("/policies/refund-limit/"))
    assert "<b>500 decisions</b> in <b>14 days</b> and agree with what was answered in at least <b>97.5%</b>" in seen
    assert 'name="agreement" type="number" min="0" max="100" step="any" required value="97.5"' in seen


@pytest.mark.parametrize(
    "sent",
    [
        {"decisions": "many", "days": "7", "agreement": "0"},
        {"decisions": "1", "days": "7", "agreement": "nan"},
        {"decisions": "1", "days": "-7", "agreement": "1"},
        {"decisions": "1" * 5000, "days": "7", "agreement": "101"},
        {},
    ],
)
def test_a_gate_that_is_none_changes_nothing(proven: Client, version: PolicyVersion, sent: dict[str, str]) -> None:
    answer = proven.post(GATE, sent, follow=True)

    assert answer.status_code == 200
    assert Policy.objects.get(pk=version.policy_id).shadow_decisions == 200


def test_what_a_shadow_would_have_said_is_listed_page_by_page(
    as_admin: Client, workspace: Workspace, version: PolicyVersion
) -> None:
    lifecycle.start_shadow(version.policy_id, User.objects.get(username="admin"))
    here = "/policies/refund-limit/"
    assert "Nothing was put to it yet" in text(as_admin.get(here))
    assert "The shadow has seen 0 of 200 decisions and 0 of 7 days so far." in text(as_admin.get(here))
    assert "agents are told what the live policies say" in text(as_admin.get(here))
    assert "Let it see more" in text(as_admin.get(here))

    tried = {str(version.policy_id): {"version": 1, "effect": "allow"}}
    now = timezone.now() + timedelta(minutes=30)
    decided(workspace, 12, at=now, shadow={"live": "hold", "tried": tried}, agent="till-bot")
    first = text(as_admin.get(here, headers=region("differences")))
    onward = re.search(r'href="([^"]*cursor=[^"]*)" rel="next"', first)
    assert onward
    second = text(as_admin.get(onward[1].replace("&amp;", "&"), headers=region("differences")))

    assert first.count("milder") == 10
    assert "10 of 12 answers that differ" in first
    assert second.count("milder") == 2
    assert as_admin.get(f"{here}?cursor=rubbish").status_code == 400


@pytest.fixture
def other(workspace: Workspace) -> Client:
    """Another admin, freshly logged in."""
    second_admin(workspace)
    client = Client()
    client.post("/accounts/login/", {"login": "second", "password": "second-password-12"})
    return client


def proposed(client: Client) -> str:
    found = re.search(r'name="proposal" value="([^"]+)"', text(client.get("/policies/")))
    assert found
    return found[1]


def test_a_revert_of_what_is_sensitive_is_no_way_around_a_second_admin(
    proven: Client, other: Client, workspace: Workspace, admin: User
) -> None:
    Policy.objects.all().delete()
    policy = published(workspace, admin)
    replayed(lifecycle.save_draft(policy.pk, admin, BODY | {"limits": {"limit": 900}}))
    lifecycle.publish(policy.pk, 2, admin, "More")
    rulebook.describe(policy.pk, admin, name="Refund limit", purpose="", sensitive=True)

    for _ in range(2):
        proven.post("/policies/refund-limit/revert/", {"version": 1, "live": 2})
    mine = text(proven.get("/policies/refund-limit/"))
    proven.post("/policies/second/", {"proposal": proposed(proven), "do": "agree"})
    kept = Policy.objects.get(pk=policy.pk).live
    theirs = text(other.get("/policies/refund-limit/"))
    other.post("/policies/second/", {"proposal": proposed(other), "do": "agree"})

    assert kept == 2
    assert "Withdraw" in mine
    assert ">Agree<" not in mine
    assert "admin asks to <span data-untrusted>revert Refund limit from v2 to v1</span>" in theirs
    assert Policy.objects.get(pk=policy.pk).live == 3


def test_exchange_rates_are_set_in_the_page_and_changed_by_two(
    proven: Client, other: Client, workspace: Workspace
) -> None:
    form = {"do": "rules", "default": "allow", "two_people": "on"}
    proven.post("/policies/", {**form, "rates": "EUR 1.08\r\nGBP 1.27", "rates_were": ""})
    shown = text(proven.get("/policies/"))
    wrong = text(proven.post("/policies/", {**form, "rates": "EUR one", "rates_were": "EUR 1.08"}, follow=True))
    proven.post("/policies/", {**form, "rates": "EUR 1.10", "rates_were": "EUR 1.08\r\nGBP 1.27"})
    waits = text(other.get("/policies/"))
    other.post("/policies/second/", {"proposal": proposed(other), "do": "agree"})

    told = " ".join(re.sub("<[^>]+>", " ", text(proven.get("/ledger/"))).split())

    assert "changed the exchange rates: EUR 1.1 instead of 1.08, GBP none instead of 1.27" in told
    assert "asked a second person to change the exchange rates: EUR 1.1" in told
    assert "Amounts in EUR, GBP are compared at the rates set here" in shown
    assert "Nothing was changed. Line 1 of the exchange rates" in wrong
    assert "change the exchange rates: EUR 1.1 instead of 1.08, GBP none instead of 1.27" in waits
    assert rulebook.rulebook(workspace).rates == {"EUR": "1.1"}


def test_two_people_everywhere_are_switched_off_by_two(proven: Client, other: Client, workspace: Workspace) -> None:
    proven.post("/policies/", {"do": "rules", "default": "allow", "two_people": "on"})
    said = text(proven.post("/policies/", {"do": "rules", "default": "allow"}, follow=True))
    assert "What loosens them waits. A second admin has to agree" in said
    assert "1 change waits for a second person" in said or "No policy is live" in said
    assert rulebook.rulebook(workspace).two_people

    other.post("/policies/second/", {"proposal": proposed(other), "do": "drop"})
    assert rulebook.rulebook(workspace).two_people
    proven.post("/policies/", {"do": "rules", "default": "allow"})
    other.post("/policies/second/", {"proposal": proposed(other), "do": "agree"})

    assert not rulebook.rulebook(workspace).two_people


def test_a_proposal_that_is_none_is_settled(proven: Client) -> None:
    for fields in ({"proposal": "no id", "do": "agree"}, {"proposal": "\0", "do": "drop"}, {}):
        answer = proven.post("/policies/second/", fields, follow=True)

        assert "This was settled meanwhile." in text(answer)
