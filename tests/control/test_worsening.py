"""An agent that gets worse is found soon; one that is as ever is not, also where its failures come in clusters."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from orchestration.control import worsening
from orchestration.control.worsening import Part, Usual, usual, worse
from orchestration.registry.models import Agent
from orchestration.telemetry.rollups import SPANS, Tally, book
from orchestration.workspaces.models import Workspace
from tests import make
from tests.control.decided import decisions

START = datetime(2026, 1, 1, tzinfo=UTC)
ALARM = 10_000


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    worsening.forget()
    yield
    worsening.forget()


def days(draw: random.Random, rate: float, clustered: float = 0) -> list[Part]:
    """A month, 300 calls a day. `clustered`: the smaller, the more one day differs from another."""
    return [_day(draw, rate, clustered, START + timedelta(days=day)) for day in range(29)]


def _day(draw: random.Random, rate: float, clustered: float, at: datetime) -> Part:
    today = draw.betavariate(rate * clustered, (1 - rate) * clustered) if clustered else rate
    return Part(at, 300, sum(draw.random() < today for _ in range(300)))


def minutes(draw: random.Random, *rates: float) -> list[Part]:
    """One call a minute."""
    begin = START + timedelta(days=29)
    return [Part(begin + timedelta(minutes=n), 1, draw.random() < rate) for n, rate in enumerate(rates)]


def verdicts(space: Workspace, agent: Agent, n: int, rejected: int, at: datetime) -> None:
    about = {"agent_id": agent.pk, "at": at, "effect": "hold"}
    decisions(space, [100.0] * rejected, **about, verdict="reject")
    decisions(space, [100.0] * (n - rejected), **about, verdict="approve")


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_of_steady_agents_hardly_one_in_a_hundred_alarms_in_a_day(rate: float) -> None:
    draw = random.Random(11)
    known = [usual(days(draw, rate), 200) for _ in range(60)]

    found = [worse(minutes(draw, *[rate] * 1440), was, "calls") for was in known if was]

    assert len(found) == 60
    assert not [each for each in found if each and each.one_in >= ALARM]


@pytest.mark.parametrize(("rate", "since", "within"), [(0.01, 0.1, 200), (0.05, 0.15, 450), (0.2, 0.5, 120)])
def test_one_that_gets_worse_is_found_within_so_many_calls(rate: float, since: float, within: int) -> None:
    draw = random.Random(12)
    late = 0
    for _ in range(40):
        was = usual(days(draw, rate), 200)
        assert was
        found = worse(minutes(draw, *[rate] * 60, *[since] * within), was, "calls")
        late += found is None or found.one_in < ALARM

    assert late <= 2


def test_days_that_differ_by_themselves_make_it_slower_to_say_so() -> None:
    draw = random.Random(13)
    even, uneven = usual(days(draw, 0.05), 200), usual(days(draw, 0.05, clustered=20), 200)
    assert even is not None
    assert uneven is not None
    same = minutes(draw, *[0.2] * 100)

    quick, slow = worse(same, even, "calls"), worse(same, uneven, "calls")

    assert even.spread < 2 < uneven.spread
    assert quick is not None
    assert quick.one_in > (slow.one_in if slow else 1)


def test_what_is_told_begins_where_it_got_worse() -> None:
    draw = random.Random(14)
    found = worse(minutes(draw, *[0.02] * 600, *[0.4] * 60), Usual(0.03, 1.0), "calls")

    assert found
    assert abs((found.since - START - timedelta(days=29)) / timedelta(minutes=1) - 600) < 60
    assert (found.usual, found.by) == (0.03, "calls")
    assert found.n < 130


def test_too_little_of_the_past_says_nothing() -> None:
    assert usual([Part(START, 199, 2)], 200) is None
    assert usual([], 200) is None


@pytest.mark.django_db
def test_it_is_read_from_the_figures_against_the_agents_own_past(workspace: Workspace) -> None:
    now = timezone.now().replace(minute=30)
    worsens, steady, new = (make.agent(workspace, name) for name in ("refund", "billing", "desk"))
    tally = Tally(SPANS)
    for day in range(2, 12):
        for agent in (worsens, steady):
            make.calls(workspace, agent, n=60, failures=3, at=now - timedelta(days=day), into=tally)
    book(workspace.pk, tally)
    make.calls(workspace, steady, n=60, failures=3, at=now - timedelta(minutes=20))
    make.calls(workspace, worsens, n=60, failures=30, at=now - timedelta(minutes=20))
    make.calls(workspace, new, n=60, failures=60, at=now - timedelta(minutes=20))

    found = worsening.found(workspace.pk, now)

    assert set(found) == {worsens.pk}
    assert found[worsens.pk].one_in >= ALARM
    assert (found[worsens.pk].n, found[worsens.pk].failures, found[worsens.pk].by) == (60, 30, "calls")


@pytest.mark.django_db
def test_people_who_say_no_more_often_tell_it_too_whatever_its_own_calls_say(workspace: Workspace) -> None:
    now = timezone.now()
    agent = make.agent(workspace)
    for day in range(2, 12):
        verdicts(workspace, agent, 10, 1, now - timedelta(days=day))
        make.calls(workspace, agent, n=60, failures=0, at=now - timedelta(days=day))
    verdicts(workspace, agent, 20, 16, now - timedelta(hours=1))
    make.calls(workspace, agent, n=900, failures=0, at=now - timedelta(hours=1))

    found = worsening.found(workspace.pk, now)[agent.pk]

    assert (found.by, found.n, found.failures) == ("people", 20, 16)
    assert found.one_in >= ALARM
