"""What the bank lets its agents do alone: its policies, as the admins there would write them. Data only.

Whoever sets up the demo makes them, by the same steps that admins take; the simulated agents know nothing of them and
obey what they are answered. `expected` in `matters` says for the past what these rules would have answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]
REFUND_LIMIT, SPLIT, NIGHT_LIMIT, NEW_YEARS, NEW_LIMIT = 500.0, 3, 150.0, 1, 200.0
PAYOUT_LIMIT, MATCH_LIMIT, LOAN_LIMIT, RATE_LIMIT = 10_000.0, 0.8, 40_000.0, 0.4
FEE_LIMIT, CARD_LIMIT = 40.0, 5_000.0
NIGHT, LOANS_CLOSED = (22, 6), (20, 7)  # from, until
IDENTITY = "identity document"
ANALYST = "credit-analyst"


@dataclass(frozen=True, slots=True)
class Policy:
    """`live`: bodies that became live one after the other, each with the reason its author gave. `shadow`, `draft`:
    what is tried beside it, and what somebody is writing."""

    name: str
    purpose: str
    live: tuple[tuple[Body, str], ...] = ()
    shadow: Body | None = None
    draft: Body | None = None


def person(skill: str, minutes: int, words: str, people: int = 1) -> Body:
    """Ask one; nobody's answer in time is a no."""
    asked = {"kind": "hold", "skill": skill, "due_s": minutes * 60, "on_timeout": "reject", "words": words}
    return asked | {"people": people}


def refunds(limit: float) -> Body:
    refund = {"action.type": "refund", "context.item_back": True, "context.refunds_1y": 0}
    return {
        "scope": {"types": ["refund"]},
        "condition": "action.amount <= limit && context.item_back == true && context.refunds_1y == 0",
        "then": {"kind": "allow", "check_share": 0.05},
        "otherwise": person("refunds", 30, "Ask someone who knows refunds"),
        "limits": {"limit": limit},
        "examples": [
            _case("A lamp that came back", refund | {"action.amount": 80}, "allow"),
            _case("The second refund this year", refund | {"action.amount": 80, "context.refunds_1y": 1}, "hold"),
            _case("Not back yet", refund | {"action.amount": 80, "context.item_back": False}, "hold"),
            _case("Far above the limit", refund | {"action.amount": 5000}, "hold"),
        ],
    }


def _case(name: str, facts: Body, effect: str) -> Body:
    return {"name": name, "facts": facts, "effect": effect}


def _when(kind: str, condition: str, then: Body, **limits: float) -> Body:
    """A rule that speaks only when its condition holds."""
    return {"scope": {"types": [kind]}, "condition": condition, "then": then, "limits": limits}


def _hours(begin: int, end: int) -> str:
    return f"(context.local_hour >= {begin} || context.local_hour < {end})"


POLICIES = (
    Policy(
        "Refund limit",
        "When the refund agent may pay alone.",
        (
            (refunds(250.0), "A first limit, low on purpose"),
            (refunds(REFUND_LIMIT), "Reviewers approved 97% of those between 250 and 500 unchanged"),
        ),
        draft=refunds(1000.0),
    ),
    Policy(
        "Split refunds",
        "Several refunds to one account within a day may be one large refund in parts, whichever agent pays them.",
        (
            (
                _when(
                    "refund",
                    "past.count_account_24h >= limits.per_day",
                    person("fraud", 45, "Several refunds to one account today: ask fraud prevention"),
                    per_day=SPLIT,
                ),
                "Four refunds of 480 to one account went out in March",
            ),
        ),
    ),
    Policy(
        "Refunds at night",
        "At night nobody at the desk would notice a series of wrong refunds.",
        (
            (
                _when(
                    "refund",
                    f"{_hours(*NIGHT)} && action.amount > limit",
                    person("refunds", 30, "At night only small refunds go out alone"),
                    limit=NIGHT_LIMIT,
                ),
                "Agreed with operations",
            ),
        ),
    ),
    Policy(
        "Refunds to new customers",
        "Would a second look at refunds to customers of less than a year have been worth its time?",
        shadow=_when(
            "refund",
            "customer.years < limits.years && action.amount > limit",
            person("refunds", 30, "A new customer: look twice"),
            limit=NEW_LIMIT,
            years=NEW_YEARS,
        ),
    ),
    Policy(
        "Payout above 10,000",
        "Money that leaves the bank in large amounts needs two people.",
        (
            (
                _when(
                    "payout",
                    "action.amount > limit",
                    person("treasury", 60, "Two people sign large payouts", people=2),
                    limit=PAYOUT_LIMIT,
                ),
                "Asked for by the auditors",
            ),
        ),
    ),
    Policy(
        "Invoice without an order",
        "An invoice that fits no order is paid only when accounting has cleared it up.",
        (
            (
                _when(
                    "payout",
                    "context.order_matched == false",
                    person("accounting", 60, "No order fits: ask accounting"),
                ),
                "The bot cannot tell a new supplier from a false invoice",
            ),
        ),
    ),
    Policy(
        "KYC evidence",
        "Nobody is cleared without a document that proves who they are.",
        (
            (
                _when(
                    "kyc.clear",
                    f'!("{IDENTITY}" in evidence.kinds)',
                    {"kind": "evidence", "evidence": [IDENTITY], "words": "Add the identity document"},
                ),
                "As the regulator wants it",
            ),
        ),
    ),
    Policy(
        "KYC near match",
        "A name much like one on a sanctions list is a matter for compliance.",
        (
            (
                _when(
                    "kyc.clear",
                    "context.match >= limit",
                    person("compliance", 60, "A near match: ask compliance"),
                    limit=MATCH_LIMIT,
                ),
                "As the regulator wants it",
            ),
        ),
    ),
    Policy(
        "Loan amount",
        "Large loans go to the analyst first, who writes them up for the senior desk.",
        (
            (
                _when("loan.offer", "action.amount > limit", {"kind": "route", "to": ANALYST}, limit=LOAN_LIMIT),
                "As in the credit handbook",
            ),
        ),
    ),
    Policy(
        "Loan hours",
        "Offers at night wait until somebody could answer questions about them.",
        (
            (
                _when("loan.offer", _hours(*LOANS_CLOSED), {"kind": "delay", "seconds": 1800}),
                "Customers called at six in the morning",
            ),
        ),
    ),
    Policy(
        "Loan affordability",
        "Where the rate takes much of the income, a person judges.",
        (
            (
                _when(
                    "loan.offer",
                    "context.rate_of_income > limit",
                    person("credit", 120, "The rate takes much of the income"),
                    limit=RATE_LIMIT,
                ),
                "As in the credit handbook",
            ),
        ),
    ),
    Policy(
        "Fee waivers",
        "Billing may give back a fee out of goodwill, up to an amount.",
        (
            (
                _when(
                    "fee.waive",
                    "action.amount > limit",
                    {"kind": "amend", "amount": FEE_LIMIT, "words": "Give back a part"},
                    limit=FEE_LIMIT,
                ),
                "Goodwill has a budget",
            ),
        ),
    ),
    Policy(
        "Card limit",
        "When the rules engine may raise a card's limit alone.",
        (
            (
                {
                    "scope": {"types": ["card.limit"]},
                    "condition": "action.amount <= limit && context.late_payments == 0",
                    "then": {"kind": "allow"},
                    "otherwise": person("cards", 45, "Ask the card desk") | {"precedents": "answer"},
                    "limits": {"limit": CARD_LIMIT},
                },
                "Taken over from the old rules engine",
            ),
        ),
    ),
    Policy(
        "Address change abroad",
        "A new address in another country is a common beginning of the take-over of an account.",
        (
            (
                _when(
                    "address.change",
                    "context.abroad == true",
                    person("identity", 45, "Abroad: make sure that it is the customer"),
                ),
                "Two accounts were taken over in June",
            ),
        ),
    ),
)
