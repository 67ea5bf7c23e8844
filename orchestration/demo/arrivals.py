"""What comes when: each quarter of an hour has its arrivals, drawn from the seed and that quarter alone. So any stretch
of the company's life can be played by itself, before or after any other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from orchestration.client import Baton
from orchestration.demo import refunds, scenarios, screening
from orchestration.demo.agents import LIMITS_ENGINE, LOAN_PROCESS
from orchestration.demo.bank import NIGHT
from orchestration.demo.loans import loan
from orchestration.demo.matters import card_limit
from orchestration.demo.rhythm import DAY, HOUR, MINUTE, Rhythm
from orchestration.demo.robots import (
    INVOICES,
    LIMITS,
    PAYOUTS,
    Errand,
    errand,
    large_invoice,
    small_invoice,
    strange_invoice,
)
from orchestration.demo.scene import Scene
from orchestration.demo.stage import Story

SLOT = 15 * MINUTE
BUSY_HOURS = 12.4  # so many busy hours make a working day
Robots = Mapping[str, Baton]


def constant(rhythm: Rhythm, ns: int) -> float:
    return 1.0


def steady(rhythm: Rhythm, ns: int) -> float:
    """Not by load: a script that is started by the clock."""
    return 1 / max(rhythm.load(ns), 1e-9)


def cleared(rhythm: Rhythm, ns: int) -> float:
    return 0.9 - 0.22 * rhythm.drift(ns)


def doubtful(rhythm: Rhythm, ns: int) -> float:
    return 1 - cleared(rhythm, ns)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of matter. `a_day`: how many on a working day before the campaign. `longest_ns`: after which all of them
    are over."""

    name: str
    a_day: float
    longest_ns: int
    story: Callable[[Scene, Robots], Story]
    share: Callable[[Rhythm, int], float] = constant


def nightly(rhythm: Rhythm, ns: int) -> float:
    return float(not NIGHT[1] <= rhythm.hour(ns) < NIGHT[0])


def daily(rhythm: Rhythm, ns: int) -> float:
    return 1 - nightly(rhythm, ns)


def told(what: Errand) -> Callable[[Scene, Robots], Story]:
    return lambda scene, robots: errand(scene, robots[what.robot.name], what)


def a_loan(scene: Scene, robots: Robots) -> Story:
    return loan(scene, robots[LOAN_PROCESS.name], robots[LIMITS_ENGINE.name])


SOON, LATER, DAYS = HOUR, 6 * DAY, 12 * DAY
AWAY = 12 * HOUR  # how long the bot is silent at worst
KINDS = (
    Kind("small refund", 113, SOON, lambda scene, _: refunds.small_refund(scene)),
    Kind("middle refund", 34, SOON, lambda scene, _: refunds.middle_refund(scene), daily),
    Kind("doubtful refund", 75, LATER, lambda scene, _: refunds.doubtful_refund(scene)),
    Kind("large refund", 52, LATER, lambda scene, _: refunds.large_refund(scene)),
    Kind("billing question", 300, SOON, lambda scene, _: scenarios.billing_question(scene)),
    Kind("account question", 580, SOON, lambda scene, _: scenarios.account_question(scene)),
    Kind("payment trace", 90, SOON, lambda scene, _: scenarios.payment_trace(scene)),
    Kind("kyc clear", 130, SOON, lambda scene, _: screening.clear_refresh(scene), cleared),
    Kind("kyc doubtful", 130, LATER, lambda scene, _: screening.doubtful_refresh(scene), doubtful),
    Kind("address change", 50, SOON, lambda scene, _: scenarios.address_change(scene)),
    Kind("address change abroad", 70, LATER, lambda scene, _: scenarios.address_abroad(scene)),
    Kind("night refund", 34, LATER, lambda scene, _: refunds.middle_refund(scene), nightly),
    Kind("split refund", 1.2, LATER, lambda scene, _: refunds.split_refund(scene), daily),
    Kind("loan", 26, DAYS, a_loan),
    Kind("invoice", 80, AWAY, told(INVOICES.asking(small_invoice))),
    Kind("large invoice", 16, LATER, told(INVOICES.asking(large_invoice))),
    Kind("invoice mismatch", 30, LATER, told(INVOICES.asking(strange_invoice))),
    Kind("limit", 85, SOON, told(LIMITS.asking(lambda scene: card_limit(scene, plain=True)))),
    Kind("limit asked", 45, LATER, told(LIMITS.asking(lambda scene: card_limit(scene, plain=False)))),
    Kind("payouts", 30, SOON, told(PAYOUTS), steady),
)
CUSTOMERS_A_DAY = sum(kind.a_day for kind in KINDS[:8])
PER_MINUTE = 3.8  # customers on the morning of the founding


@dataclass(frozen=True, slots=True)
class Arrival:
    at_ns: int
    kind: Kind
    seed: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A company: its rhythm, its seed, and how many customers a minute it has in the campaign's busiest hour."""

    rhythm: Rhythm
    seed: int
    per_minute: float = PER_MINUTE

    def between(self, kind: Kind, since_ns: int, until_ns: int) -> Iterator[Arrival]:
        """What comes from `since_ns` until before `until_ns`; nothing came before the company opened."""
        since_ns = max(since_ns, self.rhythm.opened_ns)
        for slot in range(since_ns // SLOT, -(-until_ns // SLOT)):
            for arrival in self._slot(kind, slot):
                if since_ns <= arrival.at_ns < until_ns:
                    yield arrival

    def _slot(self, kind: Kind, slot: int) -> Iterator[Arrival]:
        middle = slot * SLOT + SLOT // 2
        each = kind.share(self.rhythm, middle) * self.rhythm.load(middle) * self._scale(kind)
        if each <= 0:
            return
        seed = f"{self.seed} {self.rhythm.founded_ns} {kind.name} {slot}"
        rng = Random(seed)  # noqa: S311
        at = rng.expovariate(each)
        while at < 1:
            yield Arrival(slot * SLOT + int(at * SLOT), kind, f"{seed} {at}")
            at += rng.expovariate(each)

    def _scale(self, kind: Kind) -> float:
        """How many come in a busy slot before the campaign."""
        if kind.share is steady:
            return kind.a_day / (DAY / SLOT)
        customers = self.per_minute * SLOT / MINUTE / self.rhythm.load(self.rhythm.founded_ns)
        return customers * kind.a_day / CUSTOMERS_A_DAY
