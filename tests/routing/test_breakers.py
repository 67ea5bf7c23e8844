"""Circuits: when they open, are tried, and close."""

from __future__ import annotations

import random
from collections import deque
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.routing.breakers import Heard, Stand, Turn, cool_s, turned
from orchestration.routing.models import Circuit

NOW = datetime(2026, 3, 2, 14, 2, tzinfo=UTC)


def heard(n: int, failures: int, usual: float = 0.0, again: int = 0) -> Heard:
    return Heard(((n, failures), (n, failures), (n, failures)), usual, again)


def test_a_path_that_fails_most_calls_is_opened_by_twenty() -> None:
    assert turned(None, heard(19, 19), NOW) is None

    turn = turned(None, heard(20, 18), NOW)

    assert turn
    assert turn.state == Circuit.OPEN
    assert turn.until == NOW + timedelta(seconds=30)


def test_a_path_that_always_fails_a_third_is_not_opened_for_that() -> None:
    assert turned(None, heard(400, 140, usual=0.35), NOW) is None


def test_a_storm_of_retries_opens_before_most_calls_fail() -> None:
    assert turned(None, heard(300, 70, again=40), NOW) is None

    turn = turned(None, heard(300, 70, again=60), NOW)

    assert turn
    assert turn.state == Circuit.OPEN
    assert turn.words.startswith("A storm of retries: 60 of 70 failed calls")


@pytest.mark.parametrize("pace", [10, 100, 1000, 10_000])
def test_however_busy_an_agent_is_that_is_no_storm(pace: int) -> None:
    """Every failure is tried again up to four times, and an eighth of all tries fail."""
    draw = random.Random(pace)
    n = failures = again = 0
    for _ in range(pace):
        for attempt in range(1, 6):
            failed = draw.random() < 0.125
            n, failures, again = n + 1, failures + failed, again + (failed and attempt >= 4)
            if not failed:
                break

    assert turned(None, heard(n, failures, again=again), NOW) is None


def test_an_open_circuit_is_tried_only_once_it_has_cooled_down() -> None:
    stand = Stand(Circuit.OPEN, NOW, NOW + timedelta(seconds=30), 1)

    assert turned(stand, heard(0, 0), NOW + timedelta(seconds=29)) is None
    turn = turned(stand, heard(0, 0), NOW + timedelta(seconds=30))

    assert turn
    assert turn.state == Circuit.HALF


def test_five_good_probes_close_and_three_bad_ones_open_for_longer() -> None:
    good = turned(Stand(Circuit.HALF, NOW, opens=1, n=5), heard(5, 0), NOW)
    bad = turned(Stand(Circuit.HALF, NOW, opens=1, n=4, failures=3), heard(4, 3), NOW)

    assert good
    assert good.state == Circuit.CLOSED
    assert bad
    assert bad.state == Circuit.OPEN
    assert bad.until == NOW + timedelta(seconds=60)
    assert turned(Stand(Circuit.HALF, NOW, opens=1, n=4), heard(4, 0), NOW) is None


def test_a_circuit_that_has_just_closed_does_not_open_at_once() -> None:
    stand = Stand(Circuit.CLOSED, NOW, opens=1)

    assert turned(stand, heard(50, 50), NOW + timedelta(seconds=20)) is None
    turn = turned(stand, heard(50, 50), NOW + timedelta(seconds=40))

    assert turn
    assert turn.opens == 2
    again = turned(stand, heard(50, 50), NOW + timedelta(hours=2))
    assert again
    assert again.opens == 1


def test_a_cool_down_grows_to_half_an_hour_and_no_further() -> None:
    assert [cool_s(n) for n in (1, 2, 3, 20)] == [30, 60, 120, 1800]


def test_an_agent_that_flaps_all_day_turns_its_circuit_few_times() -> None:
    """It fails for two minutes, and works for three, again and again; a call a second, one in ten as a probe."""
    draw, stand, turns, now = random.Random(1), None, 0, NOW
    calls: deque[tuple[datetime, bool]] = deque()
    for second in range(0, 24 * 3600, 5):
        now = NOW + timedelta(seconds=second)
        failing = second % 300 < 120
        share = 1.0 if stand is None or stand.state == Circuit.CLOSED else 0.1 * (stand.state == Circuit.HALF)
        calls += [(now, failing) for _ in range(5) if draw.random() < share]
        first = max(stand.since if stand else NOW, now - timedelta(minutes=10))
        while calls and calls[0][0] <= first:
            calls.popleft()
        failures = sum(failed for _, failed in calls)
        told = Heard(((len(calls), failures),) * 3, 0.02)
        if stand is not None:
            stand = Stand(stand.state, stand.since, stand.until, stand.opens, len(calls), failures)
        if turn := turned(stand, told, now):
            stand, turns = _after(turn, now), turns + 1

    assert 3 <= turns < 24 * 3600 / 300 * 2 / 4  # an oscillating one would turn twice a period


def _after(turn: Turn, now: datetime) -> Stand:
    return Stand(turn.state, now, turn.until, turn.opens)


def test_a_sound_path_does_not_open_in_a_day() -> None:
    draw = random.Random(3)

    for _ in range(17_000):  # every five seconds
        n = draw.randint(20, 120)
        failures = sum(draw.random() < 0.08 for _ in range(n))
        assert turned(None, heard(n, failures, usual=0.08), NOW) is None
