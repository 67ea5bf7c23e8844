"""`/settings/capacity/`: hours, pace and agreement."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.test import Client

from escalations import pace
from escalations.models import Duty
from escalations.pace import Said
from orchestration.ledger.models import Entry
from orchestration.workspaces.models import User, Workspace
from tests.escalations.duty import member, works

pytestmark = pytest.mark.django_db
PAGE = "/settings/capacity/"
WEEK = {"minutes_a_day": "120", "from_0": "09:00", "until_0": "17:00", "from_4": "22:00", "until_4": "06:00"}


def test_a_reviewer_sets_own_hours(as_reviewer: Client, reviewer: User) -> None:
    for _ in range(2):
        assert as_reviewer.post(PAGE, WEEK).status_code == 302

    duty = Duty.objects.get()
    assert (duty.person, duty.minutes_a_day) == (reviewer, 120)
    assert duty.hours == [[540, 1020], None, None, None, [1320, 360], None, None]
    assert Entry.objects.filter(kind="duty.changed").count() == 1


def test_hours_come_back_as_they_were_set(as_reviewer: Client) -> None:
    as_reviewer.post(PAGE, WEEK | {"away_until": "2031-05-01T10:00"})

    page = as_reviewer.get(PAGE).content.decode()

    assert 'name="from_4" value="22:00"' in page
    assert 'value="2031-05-01T10:00"' in page
    assert Duty.objects.get().away_until == datetime(2031, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "sent",
    [
        {"minutes_a_day": "60"},
        {"minutes_a_day": "60", "from_1": "09:00"},
        {"minutes_a_day": "60", "from_1": "09:00", "until_1": "09:00"},
        {"minutes_a_day": "60", "from_1": "25:00", "until_1": "x"},
        {"minutes_a_day": "-1", "always": "on"},
        {"minutes_a_day": "60", "always": "on", "away_until": "soon"},
    ],
)
def test_hours_that_cannot_be_are_refused(as_reviewer: Client, sent: dict[str, str]) -> None:
    assert as_reviewer.post(PAGE, sent).status_code == 422
    assert not Duty.objects.exists()


def test_only_an_admin_sets_the_hours_of_others(client: Client, workspace: Workspace, admin: User) -> None:
    ada, bob = member(workspace, "ada"), member(workspace, "bob")
    client.force_login(ada)
    assert client.post(f"{PAGE}?person={bob.pk}", WEEK).status_code == 403

    client.force_login(admin)
    client.post(f"{PAGE}?person={bob.pk}", WEEK)
    assert Duty.objects.get().person == bob
    assert client.get(f"{PAGE}?person=999").status_code == 404


def test_the_page_says_how_many_are_there(as_reviewer: Client, workspace: Workspace, admin: User) -> None:
    works(workspace, admin, [], datetime(2099, 1, 1, tzinfo=UTC))

    assert b"1 of 2 reviewers are on duty now" in as_reviewer.get(PAGE).content


def verdict(person: int, *, passed: bool = True, key: str = "k", seconds: float | None = None, **more: object) -> Said:
    return Said(uuid4(), person, "refunds", key, seconds, passed, **more)  # type: ignore[arg-type]


def test_a_verdict_agrees_with_what_most_others_said() -> None:
    others = [verdict(2) for _ in range(5)]

    mine = pace.measures([verdict(1), verdict(1, passed=False), *others])[1][0]

    assert (mine.cases, mine.agreed, mine.compared) == (2, 1, 2)
    assert not mine.enough


def test_few_others_speak_for_no_majority() -> None:
    assert pace.measures([verdict(1), *[verdict(2) for _ in range(4)]])[1][0].compared == 0


def test_what_came_of_it_counts_more_than_what_others_said() -> None:
    others = [verdict(2) for _ in range(9)]

    mine = pace.measures([verdict(1, outcome="fraud"), *others])[1][0]

    assert (mine.agreed, mine.compared) == (0, 1)


def test_two_people_are_compared_with_each_other() -> None:
    found = pace.measures([verdict(1, first=(2, True))])

    assert [(each[0].agreed, each[0].compared) for each in (found[1], found[2])] == [(1, 1), (1, 1)]


def test_pace_is_the_median_drawn_towards_what_is_thought_while_little_is_measured() -> None:
    assert pace.expected({}, "refunds") == pace.PRIOR_S
    assert pace.expected({"refunds": (10.0, 10)}, "refunds") == 35.0
    assert pace.measures([verdict(1, seconds=s) for s in (1.0, 9.0, 4.0)])[1][0].seconds == 4.0
