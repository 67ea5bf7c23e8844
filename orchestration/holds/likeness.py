"""What makes holds alike: the plain fields of a case that a reviewer would compare, its words, and the exact key
without which two cases never share a batch. Pure.

What merely names something (an account, an order, a time) is no field: it differs in every case and says nothing. Nor
are labels or prose; prose is compared as text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any

import orjson

from orchestration.policies.elsewhere import PROTECTED

Plain = bool | float | str | list[str]

MOST_FIELDS, MOST_DEPTH = 60, 4
NAME_CHARS, VALUE_CHARS, WORDS = 80, 60, 7
TEXT_CHARS = 2000
CONFIDENCE = "confidence"
EVIDENCE = "evidence"
_SURE = ("confidence", "agent_confidence", "own_confidence", "certainty")
_PROSE = frozenset({"question", "cost_of_waiting", "reversible", "proposal", "why", "text", "kind", "note", "url"})
_NAMING = re.compile(
    r"(^|[._])(id|ids|uuid|iban|account|customer|email|mail|phone|number|invoice|order|reference|ref|token|key|name|date|"
    r"time|timestamp|url|path|trace|span|session|conversation|idempotency)$|(_at|_on|Id|ID)$"
)
_NAME_LIKE = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-.*"  # a UUID
    r"|\d{4}-\d{2}-\d{2}.*"  # a date
    r"|\S*\d{4,}\S*"  # something numbered
    r"|\S+@\S+|\w+://\S*"
)
_RUN = ("run.errors", "run.retries")


@dataclass(frozen=True, slots=True)
class Likeness:
    key: str
    fields: dict[str, Plain]
    text: str


def likeness(hold: Mapping[str, Any], decision: Mapping[str, Any] | None = None) -> Likeness:
    """Of a hold's columns, and of those of the decision that opened it, where one did."""
    decision = decision or {}
    return Likeness(key_of(hold, decision), fields_of(hold, decision), text_of(hold))


def key_of(hold: Mapping[str, Any], decision: Mapping[str, Any]) -> str:
    """Same rule and version, same act of the same agent, same shape: only such cases can be decided together."""
    facts, answer = decision.get("facts") or {}, decision.get("answer") or {}
    parts = [
        hold["workspace_id"],
        hold["source"],
        hold["policy"],
        hold["version"],
        hold["step"],
        hold["application"],
        hold["agent"].casefold(),
        decision.get("action_type") or "",
        decision.get("system") or "",
        shape_of(facts.get("action.arguments") or {}),
        sorted(str(name) for name in answer.get("missing") or ()),
        hold["skill"],
        hold["people"],
        decision.get("currency") or "",
    ]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()


def shape_of(arguments: Mapping[str, Any]) -> list[list[str]]:
    """Names and kinds of an act's arguments, whatever their values."""
    return sorted([str(name), _kind(value)] for name, value in arguments.items() if value is not None)


def fields_of(hold: Mapping[str, Any], decision: Mapping[str, Any]) -> dict[str, Plain]:
    facts = decision.get("facts") or {}
    found: dict[str, Plain] = {}
    amount = decision.get("amount")
    if amount is not None:
        found["amount"] = float(amount)
    for place in ("action.arguments", "context"):
        _flatten(found, place.removeprefix("action."), facts.get(place) or {}, MOST_DEPTH)
    for name, value in facts.items():
        if name in _RUN or (name.startswith("past.") and not isinstance(value, list)):
            _put(found, name, value)
    _of_evidence(found, hold.get("evidence") or [])
    if isinstance(hold.get("reversible"), bool):
        found["reversible"] = hold["reversible"]
    return dict(list(found.items())[:MOST_FIELDS])


def text_of(hold: Mapping[str, Any]) -> str:
    """What is asked and proposed, in words. Why a rule asks is the same in all of a key, why an agent asks is not."""
    told = [hold["question"], hold["proposal"], hold["why"] if hold["source"] != "decision" else ""]
    return "\n".join(dict.fromkeys(part.strip() for part in told if part.strip()))[:TEXT_CHARS]


def _of_evidence(found: dict[str, Plain], evidence: list[Any]) -> None:
    kinds = {str(each["kind"])[:VALUE_CHARS] for each in evidence if isinstance(each, dict) and each.get("kind")}
    found[EVIDENCE] = sorted(kinds)
    found[f"{EVIDENCE}.count"] = float(len(evidence))
    for each in evidence:
        if isinstance(each, dict):
            _flatten(found, f"{EVIDENCE}.{each.get('kind') or 'other'}", each, 1)


def _flatten(found: dict[str, Plain], prefix: str, given: Mapping[str, Any], room: int) -> None:
    for name, value in given.items():
        if name in _PROSE or str(name).startswith(PROTECTED):
            continue
        if name in _SURE and _is_number(value):
            found.setdefault(CONFIDENCE, float(value))
        elif isinstance(value, Mapping):
            if room > 1:
                _flatten(found, f"{prefix}.{name}", value, room - 1)
        else:
            _put(found, f"{prefix}.{name}", value)


def _put(found: dict[str, Plain], name: str, value: Any) -> None:
    plain = None if _NAMING.search(name) else _plain(value)
    if plain is not None and len(name) <= NAME_CHARS:
        found[name] = plain


def _plain(value: Any) -> Plain | None:
    if isinstance(value, bool):
        return value
    if _is_number(value):
        return float(value)
    if isinstance(value, str):
        return _category(value)
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return sorted(set(_categories(value)))[:20]
    return None


def _categories(values: list[str]) -> Iterator[str]:
    for value in values:
        if (found := _category(value)) is not None:
            yield found


def _category(value: str) -> str | None:
    """A word or a few; not prose, not a name of something."""
    text = value.strip()
    if not text or len(text) > VALUE_CHARS or len(text.split()) > WORDS or _NAME_LIKE.fullmatch(text):
        return None
    return text


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return isfinite(value) and abs(value) < 10**15


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list) else "object"
