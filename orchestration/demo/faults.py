"""What goes wrong in a story: drawn once, at its beginning, so that the seed decides it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

REFUND_LIMIT = 500.0  # above it a person decides


@dataclass(frozen=True, slots=True)
class Faults:
    """`timeouts`: how often the payment service does not answer. `swallowed`: the failure never reaches the root."""

    abusive: bool
    overloaded: bool  # the model refuses once
    looks_up_twice: bool
    timeouts: int
    swallowed: bool
    slow_ledger: bool
    unknown_invoice: bool


def draw(rng: Random) -> Faults:
    return Faults(
        abusive=rng.random() < 0.03,
        overloaded=rng.random() < 0.06,
        looks_up_twice=rng.random() < 0.6,
        timeouts=rng.choices((0, 1, 3), (0.84, 0.11, 0.05))[0],
        swallowed=rng.random() < 0.5,
        slow_ledger=rng.random() < 0.12,
        unknown_invoice=rng.random() < 0.04,
    )


def amount(rng: Random) -> float:
    """What a customer wants back: mostly small, one in ten above what an agent may grant."""
    if rng.random() < 0.1:
        return round(rng.uniform(REFUND_LIMIT * 1.05, REFUND_LIMIT * 5), 2)
    return round(rng.lognormvariate(3.9, 0.6), 2)
