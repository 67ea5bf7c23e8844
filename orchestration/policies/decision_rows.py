"""Rows of a table as decisions that were made elsewhere: which column is what. Pure.

Everything that is no part of the act, and no label, goes into the context, numbers as numbers. What people said and
what came later are labels whatever their column is called, and `protected_…` columns are nobody's facts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo

from orchestration.policies import elsewhere
from orchestration.policies.elsewhere import PROTECTED, RECORDED, BadTold, Told

FIELDS = (
    *("id", "agent", "action", "system", "amount", "currency", "time", "run"),
    *("effect", "verdict", "reviewer", "minutes", "outcome"),
)
LABELS = frozenset({"outcome", "verdict", "decision", "label", "intent", "supported", "injected", "correct"})
VERDICTS = {
    "approve": ("approve", "approved", "accept", "accepted", "yes"),
    "reject": ("reject", "rejected", "decline", "declined", "deny", "denied", "refuse", "refused", "no"),
    "amend": ("amend", "amended", "changed"),
    "more": ("more",),
}
BEGIN, APART = datetime(2025, 1, 1, tzinfo=UTC), timedelta(minutes=1)  # of rows without a time
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")
_WORDS = {word: verdict for verdict, words in VERDICTS.items() for word in words}


@dataclass(frozen=True, slots=True)
class Reading:
    """`columns`: which column is which of `FIELDS`; `always`: what is the same in every row."""

    columns: Mapping[str, str]
    always: Mapping[str, str] = field(default_factory=dict)
    verdicts: Mapping[str, str] = field(default_factory=dict)
    leave: frozenset[str] = frozenset()
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))

    @property
    def timeless(self) -> bool:
        return "time" not in self.columns

    def left_out(self, header: list[str]) -> dict[str, list[str]]:
        """Columns that become no fact though nobody mapped them, by why."""
        free = [column for column in header if column not in self.columns.values()]
        return {
            "protected": [column for column in free if _name(column).startswith(PROTECTED)],
            "labels": [column for column in free if _name(column).lower() in LABELS],
            "as asked": [column for column in free if column in self.leave],
        }


def read(reading: Reading, row: Mapping[str, str], number: int) -> Told:
    """The `number`th row. Raises BadTold, whose `at` is the column."""
    given = {name: row[column].strip() for name, column in reading.columns.items()}
    given = {name: value for name, value in (dict(reading.always) | given).items() if value}
    event = {
        "type": RECORDED,
        "decision": _decision(given, row, number),
        "agent": given.get("agent"),
        "run": given.get("run"),
        "facts": _facts(reading, given, row),
        "effect": given.get("effect"),
        "verdict": _verdict(reading, given.get("verdict", "")),
        "reviewer": given.get("reviewer"),
        "minutes": _number("minutes", given.get("minutes")),
        "outcome": given.get("outcome"),
    }
    return elsewhere.read(event, _at(reading, given.get("time", ""), number), timeless=reading.timeless)


def _decision(given: Mapping[str, str], row: Mapping[str, str], number: int) -> str:
    """What tells it from others, also when the file is read again: its id, or where it stands and what it says."""
    told = f"{given.get('agent', '')}\0{given.get('action', '')}\0"
    told += (
        f"id\0{given['id']}" if "id" in given else f"row\0{number}\0" + "\0".join(f"{k}={v}" for k, v in row.items())
    )
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def _facts(reading: Reading, given: Mapping[str, str], row: Mapping[str, str]) -> dict[str, Any]:
    mapped = set(reading.columns.values()) | reading.leave
    context = {}
    for column, text in row.items():
        name = _name(column)
        if column in mapped or name.startswith(PROTECTED) or name.lower() in LABELS or not text.strip():
            continue
        context[name] = _plain(text.strip())
    return {
        "action.type": given.get("action"),
        "action.system": given.get("system"),
        "action.amount": given.get("amount"),
        "action.currency": given.get("currency"),
        "context": context,
    }


def _verdict(reading: Reading, word: str) -> str:
    if word in reading.verdicts:
        return reading.verdicts[word]
    if word and word.casefold() not in _WORDS:
        raise BadTold("verdict", f"{word!r} is no verdict that is known; say what it means by --verdicts.")
    return _WORDS.get(word.casefold(), "")


def _at(reading: Reading, text: str, number: int) -> datetime:
    if reading.timeless:
        return BEGIN + number * APART
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=reading.zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadTold("time", f"{text[:60]!r} is no time such as 2026-01-31T12:00:00+01:00.") from None


def _number(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise BadTold(name, f"{text[:60]!r} is no number.") from None


def _plain(text: str) -> Any:
    """A number where it is one as people write it: a code such as 007 stays a text."""
    if not _NUMBER.fullmatch(text):
        return text
    number = float(text) if any(sign in text for sign in ".eE") else int(text)
    return number if isfinite(number) else text


def _name(column: str) -> str:
    """As a rule can name it."""
    name = re.sub(r"\W+", "_", column.strip(), flags=re.ASCII).strip("_") or "column"
    return f"_{name}" if name[0].isdigit() else name
