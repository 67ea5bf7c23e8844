"""When what happens: pure functions of time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestration.demo.rhythm import DAY, HOUR, MINUTE, Rhythm

NOW = int(datetime(2026, 5, 14, 21, 17, tzinfo=UTC).timestamp()) * 1_000_000_000  # a Thursday


@pytest.mark.parametrize("hour", range(24))
def test_the_company_is_founded_on_a_morning_whatever_the_hour_is_here(hour: int) -> None:
    founded = NOW // DAY * DAY + hour * HOUR + 23 * MINUTE

    assert 10 <= Rhythm(founded).hour(founded) < 11.5


def test_nights_and_weekends_are_quiet_and_each_week_is_busier_than_the_last() -> None:
    rhythm = Rhythm(NOW)
    noon = rhythm.midnight(NOW - 2 * DAY) + 12 * HOUR

    assert rhythm.load(noon - 9 * HOUR) < 0.15 * rhythm.load(noon)
    saturday = noon + (5 - rhythm.weekday(noon)) * DAY - 7 * DAY
    assert rhythm.load(saturday) < 0.75 * rhythm.load(saturday - DAY)
    weeks = [rhythm.load(noon - n * 7 * DAY) for n in range(4)]
    assert weeks == sorted(weeks, reverse=True)


def test_a_campaign_began_on_the_morning_of_the_founding() -> None:
    rhythm = Rhythm(NOW)

    assert 2.5 < rhythm.load(NOW) / rhythm.load(NOW - 7 * DAY) < 6
    assert rhythm.load(NOW - DAY) < 1.3


def test_nobody_decides_outside_the_hours_of_their_desk() -> None:
    rhythm = Rhythm(NOW)
    evening = rhythm.midnight(NOW) + 17 * HOUR + 50 * MINUTE

    answered = rhythm.served(evening, 30)

    assert answered == rhythm.midnight(NOW) + DAY + 8 * HOUR + 20 * MINUTE
    assert rhythm.served(answered, 5) == answered + 5 * MINUTE


def test_long_work_of_people_goes_over_days() -> None:
    rhythm = Rhythm(NOW)
    morning = rhythm.midnight(NOW) + 8 * HOUR

    assert rhythm.served(morning, 15 * 60) == morning + DAY + 5 * HOUR


def test_the_bad_day_is_a_working_day_of_the_past() -> None:
    rhythm = Rhythm(NOW)
    begin, end = rhythm.outage

    assert rhythm.weekday(begin) in (1, 2, 3)
    assert 5 * DAY < NOW - end < 10 * DAY
    assert rhythm.payments_fail(begin + HOUR) > 0.5
    assert rhythm.payments_fail(begin - 1) == rhythm.payments_fail(NOW) == 0


def test_the_drift_grows_and_stays() -> None:
    rhythm = Rhythm(NOW)
    values = [rhythm.drift(NOW - days * DAY) for days in (20, 12, 6, 1, 0, -3)]

    assert values[:2] == [0, 0]
    assert values == sorted(values)
    assert values[-2:] == [1, 1]


def test_the_bot_is_silent_for_minutes_and_then_back() -> None:
    rhythm = Rhythm(NOW)
    silent = [n for n in range(60) if rhythm.silent_until(NOW + n * MINUTE) > NOW + n * MINUTE]

    assert silent[0] == 7
    assert 8 <= len(silent) <= 18
    back = rhythm.silent_until(NOW + 8 * MINUTE)
    assert rhythm.silent_until(back) == back
