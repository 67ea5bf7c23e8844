"""The inbox as it is read: what comes first, what is said once, who may see what."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from escalations import claims, intake
from escalations.models import Batch, Escalation
from orchestration.holds import verdicts
from orchestration.holds.models import Answered, Hold
from orchestration.holds.verdicts import Verdict
from orchestration.workspaces.models import Membership, User, Workspace
from tests import make
from tests.dashboard.conftest import region
from tests.escalations.conftest import alone, clear, open_inbox, refunds, second
from tests.escalations.held import questions
from tests.scenes import scene

pytestmark = pytest.mark.django_db


def wait() -> None:
    open_inbox().get("/inbox/")
    refunds(make.workspace())


twelve_wait = scene(wait)


@pytest.fixture
def batch() -> Batch:
    """Eleven like refunds and an odd one."""
    return Batch.objects.get()


def read(client: Client, path: str = "/inbox/", **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_the_first_batch_stands_open_beside_the_list(as_reviewer: Client, workspace: Workspace) -> None:
    alone(workspace)
    text = read(as_reviewer)

    assert "2 batches, 13 cases" in text
    assert "11 alike, 1 differs" in text
    assert "On its own" in text
    assert text.index("Refund limit") < text.index("Clear · Sanctions")
    assert 'data-view="list"' in text
    assert "Same in all 12" in text


def test_what_differs_comes_first_unselected_and_marked(as_reviewer: Client, batch: Batch) -> None:
    text = read(as_reviewer, f"/inbox/{batch.pk}/")

    table = text[text.index("<tbody>") : text.index("</tbody>")]
    first = table[: table.index("</tr>")]
    assert 'class="odd"' in first
    assert "checked" not in first
    assert "<mark><bdi data-untrusted>No</bdi></mark>" in first
    assert table.count(" checked") == 11
    assert "<span data-n>11</span> of <span data-of>12</span>" in text
    assert "Total 6,160 USD" in text


def test_a_case_is_set_against_the_others(as_reviewer: Client, batch: Batch) -> None:
    odd = Escalation.objects.get(batch=batch, standing="differs")

    text = read(as_reviewer, f"/inbox/{batch.pk}/?case={odd.number}", **region("case"))

    assert f"Differs in {len(odd.differs)}" in text
    assert "The other 11" in text
    assert "All yes" in text
    assert "data-view" not in text


@pytest.mark.parametrize(("sort", "first"), [("due", "Refund"), ("largest", "Refund"), ("newest", "clear")])
def test_the_order_is_in_the_address(as_reviewer: Client, workspace: Workspace, sort: str, first: str) -> None:
    alone(workspace)

    text = read(as_reviewer, f"/inbox/?sort={sort}", **region("batches"))

    assert first.lower() in text[text.index("<li") :][:700].lower()


def test_nonsense_in_an_address_is_as_if_it_were_not_there(as_reviewer: Client, batch: Batch) -> None:
    for path in ("?page=99", "?page=-1&sort=x&view=y", "?case=999999", "?case=%00&page=%00", "?case=1e9"):
        read(as_reviewer, f"/inbox/{batch.pk}/{path}")


def test_how_much_time_is_left_stands_in_words_and_colour(as_reviewer: Client, batch: Batch) -> None:
    questions(batch.workspace, ["Late?"], due_at=timezone.now() - timedelta(minutes=5, seconds=10))
    intake.take_in()

    text = read(as_reviewer, f"/inbox/{batch.pk}/", **region("batches"))

    assert 'class="push sla late"' in text
    assert "5 m 10 s late" in text or "5 m late" in text
    assert 'class="push sla soon"' in text


def test_a_snoozed_batch_stands_apart_until_it_comes_back(as_reviewer: Client, batch: Batch) -> None:
    Batch.objects.filter(pk=batch.pk).update(snoozed_until=timezone.now() + timedelta(hours=1))

    text = read(as_reviewer)

    assert "No batches" in text
    assert "Snoozed" in text
    Batch.objects.filter(pk=batch.pk).update(snoozed_until=timezone.now() - timedelta(seconds=1))
    assert "1 batch, 12 cases" in read(as_reviewer)


def test_what_is_given_to_somebody_else_is_the_teams_and_not_mine(
    as_reviewer: Client, workspace: Workspace, batch: Batch
) -> None:
    Batch.objects.filter(pk=batch.pk).update(assigned_to=second(workspace), assigned_why="Knows refunds")

    assert "No batches" in read(as_reviewer)
    team = read(as_reviewer, "/inbox/?view=team")
    assert "1 batch, 12 cases" in team
    assert "With Reviewer Two" in team


def test_the_lede_says_by_which_rule_and_how_such_cases_ended(
    as_reviewer: Client, workspace: Workspace, admin: User
) -> None:
    clear()
    batch = refunds(workspace, 3, odd=False)
    key = Escalation.objects.filter(batch=batch).values_list("key", flat=True)[0]
    for place in range(40):
        (held,) = questions(workspace, ["x"], state="applied", verdict="approve" if place else "reject")
        Escalation.objects.create(
            hold_id=held.pk, workspace=workspace, key=key, agent="x", open=False, opened_at=held.opened_at
        )

    text = read(as_reviewer, f"/inbox/{batch.pk}/")

    assert "3 cases stopped by" in text
    assert "Reviewers approved 97.5% of 40 cases like these unchanged (87.1 to 99.6%)." in text


def test_what_agents_write_is_framed_and_never_obeyed(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    said = "<script>alert(1)</script>\u202e already approved, press Approve all"
    questions(workspace, [said], evidence=["<img src=x>"], cost_of_waiting=said)
    intake.take_in()
    text = read(as_reviewer)

    assert "<script>alert" not in text
    assert "<img" not in text
    assert "⟨U+202E⟩" in text
    frame = text.index('class="said-of" data-untrusted')
    assert "press Approve all" in text[frame:]
    assert "press Approve all" not in re.sub(r"<bdi data-untrusted>[^<]*</bdi>", "", text[:frame])


def test_operators_see_that_something_waits_and_not_what(as_operator: Client, batch: Batch) -> None:
    Hold.objects.update(question="private question?", evidence=["private evidence"])

    text = read(as_operator, f"/inbox/{batch.pk}/?case=1")

    assert "12 cases" in text
    assert "private" not in text
    assert "Phone" not in text
    assert "Approve" not in text
    assert "reviewers decide" in text


def test_operators_who_may_read_content_read_it(as_operator: Client, batch: Batch) -> None:
    Membership.objects.update(sees_content=True)

    text = read(as_operator, f"/inbox/{batch.pk}/")

    assert "Phone" in text
    assert "Approve" not in text


def test_a_batch_of_another_workspace_is_not_there(client: Client, batch: Batch, stranger: User) -> None:
    client.force_login(stranger)

    assert client.get(f"/inbox/{batch.pk}/").status_code == 404
    assert client.get(f"/inbox/cases/{Hold.objects.all()[0].pk}/").status_code == 404
    assert client.post(f"/inbox/{batch.pk}/decide/", {}).status_code in (403, 404)
    assert "Nothing needs you" in read(client)


def test_a_region_is_what_the_page_shows(as_reviewer: Client, batch: Batch) -> None:
    page = read(as_reviewer, f"/inbox/{batch.pk}/")

    for name in ("batches", "batch", "case"):
        part = read(as_reviewer, f"/inbox/{batch.pk}/", **region(name))
        assert f'id="{name}"' in part[:120]
        assert f'id="{name}"' in page
        assert "<html" not in part


def test_when_nothing_waits_the_page_says_so(as_reviewer: Client) -> None:
    clear()
    text = read(as_reviewer)

    assert "Nothing needs you" in text
    assert "What a policy holds back, and what agents ask, comes here." in text


def test_opening_claims_a_batch_and_the_next_one_lets_it_go(
    as_reviewer: Client, workspace: Workspace, reviewer: User
) -> None:
    clear()
    one, other = refunds(workspace), alone(workspace).pk
    two = Escalation.objects.get(pk=other).batch
    assert two is not None

    as_reviewer.get(f"/inbox/{one.pk}/")
    one.refresh_from_db()
    assert one.claimed_by == reviewer

    as_reviewer.get(f"/inbox/{two.pk}/", headers={"X-Purpose": "prefetch"})
    one.refresh_from_db()
    assert one.claimed_by == reviewer, "a look ahead claims nothing"

    as_reviewer.post(f"/inbox/{two.pk}/claim/")
    one.refresh_from_db()
    two.refresh_from_db()
    assert [one.claimed_by_id, two.claimed_by_id] == [None, reviewer.pk]

    as_reviewer.post(f"/inbox/{two.pk}/leave/")
    two.refresh_from_db()
    assert two.claimed_by is None


def test_somebody_who_is_there_is_named_to_the_others(as_reviewer: Client, workspace: Workspace, batch: Batch) -> None:
    claims.take(batch, second(workspace), timezone.now())

    text = read(as_reviewer, f"/inbox/{batch.pk}/")

    assert text.count("Reviewer Two is here") == 2
    Batch.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert "Reviewer Two is here" not in read(as_reviewer)


def test_a_case_that_somebody_else_decided_is_marked_with_who_and_when(
    as_reviewer: Client, batch: Batch, admin: User
) -> None:
    case = Escalation.objects.filter(batch=batch, selected=True)[0]
    verdicts.decide(Hold.objects.get(pk=case.pk), Verdict(Answered.REJECT, "no"), admin, revision=0)

    text = read(as_reviewer, f"/inbox/{batch.pk}/")

    assert "Rejected by admin, " in text
    assert text.count('name="case"') == 12, "eleven in the table and one beside it"


def test_a_link_to_a_case_finds_it_wherever_it_is(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    hold = alone(workspace)
    batch = Escalation.objects.get(pk=hold.pk).batch_id

    assert as_reviewer.get(f"/inbox/cases/{hold.pk}/")["Location"] == f"/inbox/{batch}/?case=1"


def test_the_page_costs_few_queries(
    as_reviewer: Client, workspace: Workspace, django_assert_max_num_queries: Any
) -> None:
    clear()
    batch = refunds(workspace, 20)
    for _ in range(5):
        alone(workspace)

    with django_assert_max_num_queries(34):
        as_reviewer.get(f"/inbox/{batch.pk}/")


def test_the_sidebar_counts_what_waits(as_reviewer: Client) -> None:
    text = as_reviewer.get("/live/counts/").content.decode()

    assert 'id="count-inbox" hx-swap-oob="true">12</span>' in text
