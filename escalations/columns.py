"""Which of a batch's many fields are worth a column, what is the same in all, and how one case compares with the rest.
Pure: names and plain values in, what to show out.

What is the same in all is said once. A field that marks a case as different comes before all others; then fields whose
values repeat among the cases (they tell groups apart); then fields in which every case has its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from escalations.words import label, shown

MOST = 4  # beside name and amount
ON_A_PHONE = 2
MOST_CHIPS = 6
LONGEST = 40
_ABSENT = object()
_AMOUNT = "amount"
_SKIPPED = ("text", _AMOUNT)


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    label: str
    number: bool
    wide_only: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """A line of one case against the others."""

    label: str
    mine: str
    others: str
    differs: bool


Case = Mapping[str, Any]


def columns(cases: Sequence[Case], marked: Sequence[str]) -> list[Column]:
    """Of the fields that differ, those that say most. `marked`: names by which cases were found to differ."""
    few = len(cases) == 1  # nothing to differ from: what it is about, then
    names = [
        name
        for name in _names(cases)
        if name not in _SKIPPED
        and not _says_again(name, cases)
        and (few or name in marked or len(_distinct(cases, name)) > 1)
    ]
    worth = sorted(names, key=lambda name: (-_worth(cases, name, marked), name))[:MOST]
    phone = set(worth[:ON_A_PHONE])
    worth.sort(key=lambda name: (_kind(cases, name), name))
    return [Column(name, label(name), _kind(cases, name) == 2, name not in phone) for name in worth]


def same(cases: Sequence[Case]) -> list[str]:
    """What all have in common, as few words as tell it apart."""
    if len(cases) < 2:
        return []
    names = [name for name in _names(cases) if name not in _SKIPPED and len(_distinct(cases, name)) == 1]
    names.sort(key=lambda name: _chip_order(name, cases[0].get(name)))
    found = [_chip(name, cases[0].get(name, _ABSENT)) for name in names]
    return [chip for chip in found if chip][:MOST_CHIPS]


def compare(mine: Case, others: Sequence[Case], differs: Sequence[str], most: int = 14) -> list[Compared]:
    """What differs first, then what varies, then what is the same."""
    names = [name for name in _names([mine, *others]) if not _says_again(name, [mine, *others])]
    varies = [name for name in names if name not in differs and len(_distinct([mine, *others], name)) > 1]
    own = [name for name in varies if len(_distinct(others, name)) == len(others) > 1 and _kind(others, name) != 2]
    told = [name for name in varies if name not in own]
    rest = sorted(set(names) - set(differs) - set(varies), key=lambda name: _chip_order(name, mine.get(name)))
    order = [*(name for name in differs if name in names), *_amount_first(told), *rest, *own]
    return [
        Compared(label(name), shown(name, mine.get(name)), _together(name, others), name in differs)
        for name in order
        if name != "text"
    ][:most]


def _says_again(name: str, cases: Sequence[Case]) -> bool:
    """An argument that is the act's amount once more."""
    return name == f"arguments.{_AMOUNT}" and all(case.get(name) == case.get(_AMOUNT) for case in cases)


def _chip_order(name: str, value: Any) -> tuple[int, str]:
    """Words of the act say most, then words of the context, then yes and no, then figures."""
    words = isinstance(value, str)
    return (0 if words and name.startswith("arguments.") else 1 if words else 2 if isinstance(value, bool) else 3), name


def _amount_first(names: list[str]) -> list[str]:
    return sorted(names, key=lambda name: name != _AMOUNT)


def _names(cases: Sequence[Case]) -> list[str]:
    return list(dict.fromkeys(name for case in cases for name in case))


def _key(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _distinct(cases: Sequence[Case], name: str) -> Counter[Any]:
    return Counter(_key(case.get(name, _ABSENT)) for case in cases)


def _worth(cases: Sequence[Case], name: str, marked: Sequence[str]) -> float:
    counts = _distinct(cases, name)
    known = sum(count for value, count in counts.items() if value is not _ABSENT) / len(cases)
    repeats = 1 - (len(counts) - 1) / max(1, len(cases) - 1)  # 0: each its own
    plain = all(len(str(value)) <= LONGEST for value in counts)
    numeric = _kind(cases, name) == 2
    return 4.0 * (name in marked) + known + max(repeats, 0.4 if numeric else 0.2) - (0 if plain else 1)


def _kind(cases: Sequence[Case], name: str) -> int:
    """0 words, 1 yes or no, 2 a number: the order in which columns stand."""
    values = [case[name] for case in cases if name in case]
    if all(isinstance(value, bool) for value in values):
        return 1
    return 2 if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values) else 0


def _chip(name: str, value: Any) -> str:
    """A value that speaks for itself stands alone; a number or a yes needs its name."""
    text = shown(name, value)
    if isinstance(value, bool):
        return label(name) if value else f"{label(name)}: no"
    if value is _ABSENT or value is None or len(text) > LONGEST:
        return ""
    return text if isinstance(value, str | list) and value else f"{label(name)}: {text.lower()}"


def _together(name: str, others: Sequence[Case]) -> str:
    counts = _distinct(others, name)
    if not counts:
        return ""
    if len(counts) == 1:
        value = others[0].get(name)
        every = "All " if len(others) > 2 and isinstance(value, bool) else ""
        text = shown(name, value)
        return f"{every}{text.lower()}" if every else text
    values = [case[name] for case in others if case.get(name) is not None]
    if values and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return f"{shown(name, min(values)).removesuffix('%')} to {shown(name, max(values))}"
    most, count = counts.most_common(1)[0]
    if count > 1:
        value = None if most is _ABSENT else list(most) if isinstance(most, tuple) else most
        return f"{shown(name, value)} in {count} of {len(others)}"
    return f"{len(counts)} different"
