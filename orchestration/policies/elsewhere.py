"""Decisions that were made elsewhere, as they are told: the facts of their time, what people said, what came later.
Read from JSON with every fault named. Pure.

What people said and what came later are labels: they are for reports, and never facts that a rule may read. Nor are
attributes of people that no policy may use (`protected_…`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any
from uuid import UUID

import orjson

from orchestration.policies import asks
from orchestration.policies.asks import Ask, BadAsk
from orchestration.policies.effects import Kind
from orchestration.policies.vocabulary import FIELDS, OPEN, Type, near

RECORDED, DECIDED = "decision.recorded", "hold.decided"
VERDICTS = ("approve", "reject", "amend", "more")
PROTECTED = "protected_"
NAME_CHARS, REASON_CHARS = 200, 2_000
MOST_MINUTES = 60 * 24 * 366
_OWN = frozenset({"now", "now.hour", "now.weekday", "now.weekend", "limit", "limits", "known"})  # ours to say
_ASKED = {"action.type": "type", "action.system": "system", "action.amount": "amount", "action.currency": "currency"}


class BadTold(ValueError):
    """What cannot be taken; `at` is the part that is wrong."""

    def __init__(self, at: str, message: str) -> None:
        self.at = at
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Told:
    """`ask`: the act itself, None when only a verdict is told; `more`: facts beside it. `effect` "": not said."""

    id: UUID
    type: str
    at: datetime
    agent: str = ""
    run: str = ""
    ask: Ask | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    effect: str = ""
    verdict: str = ""
    reviewer: str = ""
    minutes: float | None = None
    outcome: str = ""
    reason: str = ""
    timeless: bool = False


def read(item: Mapping[str, Any], at: datetime, *, timeless: bool = False) -> Told:
    """An event `decision.recorded` or `hold.decided`. Which decision it is about says `decision`, any text of the
    teller's; without it run and step; without those, what it says. Raises BadTold."""
    kind = item.get("type")
    given = item.get("facts")
    if given is not None and not isinstance(given, Mapping):
        raise BadTold("facts", "Facts are an object, by the names that rules use.")
    named = {name: _text(item, name) for name in ("agent", "run", "step", "decision", "reviewer", "outcome")}
    number = _id(item, named, at)
    if _protected(given):
        raise BadTold("facts", f"What is {PROTECTED}… is no fact: no policy may use it.")
    facts = _flat(given or {})
    agent = named["agent"] or str(facts.pop("agent.name", "") or "")
    if kind == RECORDED and not given:
        raise BadTold("facts", "A recorded decision has the facts it was made on.")
    ask = _ask(facts, agent, named) if given else None
    more = {name: value for name, value in facts.items() if name not in _ASKED and name not in OPEN}
    if "customer" in facts:
        more["customer"] = facts["customer"]
    effect = _one_of(item, "effect", tuple(Kind))
    verdict = _one_of(item, "verdict", VERDICTS)
    if kind == DECIDED and not verdict:
        raise BadTold("verdict", f"Say what was decided: {', '.join(VERDICTS)}.")
    return Told(
        id=number,
        type=str(kind),
        at=at,
        agent=agent,
        run=named["run"],
        ask=ask,
        more=more,
        effect=Kind.HOLD.value if kind == DECIDED else effect,
        verdict=verdict,
        reviewer=named["reviewer"],
        minutes=_minutes(item.get("minutes")),
        outcome=named["outcome"],
        reason=_text(item, "reason", REASON_CHARS),
        timeless=timeless,
    )


def _id(item: Mapping[str, Any], named: Mapping[str, str], at: datetime) -> UUID:
    """The same for whoever tells the same again, and for a verdict that comes apart from its decision."""
    if named["decision"]:
        text = f"decision\0{named['decision']}"
    elif named["run"] and named["step"]:
        text = f"step\0{named['run']}\0{named['step']}"
    elif item.get("facts"):
        told = [at.isoformat(), named["agent"], named["run"], item["facts"]]
        text = f"told\0{orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode()}"
    else:
        raise BadTold("decision", "Say which decision this is about: its `decision`, or run and step.")
    digest = bytearray(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16])
    digest[6], digest[8] = digest[6] & 0x0F | 0x80, digest[8] & 0x3F | 0x80  # version 8: made of what it is about
    return UUID(bytes=bytes(digest))


def _ask(facts: Mapping[str, Any], agent: str, named: Mapping[str, str]) -> Ask:
    """Read as if it had been asked here, so that its facts are those it would have had."""
    action = {part: facts[name] for name, part in _ASKED.items() if facts.get(name) is not None}
    action["arguments"] = facts.get("action.arguments")
    asked = {
        "agent": agent,
        "action": action,
        "run": named["run"] or None,
        "step": named["step"] or None,
        "context": facts.get("context"),
        "proposal": facts.get("proposal"),
    }
    try:
        return asks.read(asked)
    except BadAsk as bad:
        at, message = bad.faults[0]
        raise BadTold(at if at == "agent" else f"facts.{at}", message) from None


def _flat(given: Mapping[str, Any]) -> dict[str, Any]:
    """By the names of the vocabulary, whether told flat (`action.amount`, `context.years`) or as objects."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in ("action", "agent", "run", "step", "evidence", "now", "past") and isinstance(value, Mapping):
            for part, inner in value.items():
                _put(found, f"{name}.{part}", inner)
        else:
            _put(found, str(name), value)
    return found


def _put(found: dict[str, Any], name: str, value: Any) -> None:
    if name in _OWN or value is None:
        return
    if known := FIELDS.get(name):
        found[name] = _typed(name, known.type, value)
        return
    head = next((head for head in OPEN if name.startswith(f"{head}.")), "")
    if not head or head == "limits":
        meant = near(name)
        hint = f" Did you mean {' or '.join(meant)}?" if meant else " What is the agent's own stands below context."
        raise BadTold(f"facts.{name}", f"There is no fact {name}.{hint}")
    inner = found.setdefault(head, {})
    *path, last = name[len(head) + 1 :].split(".")
    for key in path:
        inner = inner.setdefault(key, {})
        if not isinstance(inner, dict):
            raise BadTold(f"facts.{name}", "This name is a value already and cannot be fields too.")
    inner[last] = value


def _protected(value: Any) -> bool:
    if isinstance(value, Mapping):
        names = (part for key in value for part in str(key).split("."))
        return any(name.startswith(PROTECTED) for name in names) or any(_protected(inner) for inner in value.values())
    return isinstance(value, list) and any(_protected(inner) for inner in value)


def _typed(name: str, kind: Type, value: Any) -> Any:
    fits = {
        Type.TEXT: isinstance(value, str) and len(value) <= asks.PROSE_CHARS,
        Type.FLAG: isinstance(value, bool),
        Type.MAP: isinstance(value, Mapping),
        Type.TEXTS: isinstance(value, list) and all(isinstance(each, str) for each in value),
    }
    if kind in (Type.NUMBER, Type.WHOLE):
        if name == "action.amount":
            return value  # an amount may be a text, and is read as such
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise BadTold(f"facts.{name}", "This fact is a number.")
        return float(value)
    if not fits.get(kind, False):
        raise BadTold(f"facts.{name}", f"This fact is {kind}.")
    return dict(value) if kind == Type.MAP else value


def _text(item: Mapping[str, Any], name: str, most: int = NAME_CHARS) -> str:
    value = item.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most:
        raise BadTold(name, f"This is a text of at most {most} characters.")
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode().strip()


def _one_of(item: Mapping[str, Any], name: str, words: tuple[str, ...]) -> str:
    value = item.get(name)
    if value in (None, ""):
        return ""
    if value not in words:
        raise BadTold(name, f"This is one of {', '.join(words)}.")
    return str(value)


def _minutes(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_MINUTES:
        raise BadTold("minutes", "Minutes are a number, not below zero and not above a year.")
    return float(value)
