"""JSON as callers wrote it. What an object says twice is refused: of two amounts only the last would count, and whoever
reads the text, or signed it, may have looked at the first. So is a number that others could not read again."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from json import JSONDecoder
from typing import Any, NamedTuple

import orjson

from orchestration.api.refusals import Refused
from orchestration.handoffs.given import Fault, Wrong

Place = tuple[str | int, ...]  # the way to a value, from the outside in
# From here on a number has a whole part that no 64 bits hold: PostgreSQL keeps all of its digits, JSON writes none.
LARGE = 2.0**63
_MAY_BE_LARGE = re.compile(rb"[:,\[\s]-?(?:\d{19}|\d+(?:\.\d+)?[eE]\+?\d)")


class Ill(NamedTuple):
    """What is wrong with one value."""

    place: Place
    kind: str
    words: str


def parsed(body: bytes) -> Any:
    """Raises Refused where it is not JSON, and Wrong where it says something twice, or too large."""
    given, ills = read(body)
    well(ills)
    return given


def read(body: bytes) -> tuple[Any, list[Ill]]:
    """And what is wrong with it, for who answers for a part of it alone. Raises Refused."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused(400, "undecodable", "The body is not JSON.") from None
    ills = [] if _plain(body, given) else _repeated(body)
    if _MAY_BE_LARGE.search(body):
        ills += _large(given, ())
    return given, ills


def checked(body: bytes) -> None:
    """Raises Wrong as `parsed` does, for who reads JSON with a parser of its own, which judges what is none."""
    with suppress(Refused):
        well(read(body)[1])


def well(ills: Collection[Ill]) -> None:
    """Raises Wrong, naming each."""
    if ills:
        raise Wrong(Fault(named(ill.place), ill.kind, ill.words) for ill in ills)


def named(place: Place) -> str:
    """`items[2].action.amount`"""
    found = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:80]}" for part in place)
    return found.removeprefix(".").replace("\0", "\ufffd")


def _plain(body: bytes, given: Any) -> bool:
    """What is said twice is written once when it is written again, with fewer colons. A second parser would find the
    same at ten times the cost; it is asked where the counts differ, or may: an escaped colon is counted only after."""
    return b"\\u003" not in body and body.count(b":") == orjson.dumps(given).count(b":")


class _Object(dict[str, Any]):
    twice: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    found = _Object(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        found.twice = tuple(name for name in found if names.count(name) > 1)
    return found


_decoder = JSONDecoder(object_pairs_hook=_object, parse_int=str, parse_float=str)


def _repeated(body: bytes) -> list[Ill]:
    try:
        found = list(_places(_decoder.decode(body.decode()), ()))
    except RecursionError:
        raise Refused(400, "undecodable", "The body is nested too deep.") from None
    return [Ill(place, "repeated", "Given more than once.") for place in found]


def _large(value: Any, at: Place) -> Iterator[Ill]:
    if isinstance(value, float) and abs(value) >= LARGE:
        yield Ill(at, "too_large", "A number may have 64 bits: beyond that send a text.")
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, each in inner:
        yield from _large(each, (*at, part))


def _places(value: Any, at: Place) -> Iterator[Place]:
    if isinstance(value, _Object):
        yield from ((*at, name) for name in value.twice)
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, each in inner:
        yield from _places(each, (*at, part))
