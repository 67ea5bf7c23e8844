"""What shadows see, and what they have to see before they may go live."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.control import replaying
from orchestration.control import shadows as clock
from orchestration.ledger.models import Entry
from orchestration.lib.paging import BadCursor, to_cursor
from orchestration.policies import lifecycle, rulebook, shadows
from orchestration.policies.models import Decision, Policy
from orchestration.policies.rulebook import Gate
from orchestration.workspaces.models import User, Workspace
from tests.control.decided import draft


@pytest.fixture
def policy(workspace: Workspace, admin: User) -> Policy:
    """With a version in shadow since eight days."""
    made = lifecycle.start_shadow(draft(workspace, admin).policy_id, admin).policy
    Policy.objects.filter(pk=made.pk).update(shadow_since=timezone.now() - timedelta(days=8))
    return Policy.objects.get(pk=made.pk)


def saw(policy: Policy, was: str, would: str, n: int = 1, *, ago: timedelta = timedelta(), version: int = 1) -> None:
    at = timezone.now() - ago
    tried = {str(policy.pk): {"version": version, "effect": would}}
    Decision.objects.bulk_create(
        Decision(
            workspace=policy.workspace,
            id=uuid7(),
            at=at,
            agent="bot",
            action_type="refund",
            effect=was,
            facts={},
            answer={},
            shadow={"live": was, "tried": tried},
        )
        for _ in range(n)
    )


def test_what_it_would_have_said_is_counted_by_direction(policy: Policy) -> None:
    saw(policy, "allow", "allow", 5)
    saw(policy, "allow", "hold", 3, ago=timedelta(days=2))
    saw(policy, "deny", "hold", 2, ago=timedelta(hours=1))

    found = shadows.seen(policy)

    assert (found.asked, found.same, found.stricter, found.looser) == (10, 5, 3, 2)


def test_what_an_earlier_shadow_saw_or_another_policy_is_not_counted(policy: Policy) -> None:
    saw(policy, "allow", "hold", ago=timedelta(days=9))
    saw(policy, "allow", "hold", version=7)

    assert shadows.seen(policy).asked == 0


def test_counted_again_and_again_it_is_the_same_and_looks_at_the_new_ones_only(policy: Policy) -> None:
    saw(policy, "allow", "hold", 4, ago=timedelta(hours=2))
    saw(policy, "allow", "allow", 2)

    counts = [shadows.seen(Policy.objects.get(pk=policy.pk)).asked for _ in range(3)]
    saw(policy, "allow", "hold", 1)
    fresh = Policy.objects.get(pk=policy.pk)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        last = shadows.seen(fresh)

    assert (counts, last.asked, last.stricter) == ([6, 6, 6], 7, 5)
    assert fresh.shadow_tally["pairs"] == [["allow", "hold", 4]]
    assert len(queries) <= 3


def test_a_new_shadow_begins_from_nothing(policy: Policy, admin: User) -> None:
    saw(policy, "allow", "hold", 4, ago=timedelta(hours=2))
    shadows.seen(policy)

    lifecycle.save_draft(policy.pk, admin, draft(policy.workspace, admin).body)
    lifecycle.start_shadow(policy.pk, admin)

    assert shadows.seen(Policy.objects.get(pk=policy.pk)).asked == 0


def test_the_latest_differences_are_listed_newest_first(policy: Policy) -> None:
    saw(policy, "allow", "hold", ago=timedelta(hours=3))
    saw(policy, "hold", "allow", ago=timedelta(hours=1))
    saw(policy, "allow", "allow")

    assert [(each.was, each.would, each.looser) for each in shadows.latest(policy).items] == [
        ("hold", "allow", True),
        ("allow", "hold", False),
    ]


def test_it_may_go_live_when_it_has_seen_enough(policy: Policy, admin: User) -> None:
    def publish() -> str:
        replaying.start(policy.workspace, policy.versions.get(number=1), admin)
        replaying.work()
        return lifecycle.publish(policy.pk, 1, admin, "Tried for a week").state

    saw(policy, "allow", "hold", 199)
    with pytest.raises(lifecycle.NotNow, match="199 of 200 decisions so far"):
        publish()
    saw(policy, "allow", "hold")

    assert publish() == "live"


def test_days_are_asked_for_too_and_an_admin_says_how_many(policy: Policy, admin: User) -> None:
    saw(policy, "allow", "allow", 3)
    rulebook.ask_of_shadows(policy.pk, admin, Gate(3, 30))
    policy.refresh_from_db()

    assert shadows.why_not(policy, shadows.seen(policy)) == "The shadow has seen 8 of 30 days so far."
    with pytest.raises(lifecycle.NotNow):
        rulebook.ask_of_shadows(policy.pk, admin, Gate(-1, 3))
    rulebook.ask_of_shadows(policy.pk, admin, Gate(3, 7))
    policy.refresh_from_db()
    assert shadows.why_not(policy, shadows.seen(policy)) == ""
    assert Entry.objects.filter(workspace=policy.workspace_id, kind="policy.shadow_asked").count() == 2


def test_pages_are_told_when_a_shadow_has_seen_more(policy: Policy) -> None:
    clock.forget()
    clock.sweep()
    quiet = clock.sweep()
    saw(policy, "allow", "hold")

    assert (quiet, clock.sweep()) == (0, 1)


def test_the_least_agreement_is_asked_for_and_never_rounded_up(policy: Policy, admin: User) -> None:
    saw(policy, "allow", "allow", 1899)
    saw(policy, "allow", "hold", 101)
    rulebook.ask_of_shadows(policy.pk, admin, Gate(100, 7, 0.95))
    policy.refresh_from_db()

    found = shadows.seen(policy)
    interval = found.interval

    assert shadows.why_not(policy, found) == (
        "It agrees with what was answered in 94.9% of 2,000 cases, and 95% are asked."
    )
    assert interval is not None
    assert interval[0] < 0.9495 < interval[1]
    rulebook.ask_of_shadows(policy.pk, admin, Gate(100, 7, 0.949))
    policy.refresh_from_db()
    assert shadows.why_not(policy, found) == ""


@pytest.mark.parametrize("share", [-0.1, 1.01, float("nan")])
def test_a_share_that_is_none_is_refused(policy: Policy, admin: User, share: float) -> None:
    with pytest.raises(lifecycle.NotNow):
        rulebook.ask_of_shadows(policy.pk, admin, Gate(1, 1, share))


def test_differences_go_on_page_by_page_without_loss(policy: Policy) -> None:
    saw(policy, "allow", "hold", 5, ago=timedelta(hours=1))
    saw(policy, "hold", "allow", 2)

    first = shadows.latest(policy, 4)
    second = shadows.latest(policy, 4, first.next)

    assert [len(first.items), len(second.items), second.next] == [4, 3, None]
    assert len({each.id for each in first.items + second.items}) == 7
    with pytest.raises(BadCursor):
        shadows.latest(policy, 4, to_cursor(["today", "nobody"]))
