"""Policies to begin with: each is a draft that its author changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Starter:
    key: str
    name: str
    says: str
    body: dict[str, Any]


BLANK: dict[str, Any] = {
    "scope": {},
    "condition": "action.amount <= limit",
    "then": {"kind": "allow"},
    "otherwise": {"kind": "hold"},
    "limits": {"limit": 500},
}
STARTERS = (
    Starter(
        "limit",
        "Refund limit",
        "Refunds up to 500 are made without asking; a larger one goes to a person who knows refunds.",
        {
            "scope": {"types": ["refund", "refund.*"]},
            "condition": "action.amount <= limit",
            "then": {"kind": "allow", "check_share": 0.05},
            "otherwise": {"kind": "hold", "skill": "refunds", "due_s": 1800},
            "limits": {"limit": 500},
        },
    ),
    Starter(
        "structuring",
        "Many small payments",
        "From the third payment to one account within a day a person looks, whichever agent asks.",
        {
            "scope": {"types": ["refund", "payment.*"]},
            "condition": "past.count_account_24h >= limits.per_day",
            "then": {"kind": "hold", "words": "Several payments went to this account today", "people": 1},
            "limits": {"per_day": 2},
        },
    ),
    Starter(
        "maker",
        "Maker is not checker",
        "An agent that took part in a run does not approve its payment.",
        {
            "scope": {"types": ["approve", "payment.approve"]},
            "condition": "agent.name in past.agents_run_24h",
            "then": {"kind": "deny", "words": "Who made it may not approve it"},
        },
    ),
    Starter(
        "trust",
        "Agents people do not know yet",
        "An agent acts alone once people have approved enough of what it asked; until then they are asked.",
        {
            "scope": {},
            "condition": "'agent.trust' in known && agent.trust >= limits.trust",
            "then": {"kind": "allow", "check_share": 0.1},
            "otherwise": {"kind": "hold", "due_s": 3600},
            "limits": {"trust": 0.9},
        },
    ),
)


def body_of(key: str) -> dict[str, Any]:
    return next((starter.body for starter in STARTERS if starter.key == key), BLANK)
