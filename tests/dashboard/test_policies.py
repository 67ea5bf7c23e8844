"""The list of policies and one policy: what is said, what is flagged, who may change what."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.policy_words import difference, in_words
from dashboard.views.policies import policies_page
from orchestration.policies import lifecycle, rulebook, shadows, standing, versions
from orchestration.policies.models import Policy, PolicyVersion, State
from orchestration.workspaces.models import User, Workspace
from tests.dashboard.conftest import region
from tests.dashboard.policy_scene import BODY, decided, draft, published, replayed

LIST, ONE = "/policies/", "/policies/refund-limit/"


@pytest.fixture(autouse=True)
def nothing_looked_at() -> None:
    standing.forget()


@pytest.fixture
def live(workspace: Workspace, admin: User) -> Policy:
    return published(workspace, admin)


def text(client: Client, path: str, **more: Any) -> str:
    return client.get(path, **more).content.decode()


def title(client: Client) -> str:
    found = re.search(r"<h1>(.*?)</h1>", text(client, LIST), re.S)
    return found[1].strip() if found else ""


# ---- the list


def test_the_finding_says_the_first_that_holds(as_admin: Client, workspace: Workspace, admin: User) -> None:
    assert title(as_admin) == "No policy is live"

    policy = published(workspace, admin)
    assert title(as_admin) == "1 policy has asked nobody in 30 days"

    decided(workspace, 90, policy_id=policy.pk, version=1)
    assert title(as_admin) == "Policies have asked people 90 times so far"
    assert "Tickets so far" in text(as_admin, LIST)

    decided(workspace, policy_id=policy.pk, version=1, at=timezone.now() - timedelta(days=2))
    assert title(as_admin) == "Policies ask people 45 times a day"
    assert "Tickets a day" in text(as_admin, LIST)

    other = published(workspace, admin, "Never more", then={"kind": "deny"}, otherwise={"kind": "deny"})
    standing.forget()
    assert title(as_admin) == "1 policy decides nothing: others of the same scope are stricter"

    rulebook.describe(other.pk, admin, name="Never more", purpose="", sensitive=True)
    lifecycle.save_draft(other.pk, admin, BODY)
    replayed(other.versions.get(number=2))
    lifecycle.publish(other.pk, 2, admin, "Please look")
    assert title(as_admin) == "1 change waits for a second person"


def test_an_empty_list_offers_four_drafts_to_an_admin_alone(
    client: Client, workspace: Workspace, admin: User, operator: User
) -> None:
    client.force_login(admin)
    assert text(client, LIST).count("Open as a draft") == 4

    client.force_login(operator)
    seen = text(client, LIST)
    assert "Open as a draft" not in seen
    assert "New policy" not in seen
    assert "An admin of this workspace writes them" in seen


@pytest.mark.parametrize("key", ["limit", "structuring", "maker", "trust", "", "nonsense"])
def test_a_starter_becomes_a_draft_that_can_be_published(
    as_admin: Client, workspace: Workspace, admin: User, key: str
) -> None:
    answer = as_admin.post(LIST, {"name": "My rule", "starter": key})

    version = PolicyVersion.objects.get(policy__workspace=workspace)
    assert answer["Location"] == "/policies/my-rule/edit/"
    assert version.state == State.DRAFT
    assert in_words(version.body)
    assert lifecycle.publish(version.policy_id, 1, admin, "As it came").state == State.LIVE


def test_the_dialog_offers_starters_also_where_there_are_policies(as_admin: Client, live: Policy) -> None:
    dialog = text(as_admin, LIST).split('id="new-policy"')[1]
    answer = as_admin.post(LIST, {"name": "My rule", "signal": "structuring"})

    assert '<option value="structuring">Many small payments</option>' in dialog
    assert "past.count_account_24h" in text(as_admin, answer["Location"])


def test_a_form_that_is_sent_twice_makes_one_policy(as_admin: Client, workspace: Workspace) -> None:
    answers = [as_admin.post(LIST, {"name": "My rule", "starter": "limit"}) for _ in range(2)]

    assert answers[0]["Location"] == answers[1]["Location"]
    assert Policy.objects.filter(workspace=workspace).count() == 1


def test_a_rate_is_said_from_thirty_cases_on(as_admin: Client, workspace: Workspace, live: Policy) -> None:
    decided(workspace, 28, policy_id=live.pk, verdict="approve")
    decided(workspace, 1, policy_id=live.pk, verdict="reject")
    assert "1 of 29" in text(as_admin, LIST)

    decided(workspace, 11, policy_id=live.pk, verdict="approve")

    assert "2.5%" in text(as_admin, LIST)


def test_imported_decisions_are_nobodys_tickets(workspace: Workspace, live: Policy) -> None:
    decided(workspace, 5, policy_id=live.pk, imported=True)

    assert standing.figures(workspace.pk) == {}


def test_a_policy_that_decided_nothing_in_a_week_is_flagged(
    as_admin: Client, workspace: Workspace, live: Policy
) -> None:
    assert "Unused" not in text(as_admin, LIST)

    live.versions.update(published_at=timezone.now() - timedelta(days=8))

    assert "Unused" in text(as_admin, LIST)


def test_a_rule_that_another_one_always_overrules_is_flagged(
    as_admin: Client, workspace: Workspace, live: Policy, admin: User
) -> None:
    published(workspace, admin, "Stricter", then={"kind": "deny"}, otherwise={"kind": "deny"})
    decided(workspace, 40, policy_id=live.pk)

    assert "Stricter is stricter in every recent case of the same scope" in text(as_admin, LIST)


def test_the_filter_looks_into_words(as_admin: Client, live: Policy) -> None:
    assert "refund-limit" in text(as_admin, LIST, data={"q": "knows refunds"})
    assert "No policies match" in text(as_admin, LIST, data={"q": "aeroplane"})


def test_the_region_is_the_part_of_the_page(as_admin: Client, live: Policy) -> None:
    part = text(as_admin, LIST, headers=region("policies")).strip()

    assert part.startswith('<div class="region" id="policies"')
    assert "<html" not in part


def test_the_default_is_changed_by_an_admin_who_gives_the_password(
    client: Client, workspace: Workspace, admin: User, operator: User
) -> None:
    wanted = {"do": "rules", "default": "hold", "two_people": "on"}
    client.force_login(operator)
    assert client.post(LIST, wanted).status_code == 403

    client.force_login(admin)
    assert client.post(LIST, wanted)["Location"].startswith("/accounts/again/")
    assert rulebook.rulebook(workspace).default_effect == "allow"

    client.post("/accounts/login/", {"login": "admin", "password": "admin-password-12"})
    client.post("/accounts/again/", {"password": "admin-password-12"})
    client.post(LIST, wanted)

    book = rulebook.rulebook(workspace)
    assert (book.default_effect, book.two_people) == ("hold", True)


def test_a_hundred_policies_take_few_queries(
    as_admin: Client, workspace: Workspace, admin: User, django_assert_max_num_queries: Any
) -> None:
    for place in range(12):
        published(workspace, admin, f"Policy {place}", scope={"types": [f"act-{place}"]})

    with django_assert_max_num_queries(18):
        as_admin.get(LIST)


# ---- one policy


def test_what_is_live_is_read_by_everybody_and_changed_by_admins(
    client: Client, live: Policy, admin: User, operator: User, reviewer: User
) -> None:
    for person in (operator, reviewer):
        client.force_login(person)
        seen = text(client, ONE)
        assert "v1 live" in seen
        assert "skill refunds, due in 30 m" in seen
        assert "5% sampled" in seen
        assert not re.search(r"Retire|Edit|Second person|second person|disabled", seen.split("<main")[1])

    client.force_login(admin)
    assert {"Retire", "/edit/"} <= {word for word in ("Retire", "/edit/") if word in text(client, ONE)}


def test_what_it_decided_last_stands_beside_it(as_operator: Client, workspace: Workspace, live: Policy) -> None:
    decided(workspace, 1, policy_id=live.pk, version=1, agent="refund\u202etob", verdict="approve")

    seen = text(as_operator, ONE)

    assert "Approved" in seen
    assert "refund⟨U+202E⟩tob" in seen
    assert "data-untrusted" in seen


@pytest.mark.parametrize("path", ["?tab=history", "versions/1/", "diff/1..2/", "?tab=changes", "?tab=nonsense"])
def test_each_part_is_a_page(as_operator: Client, live: Policy, admin: User, path: str) -> None:
    lifecycle.save_draft(live.pk, admin, BODY | {"limits": {"limit": 900}})

    assert as_operator.get(f"{ONE}{path}").status_code == 200


@pytest.mark.parametrize("path", ["versions/7/", "diff/1..9/", "../nowhere/"])
def test_what_is_not_there_is_not_found(as_operator: Client, live: Policy, path: str) -> None:
    assert as_operator.get(f"{ONE}{path}").status_code == 404


def test_the_difference_marks_words_within_lines() -> None:
    before, after = versions.checked(BODY), versions.checked(BODY | {"limits": {"limit": 1000}})

    lines = [line for line in difference(before, after) if line.sign]

    assert [(line.sign, line.text) for line in lines] == [("-", "limit = 500"), ("+", "limit = 1,000")]
    assert [piece.text for piece in lines[0].pieces if piece.mark] == ["500"]


def test_history_tells_author_reason_and_difference(as_operator: Client, live: Policy, admin: User) -> None:
    saved = lifecycle.save_draft(live.pk, admin, BODY | {"limits": {"limit": 900}})
    replayed(saved)
    lifecycle.publish(live.pk, 2, admin, "Refunds have grown")

    seen = text(as_operator, f"{ONE}?tab=history")

    assert "Refunds have grown" in seen
    assert "2 lines since v1" in seen
    assert "Revert to v1" not in seen


def test_a_shadow_is_counted_where_it_stands(
    as_operator: Client, workspace: Workspace, live: Policy, admin: User
) -> None:
    lifecycle.save_draft(live.pk, admin, BODY | {"limits": {"limit": 900}})
    lifecycle.start_shadow(live.pk, admin)
    tried = {str(live.pk): {"version": 2, "effect": "allow"}}
    decided(workspace, 3, policy_id=live.pk, at=timezone.now(), shadow={"live": "hold", "tried": tried})
    decided(workspace, 1, policy_id=live.pk, at=timezone.now(), shadow={"live": "allow", "tried": tried})

    found = shadows.seen(Policy.objects.get(pk=live.pk))

    assert (found.asked, found.differ, found.looser) == (4, 3, 3)
    assert "v2 in shadow" in text(as_operator, ONE, headers=region("shadow"))


def test_words_say_what_a_policy_says() -> None:
    said = in_words(versions.checked(BODY))

    assert said == (
        "When the amount is at most 500: act alone, 5% checked afterwards. "
        "Otherwise ask a person who knows refunds, due in 30 m."
    )


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("!agent.vouched", "When the agent is not vouched for"),
        ("context.refunds_1y == 0", "When refunds in 1 y is 0"),
        ("past.count_account_24h >= 3", "When earlier asks of this account in 24 h is at least 3"),
        ("true", "In every case"),
    ],
)
def test_a_condition_reads_as_a_sentence(condition: str, words: str) -> None:
    assert in_words(versions.checked(BODY | {"condition": condition})).startswith(f"{words}: act alone")


def test_another_layout_of_the_same_rule_is_no_difference() -> None:
    one = versions.checked(BODY | {"condition": "action.amount <= limit && customer.years > 1"})
    other = versions.checked(BODY | {"condition": "action.amount <= limit\n  && customer.years > 1"})

    assert not [line for line in difference(one, other) if line.sign]


def test_a_draft_alone_is_no_live_policy(workspace: Workspace, admin: User, rf: Any) -> None:
    draft(workspace, admin)
    request = rf.get(LIST)
    request.workspace, request.user = workspace, admin

    page = policies_page(request)

    assert (page.total, page.finding.words) == (1, "No policy is live")


def test_a_policy_is_jumped_to_by_its_name(as_operator: Client, live: Policy) -> None:
    seen = text(as_operator, "/search/", data={"q": "refund li"})

    assert 'href="/policies/refund-limit/"' in seen
    assert "Policy, v1" in seen
