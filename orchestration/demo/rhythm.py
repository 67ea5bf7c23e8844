"""When what happens at the bank: days and nights, growth, a bad day, office hours. Pure functions of time.

Everything hangs on the moment at which the company was first played (`founded_ns`): it is then the middle of a morning
there, wherever the reader lives, and on that morning a campaign began. So the same company, played again or played only
in part, is the same to the nanosecond.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

S, MINUTE, HOUR, DAY = 1_000_000_000, 60_000_000_000, 3_600_000_000_000, 86_400_000_000_000
PAST_DAYS = 30
MORNING = 10.67  # local time of the founding, about
CAMPAIGN = 4.0  # how many times as many come since this morning
# share of the busiest hour, at each full hour
BY_HOUR = (10, 7, 6, 6, 7, 10, 20, 42, 74, 96, 100, 98, 84, 88, 97, 99, 93, 82, 66, 55, 46, 36, 24, 15)
BY_WEEKDAY = (1.06, 1.0, 0.97, 1.0, 0.98, 0.66, 0.56)
GROWTH = ((-30, 0.09), (-21, 0.2), (-14, 0.42), (-7, 0.72), (0, 1.0))  # days from the founding: branches join by and by
DESKS = ((8, 18),) * 5 + ((9, 15), (9, 15))  # when the people who decide are there


@dataclass(frozen=True)
class Rhythm:
    """The company's clock. `days`: how far back it has a past."""

    founded_ns: int
    days: float = PAST_DAYS

    @cached_property
    def zone_ns(self) -> int:
        ahead = round(MORNING - self.founded_ns % DAY / HOUR)
        return ((ahead + 12) % 24 - 12) * HOUR

    @property
    def opened_ns(self) -> int:
        return self.founded_ns - int(self.days * DAY)

    def hour(self, ns: int) -> float:
        return (ns + self.zone_ns) % DAY / HOUR

    def weekday(self, ns: int) -> int:
        return ((ns + self.zone_ns) // DAY + 3) % 7

    def midnight(self, ns: int) -> int:
        return (ns + self.zone_ns) // DAY * DAY - self.zone_ns

    def load(self, ns: int) -> float:
        """How many come at this moment, as a multiple of a busy hour before the campaign."""
        hour = self.hour(ns)
        one, next_one = BY_HOUR[int(hour)], BY_HOUR[(int(hour) + 1) % 24]
        of_day = (one + (next_one - one) * (hour % 1)) / 100
        campaign = self._campaign(ns)
        of_week = BY_WEEKDAY[self.weekday(ns)]
        if campaign > 1:
            of_week = max(of_week, 1.0)  # it is said on every channel that it ends soon
        return of_day * of_week * self._growth(ns) * campaign

    def _growth(self, ns: int) -> float:
        age = (ns - self.founded_ns) / DAY
        for (before, low), (after, high) in pairwise(GROWTH):
            if age < after:
                return low + (high - low) * max(0.0, (age - before) / (after - before))
        return GROWTH[-1][1]

    def _campaign(self, ns: int) -> float:
        since = (ns - self.founded_ns) / HOUR + 3.4
        return 1 + (CAMPAIGN - 1) * min(1.0, max(0.0, since / 2))

    def served(self, ns: int, minutes: float) -> int:
        """When somebody at the desk is done with what came at `ns` and takes so many minutes of their time to reach."""
        left = int(minutes * MINUTE)
        while True:
            midnight = self.midnight(ns)
            opens, closes = (midnight + hour * HOUR for hour in DESKS[self.weekday(ns)])
            begin = max(ns, opens)
            if begin + left < closes:
                return begin + left
            left -= max(0, closes - begin)
            ns = midnight + DAY

    @cached_property
    def outage(self) -> tuple[int, int]:
        """The bad day: for a morning the payment service hardly answered. A working day of the week before last."""
        day = self.founded_ns - 9 * DAY
        while self.weekday(day) not in (1, 2, 3):
            day += DAY
        begin = self.midnight(day) + 9 * HOUR + 40 * MINUTE
        return begin, begin + 3 * HOUR + 25 * MINUTE

    def payments_fail(self, ns: int) -> float:
        """How likely the payment service does not answer, beyond its usual moods."""
        begin, end = self.outage
        if begin <= ns < end:
            return 0.72
        return 0.15 if end <= ns < end + 2 * HOUR else 0.0

    def core_factor(self, ns: int) -> float:
        """The core banking system is slow while it books the day's batch, and more so by the end of a month."""
        return 7.0 if 10.4 <= self.hour(ns) < 11.3 and self.weekday(ns) < 6 else 1.0

    def drift(self, ns: int) -> float:
        """From 0 to 1 since a release twelve days ago: one agent changes slowly."""
        return min(1.0, max(0.0, (ns - self.founded_ns) / (12 * DAY) + 1))

    def silent_until(self, ns: int) -> int:
        """When the robot that falls silent now and then is back; `ns` itself while it is well."""
        night = self.midnight(self.founded_ns - 4 * DAY) + 2 * HOUR
        if night <= ns < night + 5 * HOUR + 20 * MINUTE:
            return night + 5 * HOUR + 20 * MINUTE
        number, into = divmod(ns - self.founded_ns - 7 * MINUTE, 24 * MINUTE)
        lasts = (4 + number % 3) * MINUTE
        return ns - into + lasts if number >= 0 and into < lasts else ns
