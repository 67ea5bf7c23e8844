"""The time range in the address."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client, RequestFactory
from django.utils import timezone

from dashboard.period import Period, period_of, range_over
from orchestration.workspaces.models import User

THEN = datetime(2012, 3, 14, 15, 30, tzinfo=UTC)


def asked(text: str) -> Period:
    return period_of(RequestFactory().get("/", {"range": text}))


def test_a_range_may_end_with_a_day_that_is_over() -> None:
    period = asked("7d@2012-03-14")

    assert (period.since, period.until) == (datetime(2012, 3, 8, tzinfo=UTC), datetime(2012, 3, 15, tzinfo=UTC))
    assert (period.words, period.now) == ("the 7 days until 14 Mar 2012", "7d")
    assert [choice.query for choice in period.choices][-1] == "range=30d%402012-03-14"


def test_a_range_that_ends_today_ends_now() -> None:
    period = asked(f"24h@{timezone.localdate()}")

    assert (period.text, period.day) == ("24h", None)
    assert timezone.now() - period.until < timedelta(minutes=1)


@pytest.mark.parametrize("text", ["7d@", "7d@soon", "7d@0001-01-01", "7d@9999-12-31", "@2012-03-14", "7d@2012-03-14@x"])
def test_what_is_no_day_is_answered_with_what_is_one(client: Client, operator: User, text: str) -> None:
    client.force_login(operator)

    answer = client.get("/", {"range": text})

    assert answer.status_code == 400
    assert "range" in answer.content.decode()


@pytest.mark.parametrize(
    ("back", "text"),
    [
        (timedelta(hours=1), "24h@2012-03-14"),
        (timedelta(days=5), "7d@2012-03-14"),
        (timedelta(days=900), "30d@2012-03-14"),
    ],
)
def test_the_range_over_what_there_is_ends_with_its_last_day(back: timedelta, text: str) -> None:
    assert range_over(THEN - back, THEN) == text
