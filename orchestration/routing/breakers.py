"""A circuit's next state. Pure.

closed    open when the lower bound of the failure rate of the last minute, two or ten lies above what is tolerated, of
          at least `ENOUGH` calls; or by a storm: more than half of the calls that fail are fourth tries of the same
          or later ones. How many calls there are says nothing: who is busy and well makes many
open      nothing is sent but by who does not ask; half open after a cool-down, twice as long each time in a row
half      the next calls are probes: closed when enough of them went well, open again when too many did not

It is looked at every few seconds and in three windows, so the bound is one of 99.9 %, and not of 95 %. Only what came
after a change counts for the next one, and what opens again and again stays open longer each time: it does not flap.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.lib.stats import wilson
from orchestration.routing.models import Circuit

ENOUGH = 20
Z = 3.29  # 99.9 %, of both sides
TOLERATED = 0.3  # share of calls that may fail, of who usually fails less
WORSE = 1.5  # times its usual share, of who usually fails more
STORM_SHARE, STORM_RATE = 0.5, 0.1  # of failures that are late tries; of calls that fail
COOL_S, MOST_COOL_S = 30.0, 1800.0
CLOSED_S = 30.0  # at least, before it may open again
STEADY = timedelta(hours=1)  # closed for so long, what was before is forgotten
PROBES, BAD_PROBES = 5, 3


@dataclass(frozen=True, slots=True)
class Heard:
    """Calls and failures of the last minute, two and ten; `usual_rate`: share that fails, before; `again`: failures of
    the last two minutes that were the fourth try of the same call, or a later one."""

    windows: tuple[tuple[int, int], ...]
    usual_rate: float = 0.0
    again: int = 0


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a circuit stands; `n`, `failures`: what came since it changed."""

    state: str
    since: datetime
    until: datetime | None = None
    opens: int = 0
    n: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """A change, with the figures on which it is made, in words without a full stop."""

    state: str
    words: str
    n: int = 0
    failures: int = 0
    until: datetime | None = None
    opens: int = 0


def turned(stand: Stand | None, heard: Heard, now: datetime) -> Turn | None:
    """What it becomes now; None: it stays. No stand: it was never open."""
    if stand is None or stand.state == Circuit.CLOSED:
        return _opened(stand, heard, now)
    if stand.state == Circuit.OPEN:
        if stand.until is None or stand.until > now:
            return None
        return Turn(Circuit.HALF, f"Cooled down: the next {PROBES} calls tell", opens=stand.opens)
    return _probed(stand, heard, now)


def tolerated(heard: Heard) -> float:
    return min(0.9, max(TOLERATED, WORSE * heard.usual_rate))


def cool_s(opens: int) -> float:
    return min(MOST_COOL_S, COOL_S * 2.0 ** max(0, opens - 1))


def _opened(stand: Stand | None, heard: Heard, now: datetime) -> Turn | None:
    if stand is not None and (now - stand.since).total_seconds() < CLOSED_S:
        return None
    fresh = stand is None or now - stand.since >= STEADY
    opens = 1 if fresh or stand is None else stand.opens + 1
    until = now + timedelta(seconds=cool_s(opens))
    for n, failures in heard.windows:
        low = (wilson(failures, n, Z) or (0.0, 0.0))[0]
        if n >= ENOUGH and low > tolerated(heard):
            words = f"{failures} of {n} calls failed, more than {tolerated(heard):.0%} beyond doubt"
            return Turn(Circuit.OPEN, words, n, failures, until, opens)
    if words := _storm(heard):
        return Turn(Circuit.OPEN, words, *heard.windows[1], until, opens)
    return None


def _storm(heard: Heard) -> str:
    n, failures = heard.windows[1]
    again = min(heard.again, failures)
    late = (wilson(again, failures, Z) or (0.0, 0.0))[0]
    low = (wilson(failures, n, Z) or (0.0, 0.0))[0]
    if late <= STORM_SHARE or low <= max(STORM_RATE, WORSE * heard.usual_rate):
        return ""
    return f"A storm of retries: {again} of {failures} failed calls were at least the fourth try of the same, of {n}"


def _probed(stand: Stand, heard: Heard, now: datetime) -> Turn | None:
    limit = tolerated(heard)
    if stand.n >= PROBES and stand.failures <= stand.n * limit / 2:
        words = f"{stand.n - stand.failures} of {stand.n} probes went well"
        return Turn(Circuit.CLOSED, words, stand.n, stand.failures, opens=stand.opens)
    if stand.failures >= BAD_PROBES:
        opens = stand.opens + 1
        words = f"{stand.failures} of {stand.n} probes failed"
        return Turn(Circuit.OPEN, words, stand.n, stand.failures, now + timedelta(seconds=cool_s(opens)), opens)
    return None
