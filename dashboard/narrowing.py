"""What a list's address asks for: words and `field:value` in its filter box, order, and a place in its pages."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.http import HttpRequest

from orchestration.lib.templatetags.baton import number

MOST_COUNTED = 1000  # beyond that a list says so instead of counting on
LONGEST = 500
_TERM = re.compile(r'(?:(\w+):)?(?:"([^"]*)"|(\S+))')


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that holds, and the address of the list without it."""

    label: str
    value: str
    href: str


@dataclass(frozen=True, slots=True)
class Column:
    label: str
    numeric: bool
    href: str
    sorted: str  # "" | ascending | descending
    narrow: bool  # shown on narrow screens too


@dataclass(frozen=True, slots=True)
class Pages:
    """Where one is in a list: `words` says it, the addresses lead on ("" where there is nothing)."""

    words: str
    newer: str
    older: str


def text_of(request: HttpRequest, name: str) -> str:
    return request.GET.get(name, "").replace("\0", "").strip()[:LONGEST]


def terms(q: str, fields: Collection[str]) -> tuple[str, dict[str, str]]:
    """`billing status:failed agent:"loan desk"` as words and fields. What names no field of the list is words; of a
    field that is named twice the last one counts."""
    words, found = [], {}
    for match in _TERM.finditer(q):
        name, quoted, plain = match.groups()
        value = quoted if quoted is not None else plain
        if name and name.lower() in fields and value:
            found[name.lower()] = value
        else:
            words.append(match[0].strip('"'))
    return " ".join(words), found


def address_of(request: HttpRequest, **changed: str) -> str:
    """This list with some of its parameters changed; what is "" is left out, and the place in the pages with it."""
    query = request.GET.copy()
    for name in ("cursor", "page", "dir"):
        query.pop(name, None)
    for name, value in changed.items():
        query[name] = value
    for name in [name for name in query if not query[name]]:
        del query[name]
    return f"{request.path}?{query.urlencode()}" if query else request.path


def chips(request: HttpRequest, labels: Sequence[tuple[str, str]]) -> list[Chip]:
    """Of the parameters (name, label) that the address has besides the filter box."""
    return [
        Chip(label, text_of(request, name), address_of(request, **{name: ""}))
        for name, label in labels
        if text_of(request, name)
    ]


def kept(request: HttpRequest, names: Sequence[str]) -> list[tuple[str, str]]:
    """Parameters that a filter's form hands on unseen."""
    return [(name, text_of(request, name)) for name in names if text_of(request, name)]


def columns(request: HttpRequest, heads: Sequence[tuple[str, str, bool, bool]], sort: str) -> list[Column]:
    """Heads are (label, what it sorts by or "", numeric, shown on narrow screens); names rise, figures fall."""
    return [
        Column(
            label,
            numeric,
            address_of(request, sort=by) if by else "",
            "" if not by or by != sort else "ascending" if by == "name" else "descending",
            narrow,
        )
        for label, by, numeric, narrow in heads
    ]


def page_number(request: HttpRequest) -> int:
    text = request.GET.get("page", "1")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def span_words(page: int, limit: int, shown: int, counted: int) -> str:
    """`1 to 25 of 118`; of a list that is longer than it is worth counting, that it is."""
    if not shown:
        return "None"
    first = (page - 1) * limit + 1
    last = first + shown - 1
    whole = f"more than {number(MOST_COUNTED)}" if counted > MOST_COUNTED else number(max(counted, last))
    return f"{number(first)} to {number(last)} of {whole}"
