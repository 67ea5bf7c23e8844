"""When people are asked more than they can decide."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from orchestration.control.overrun import overrun, trend

TODAY = date(2026, 11, 22)
WEEKEND = [0, 0, 0, 0, 0, -60, -60]


def days(n: int, level: float, slope: float) -> list[int]:
    return [round(level + slope * place + WEEKEND[place % 7]) for place in range(n)]


def test_the_week_s_rhythm_is_no_trend() -> None:
    found = trend(days(28, 200, 0))

    assert found is not None
    assert (found.slope, found.low, found.high) == (0, 0, 0)


def test_a_few_odd_days_do_not_move_the_trend() -> None:
    counts = days(28, 200, 3)
    counts[4], counts[11] = 2000, 0
    found = trend(counts)

    assert found is not None
    assert found.slope == pytest.approx(3, abs=0.3)


@pytest.mark.parametrize("n", [0, 1, 13])
def test_below_two_weeks_nothing_is_foretold(n: int) -> None:
    assert overrun(days(n, 200, 3), TODAY, 300).state == "unknown"


def test_the_day_is_where_the_mean_of_a_week_meets_capacity() -> None:
    counts = days(28, 200, 3)  # today 284 less the mean of the weekend, 17.1; 33.1 are left, 3 a day
    found = overrun(counts, TODAY, 300)

    assert found.state == "ahead"
    assert found.day == TODAY + timedelta(days=12)
    assert found.earliest is not None
    assert found.latest is not None
    assert found.earliest <= found.day <= found.latest


def test_what_is_over_already_is_said_so_and_what_falls_never_is() -> None:
    assert overrun(days(28, 400, 0), TODAY, 300).state == "over"
    assert overrun(days(28, 250, -2), TODAY, 300).state == "none"
    assert overrun(days(28, 200, 0.1), TODAY, 3000).state == "none"
    assert overrun(days(28, 200, 3), TODAY, None).state == "unknown"


def test_the_interval_of_the_slope_covers_what_is_true() -> None:
    rng, covered = np.random.default_rng(7), 0
    for _ in range(300):
        counts = [int(rng.poisson(max(1, mean))) for mean in days(29, 150, 2)]
        found = trend(counts)
        assert found is not None
        covered += found.low <= 2 <= found.high
    assert covered >= 0.93 * 300
