"""What goes wrong in a story: drawn once, at its beginning, so that the seed decides it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from orchestration.demo.bank import NIGHT_LIMIT, REFUND_LIMIT


@dataclass(frozen=True, slots=True)
class Faults:
    """`timeouts`: how often the payment service does not answer. `swallowed`: the failure never reaches the root.
    `crashes`: the program that holds the root is killed, and its end never comes."""

    abusive: bool
    overloaded: bool  # the model refuses once
    looks_up_twice: bool
    timeouts: int
    swallowed: bool
    slow_core: bool
    unknown_account: bool
    contradicts: bool  # two agents tell the customer different things
    crashes: bool


def draw(rng: Random) -> Faults:
    return Faults(
        abusive=rng.random() < 0.02,
        overloaded=rng.random() < 0.05,
        looks_up_twice=rng.random() < 0.6,
        timeouts=rng.choices((0, 1, 3), (0.92, 0.06, 0.02))[0],
        swallowed=rng.random() < 0.5,
        slow_core=rng.random() < 0.05,
        unknown_account=rng.random() < 0.03,
        contradicts=rng.random() < 0.06,
        crashes=rng.random() < 0.002,
    )


@dataclass(frozen=True, slots=True)
class Mess:
    """How agents that know nothing of one another get in each other's way. `asks_*`: wants a proof of the customer,
    each its own. `rereads`: the refund agent reads the bookings that billing has just read, while the core still holds
    them locked (`locked`) and does not answer. `promises`: billing tells the customer an amount before it is paid, and
    the refund agent, which `recounts`, takes a fee off it."""

    asks_first: bool
    asks_too: bool
    rereads: bool
    locked: bool
    promises: bool
    recounts: bool


def mess(rng: Random) -> Mess:
    return Mess(*(rng.random() < share for share in (0.45, 0.4, 0.4, 0.45, 0.55, 0.25)))


def small_amount(rng: Random) -> float:
    """What a customer wants back and an agent may grant."""
    return round(min(NIGHT_LIMIT, rng.lognormvariate(3.9, 0.7)), 2)


def middle_amount(rng: Random) -> float:
    """What an agent may grant by day."""
    return round(rng.uniform(1.02 * NIGHT_LIMIT, REFUND_LIMIT), 2)


def large_amount(rng: Random) -> float:
    return round(REFUND_LIMIT * (1.02 + rng.expovariate(1.1)), 2)
