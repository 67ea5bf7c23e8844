""" "May I?" as it comes in: read from JSON with every fault named, and turned into facts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

TEXT_CHARS = 256
PROSE_CHARS = 2000
MOST_EVIDENCE = 50
MOST_DEPTH = 16
MOST_AMOUNT = Decimal(10) ** 15
INT64 = 2**63
_PARTS = ("agent", "action", "run", "step", "context", "proposal", "evidence", "key")
_ACTION = ("type", "system", "amount", "currency", "arguments")
_ACCOUNT = ("account", "account_id", "iban")
_NAMES = (str, int)  # `str | int` is made anew each time that it is come by
_NUMBERS, _NESTS = (int, float, str), (dict, list)
_CUSTOMER = ("customer", "customer_id")

Rates = Mapping[str, Decimal]  # what one unit of a currency is worth in the workspace's


class BadAsk(ValueError):
    """An ask that cannot be decided; `faults` are (field, message)."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{name}: {message}" for name, message in faults))


@dataclass(frozen=True, slots=True)
class Ask:
    agent: str
    type: str
    system: str = ""
    amount: Decimal | None = None
    currency: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    run: str = ""
    step: str = ""
    context: dict[str, Any] = field(default_factory=dict)
    proposal: str = ""
    evidence: list[Any] = field(default_factory=list)


def read(given: Any) -> Ask:
    """Raises BadAsk."""
    if not isinstance(given, dict):
        raise BadAsk([("", "An ask is an object with agent and action.")])
    faults = [(name, "An ask has no such part.") for name in sorted(set(given) - set(_PARTS))]
    action = given.get("action")
    if not isinstance(action, dict):
        raise BadAsk([*faults, ("action", "Say what is about to be done: an object with at least a type.")])
    faults += [(f"action.{name}", "An action has no such part.") for name in sorted(set(action) - set(_ACTION))]
    ask = Ask(
        agent=_text(given, "agent", faults, needed=True),
        type=_text(action, "action.type", faults, needed=True),
        system=_text(action, "action.system", faults),
        amount=_amount(action.get("amount"), faults),
        currency=_currency(action.get("currency"), faults),
        arguments=_object(action, "action.arguments", faults),
        run=_text(given, "run", faults),
        step=_text(given, "step", faults),
        context=_object(given, "context", faults),
        proposal=_text(given, "proposal", faults, most=PROSE_CHARS),
        evidence=listed(given.get("evidence"), faults),
    )
    if faults:
        raise BadAsk(faults)
    return ask


def facts_of(
    ask: Ask, at: datetime, zone: ZoneInfo, currency: str, rates: Rates = MappingProxyType({})
) -> dict[str, Any]:
    """What the ask itself tells, by the names of the vocabulary. An amount in another currency than the workspace's is
    not known unless there is a rate to compare it by."""
    local = at.astimezone(zone)
    customer = ask.context.get("customer")
    kinds = [str(each.get("kind")) for each in ask.evidence if isinstance(each, dict) and each.get("kind")]
    known = None if ask.amount is None else worth(ask.amount, ask.currency, currency, rates)
    rate = None if known is None or ask.currency == currency else rates.get(ask.currency)
    facts: dict[str, Any] = {
        "agent.name": ask.agent.rpartition("/")[2] or ask.agent,
        "action.type": ask.type,
        "action.system": ask.system or None,
        "action.amount": None if known is None else float(known),
        "action.rate": None if rate is None else float(rate),
        "action.stated": None if ask.amount is None else float(ask.amount),
        "action.currency": ask.currency or (currency if ask.amount is not None else None),
        "action.arguments": ask.arguments,
        "context": ask.context,
        "customer": customer if isinstance(customer, dict) else None,
        "proposal": ask.proposal or None,
        "step.name": ask.step or None,
        "evidence.count": float(len(ask.evidence)),
        "evidence.kinds": kinds,
        "now": at,
        "now.hour": float(local.hour),
        "now.weekday": float(local.isoweekday()),
        "now.weekend": local.isoweekday() > 5,
    }
    return {name: value for name, value in facts.items() if value is not None}


def worth(amount: Decimal, currency: str, own: str, rates: Rates) -> Decimal | None:
    """An amount in the workspace's `own` currency, where none is named taken to be in it; None: there is no rate."""
    if currency in ("", own):
        return amount
    rate = rates.get(currency)
    return None if rate is None else amount * rate


def subjects_of(ask: Ask) -> dict[str, str]:
    """Under what the ask is remembered for rules that look back (`vocabulary.SUBJECTS`)."""
    return _subjects(ask.agent.rpartition("/")[2] or ask.agent, ask.arguments, ask.context, ask.run)


def subjects_in(facts: Mapping[str, Any], run: str) -> dict[str, str]:
    """The same, out of recorded facts."""
    return _subjects(
        str(facts.get("agent.name", "")), facts.get("action.arguments") or {}, facts.get("context") or {}, run
    )


def stored(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as JSON holds them."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in facts.items()}


def restored(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The same facts, out of JSON."""
    kept = dict(facts)
    if isinstance(kept.get("now"), str):
        kept["now"] = datetime.fromisoformat(kept["now"]).astimezone(UTC)
    return kept


def _subjects(agent: str, arguments: Mapping[str, Any], context: Mapping[str, Any], run: str) -> dict[str, str]:
    customer = context.get("customer")
    inner = customer.get("id") if isinstance(customer, dict) else None
    found = {
        "agent": agent.casefold(),
        "account": _first((arguments, context), _ACCOUNT),
        "customer": _first((arguments, context), _CUSTOMER) or _named(inner),
        "run": run,
    }
    return {subject: value[:TEXT_CHARS] for subject, value in found.items() if value}


def _first(places: Sequence[Mapping[str, Any]], keys: tuple[str, ...]) -> str:
    for where in places:
        for key in keys:
            if name := _named(where.get(key)):
                return name
    return ""


def _named(value: Any) -> str:
    return str(value).strip() if isinstance(value, _NAMES) and not isinstance(value, bool) else ""


def _text(
    where: Mapping[str, Any], path: str, faults: list[tuple[str, str]], *, needed: bool = False, most: int = TEXT_CHARS
) -> str:
    value = where.get(path.rpartition(".")[2])
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or not value.strip():
        faults.append((path, "This is a text" + (" and is needed." if needed else ".")))
        return ""
    if len(value) > most:
        faults.append((path, f"At most {most} characters."))
    return value.replace("\0", "\ufffd").strip()


def _amount(value: Any, faults: list[tuple[str, str]]) -> Decimal | None:
    if value is None:
        return None
    number = str(value) if isinstance(value, _NUMBERS) and not isinstance(value, bool) else ""
    try:
        amount = Decimal(number) if 0 < len(number) <= 40 else None
    except ArithmeticError:
        amount = None
    if amount is None or not amount.is_finite() or abs(amount) >= MOST_AMOUNT:
        faults.append(("action.amount", "An amount is a number, or a number as a text."))
        return None
    return round(amount, 4)


def _currency(value: Any, faults: list[tuple[str, str]]) -> str:
    if value is None:
        return ""
    if not (isinstance(value, str) and len(value) == 3 and value.isascii() and value.isalpha()):
        faults.append(("action.currency", "A currency is its three letters, such as EUR."))
        return ""
    return value.upper()


def _object(where: Mapping[str, Any], path: str, faults: list[tuple[str, str]]) -> dict[str, Any]:
    value = where.get(path.rpartition(".")[2])
    if value is None:
        return {}
    if not isinstance(value, dict):
        faults.append((path, "This is an object."))
        return {}
    if not _shallow(value, MOST_DEPTH):
        faults.append((path, f"Nested more than {MOST_DEPTH} deep."))
        return {}
    return {key: _plain(inner) for key, inner in value.items()}


def listed(value: Any, faults: list[tuple[str, str]]) -> list[Any]:
    """Evidence as rules and PostgreSQL can hold it."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MOST_EVIDENCE or not _shallow(value, MOST_DEPTH):
        faults.append(("evidence", f"Evidence is a list of at most {MOST_EVIDENCE} texts or objects."))
        return []
    return [_plain(each) for each in value]


def _shallow(value: dict[str, Any] | list[Any], room: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value
    if room <= bool(inner):
        return False
    return all(_shallow(each, room - 1) for each in inner if isinstance(each, _NESTS))


def _plain(value: Any) -> Any:
    """Values that both the rule engine and PostgreSQL can hold."""
    if isinstance(value, dict):
        return {key.replace("\0", "\ufffd"): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= INT64:
        return float(value) if abs(value) < 10**300 else str(value)[:40]
    if isinstance(value, float) and not isfinite(value):
        return None
    return value
