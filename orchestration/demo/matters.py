"""What agents ask before they act, in the words of a bank, and what its rules (`bank`) make of it. Pure: what a matter
is like is drawn from the chance of its conversation, so that asking takes nothing from the chance that tells its story.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from orchestration.demo import agents, bank
from orchestration.demo.rhythm import HOUR

if TYPE_CHECKING:
    from orchestration.demo.scene import Scene

ITEMS = (
    *("headphones", "a desk lamp", "a winter coat", "an office chair", "a tablet", "a camera lens", "a road wheel"),
    *("a monitor", "an espresso machine", "a bicycle", "a laptop", "running shoes", "a suitcase", "a phone"),
)
SHOPS = ("Nordlicht Electronics", "Casa Lume", "Hafen Mail Order", "Velo Frei", "Kaufhaus Stern", "Alpen Outfitters")
SUPPLIERS = ("Brandt Logistics", "Office Park Ltd", "Meyer Print", "Delta Cloud", "Sauber Cleaning", "Hanse Legal")
COUNTRIES = ("Portugal", "Norway", "Canada", "Singapore", "Chile", "Ireland")
REFUND_COSTS = (
    "The customer was promised an answer today.",
    "The customer has called twice and will call again tomorrow.",
    "After 14 days without an answer the card scheme decides against us.",
)


@dataclass(frozen=True, slots=True)
class Ask:
    """`wrong`: how likely it would be a mistake. `earlier`: refunds asked for this account within a day."""

    agent: str
    type: str
    system: str
    question: str
    proposal: str
    cost: str
    reversible: bool
    wrong: float
    amount: float | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    evidence: list[dict[str, str]] = field(default_factory=list)
    earlier: int = 0

    def body(self, run: str) -> dict[str, Any]:
        """As it is asked."""
        words = {"question": self.question, "cost_of_waiting": self.cost, "reversible": self.reversible}
        return {
            "agent": self.agent,
            "action": self._action(),
            "run": run,
            "context": self.context | words,
            "proposal": self.proposal,
            "evidence": self.evidence,
        }

    def facts(self) -> dict[str, Any]:
        """As it is told afterwards."""
        seen = {"evidence.count": len(self.evidence), "evidence.kinds": [each["kind"] for each in self.evidence]}
        acted = {f"action.{name}": value for name, value in self._action().items()}
        return acted | {"context": self.context, "proposal": self.proposal} | seen

    def _action(self) -> dict[str, Any]:
        action = {"type": self.type, "system": self.system, "amount": self.amount, "arguments": self.arguments}
        return {name: value for name, value in action.items() if value is not None}


def expected(ask: Ask) -> str:
    """What the rules of `bank` answer."""
    rule = _RULES[ask.type]
    return rule(ask, ask.amount or 0.0, ask.context)


def _refund(ask: Ask, amount: float, told: dict[str, Any]) -> str:
    plain = amount <= bank.REFUND_LIMIT and told["item_back"] and not told["refunds_1y"]
    late = _within(bank.NIGHT, told["local_hour"]) and amount > bank.NIGHT_LIMIT
    return "allow" if plain and not late and ask.earlier < bank.SPLIT else "hold"


def _payout(ask: Ask, amount: float, told: dict[str, Any]) -> str:
    return "allow" if amount <= bank.PAYOUT_LIMIT and told["order_matched"] else "hold"


def _cleared(ask: Ask, amount: float, told: dict[str, Any]) -> str:
    if told["match"] >= bank.MATCH_LIMIT:
        return "hold"
    return "allow" if bank.IDENTITY in (each["kind"] for each in ask.evidence) else "evidence"


def _offer(ask: Ask, amount: float, told: dict[str, Any]) -> str:
    if told["rate_of_income"] > bank.RATE_LIMIT:
        return "hold"
    if amount > bank.LOAN_LIMIT:
        return "route"
    return "delay" if _within(bank.LOANS_CLOSED, told["local_hour"]) else "allow"


def _card(ask: Ask, amount: float, told: dict[str, Any]) -> str:
    return "allow" if amount <= bank.CARD_LIMIT and not told["late_payments"] else "hold"


def _within(hours: tuple[int, int], hour: int) -> bool:
    return hour >= hours[0] or hour < hours[1]


_RULES: dict[str, Callable[[Ask, float, dict[str, Any]], str]] = {
    "refund": _refund,
    "payout": _payout,
    "kyc.clear": _cleared,
    "loan.offer": _offer,
    "fee.waive": lambda ask, amount, told: "amend" if amount > bank.FEE_LIMIT else "allow",
    "card.limit": _card,
    "address.change": lambda ask, amount, told: "hold" if told["abroad"] else "allow",
}


def chance(scene: Scene, what: str) -> Random:
    return Random(f"{scene.conversation} {what}")  # noqa: S311


def hour(scene: Scene) -> int:
    return int(scene.rhythm.hour(scene.now))


def customer(scene: Scene, rng: Random) -> dict[str, Any]:
    return {"id": scene.customer, "years": rng.choice((0, 1, 2, 3, 4, 6, 8, 11))}


@dataclass(frozen=True, slots=True)
class Refund:
    """What a customer wants back. `doubtful`: not back yet, or not the first refund this year; `split`: part of a
    larger one, of which `earlier` were asked for today."""

    amount: float
    doubtful: bool = False
    hour: int = 12
    earlier: int = 0
    split: bool = False


def refund(scene: Scene, wanted: Refund) -> Ask:
    rng = chance(scene, "refund")
    item, shop, days = rng.choice(ITEMS), rng.choice(SHOPS), rng.randrange(3, 40)
    again = rng.randrange(1, 4) if wanted.doubtful and rng.random() < 0.4 else 0
    back = not wanted.doubtful or (again > 0 and rng.random() < 0.6)
    amount = f"{wanted.amount:,.2f}"
    wrong = 0.003 + 0.012 * (wanted.amount / 1000) ** 1.4 + (0.02 * again if back else 0.06 + 0.3 * again)
    state = "The parcel was scanned at the warehouse" if back else "No parcel has been scanned yet"
    why = "which came back" if back else "which is not back yet"
    past = f"{again} refunds in the last 12 months" if again else "No refund in the last 12 months"
    return Ask(
        agent="refunds/refund",
        type="refund",
        system="payments",
        question=f"Refund {amount} to {scene.customer} for {item}, {why}?",
        proposal=f"Pay {amount} back to the card that {item} from {shop} was bought with {days} days ago.",
        cost=rng.choice(REFUND_COSTS),
        reversible=False,
        wrong=0.6 if wanted.split else min(0.9, wrong),
        amount=wanted.amount,
        arguments={"account": scene.account, "amount": wanted.amount},
        context={
            "item_back": back,
            "refunds_1y": again,
            "local_hour": wanted.hour,
            "item": item,
            "customer": customer(scene, rng),
        },
        evidence=[
            {"kind": "booking", "text": f"{amount} booked for {shop}, {days} days ago"},
            {"kind": "return", "text": state},
            {"kind": "history", "text": past},
        ],
        earlier=wanted.earlier,
    )


def payout(scene: Scene, amount: float, *, matched: bool) -> Ask:
    rng = chance(scene, "payout")
    supplier, number = rng.choice(SUPPLIERS), rng.randrange(10_000, 99_999)
    order = f"Order {rng.randrange(4000, 9000)}, the same amount" if matched else "No order of this supplier is open"
    return Ask(
        agent=agents.ENTRY_BOT.agent,
        type="payout",
        system="erp",
        question=f"Pay invoice {number} of {supplier}, {amount:,.2f}{'' if matched else ', without an order'}?",
        proposal=f"Book invoice {number} and pay {amount:,.2f} to {supplier} with the next run.",
        cost="Two per cent discount are lost after ten days." if matched else "The supplier reminds us in a week.",
        reversible=matched,
        wrong=(0.03 if amount > bank.PAYOUT_LIMIT else 0.002) if matched else 0.22,
        amount=amount,
        arguments={"invoice": number, "supplier": supplier},
        context={"order_matched": matched, "supplier": supplier},
        evidence=[{"kind": "invoice", "text": f"Invoice {number}, {amount:,.2f}"}, {"kind": "order", "text": order}],
    )


def clearing(scene: Scene, *, near: bool, documented: bool) -> Ask:
    rng = chance(scene, "clearing")
    match = round(rng.uniform(0.81, 0.96) if near else rng.uniform(0.05, 0.74), 2)
    found = f"{rng.randrange(1, 4)} hits on the EU consolidated list, the nearest at {match:.0%}"
    document = [{"kind": bank.IDENTITY, "text": "Passport, valid for four more years, photo compared"}]
    return Ask(
        agent="kyc/kyc-screener",
        type="kyc.clear",
        system="sanctions-list",
        question=f"Clear {scene.customer}, whose name is {match:.0%} like one on a sanctions list?",
        proposal=f"Mark {scene.customer} as screened for twelve months.",
        cost="The account stays limited to incoming payments until then.",
        reversible=True,
        wrong=0.004 + 4 * max(0.0, match - 0.91),
        arguments={"customer_id": scene.customer},
        context={"match": match, "list": "EU consolidated", "customer": customer(scene, rng)},
        evidence=[{"kind": "sanctions search", "text": found}, *(document if documented else [])],
    )


def offer(scene: Scene, amount: float) -> Ask:
    rng = chance(scene, "offer")
    rate = round(min(0.72, rng.lognormvariate(-1.25, 0.33)), 2)
    return Ask(
        agent=agents.LIMITS_ENGINE.agent,
        type="loan.offer",
        system="core-banking",
        question=f"Offer {scene.customer} a loan of {amount:,.0f}, with a rate of {rate:.0%} of the income?",
        proposal=f"Offer {amount:,.0f} over {rng.choice((36, 48, 60, 84))} months at the listed rate.",
        cost="The applicant holds an offer of another bank that ends this week.",
        reversible=True,
        wrong=0.004 + 0.6 * max(0.0, rate - 0.3),
        amount=amount,
        context={"rate_of_income": rate, "local_hour": hour(scene), "customer": customer(scene, rng)},
        evidence=[
            {"kind": "income", "text": "Three payslips, read and compared with the bookings"},
            {"kind": "credit report", "text": f"Score {rng.randrange(510, 790)}, no entries that count against it"},
        ],
    )


def waiver(scene: Scene, amount: float) -> Ask:
    rng = chance(scene, "waiver")
    return Ask(
        agent="billing/billing",
        type="fee.waive",
        system="core-banking",
        question=f"Give {amount:,.2f} of fees back to {scene.customer}?",
        proposal=f"Credit {amount:,.2f} to {scene.account} as goodwill.",
        cost="None: the customer has been told that it takes a day.",
        reversible=True,
        wrong=0.004,
        amount=amount,
        arguments={"account": scene.account},
        context={"reason": "goodwill", "customer": customer(scene, rng)},
        evidence=[{"kind": "booking", "text": f"Fees of {amount * 1.3:,.2f} in the last 30 days"}],
    )


def card_limit(scene: Scene, *, plain: bool) -> Ask:
    rng = chance(scene, "card")
    amount = float(rng.randrange(2, 11) * 500 if plain or rng.random() < 0.3 else rng.randrange(11, 31) * 500)
    late = 0 if plain or amount > bank.CARD_LIMIT else rng.randrange(1, 3)
    return Ask(
        agent=agents.LIMITS_ENGINE.agent,
        type="card.limit",
        system="core-banking",
        question=f"Raise the card limit of {scene.customer} to {amount:,.0f}?",
        proposal=f"Set the limit of the card of {scene.account} to {amount:,.0f} from tomorrow.",
        cost="The customer travels this week and asked for it because of that.",
        reversible=True,
        wrong=0.002 + (0.12 if late else 0) + 0.003 * max(0.0, amount / 1000 - 5),
        amount=amount,
        arguments={"account": scene.account},
        context={"late_payments": late, "customer": customer(scene, rng)},
        evidence=[
            {"kind": "exposure", "text": f"{amount * 0.6:,.0f} used on average, all products"},
            {"kind": "history", "text": f"{late} payments were late this year" if late else "Always paid on time"},
        ],
    )


def address(scene: Scene, *, abroad: bool) -> Ask:
    rng = chance(scene, "address")
    country = rng.choice(COUNTRIES)
    where = f"to {country}" if abroad else "within the country"
    known = rng.random() < 0.75
    return Ask(
        agent="customer-service/customer-service",
        type="address.change",
        system="crm",
        question=f"Move the address of {scene.customer} {where}{'' if known else ', asked from a new device'}?",
        proposal=f"Change the address of {scene.customer} {where} and send the next card there.",
        cost="A replacement card waits to be sent.",
        reversible=False,
        wrong=0.001 + (0.006 if abroad else 0) + (0.4 if abroad and not known else 0),
        arguments={"customer_id": scene.customer},
        context={
            "abroad": abroad,
            "known_device": known,
            "country": country if abroad else "home",
            "customer": customer(scene, rng),
        },
        evidence=[
            {"kind": "message", "text": f"“I have moved {where}. Please send everything there.”"},
            {"kind": "device", "text": "Asked in the app, from a known device" if known else "Asked from a new device"},
        ],
    )


def until_open(scene: Scene) -> float:
    """Seconds until offers are made again."""
    return ((bank.LOANS_CLOSED[1] - scene.rhythm.hour(scene.now)) % 24) * HOUR / 1e9
