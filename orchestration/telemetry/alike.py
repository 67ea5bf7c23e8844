"""What spans mean that say the same as spans before them, but for their ids, their times and their numbers of tokens:
nearly all of a day's. Such a one is not read again.

Spans of one shape have the same application, name, kind and keys. What a span means was told from some of its values
only: those were watched while it was read. Any other span of that shape which holds the same values there means the
same, whatever its prompts and ids are. Numbers of tokens may differ: where they come out is found by reading the span
twice with numbers made up for that, and if it then differs in anything else it is not remembered. So no convention may
look at an id or a time, or decide by how large a number of tokens is (that it is none may matter).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

import orjson

from orchestration.telemetry.conventions import observe
from orchestration.telemetry.imprints import Imprints
from orchestration.telemetry.otlp_attributes import COUNT, UNKNOWN, Pair, code_of, counted, pairs_of
from orchestration.telemetry.spans import Observed, RawSpan

MOST = 6_000  # shapes, values in them, spans met and their bytes; beyond that all are forgotten
SAME_BYTES = 2_048  # of attributes kept whole
NOWHERE = -1
_TOKENS = ("tokens_in", "tokens_out", "tokens_cached")

Head = tuple[str, str, str]  # application, environment, scope
Numbers = dict[int, int]  # of tokens, by the place of their attribute
Face = tuple[str, int, int, bool]  # name, OTLP kind, status, whether it is a root
Key = tuple[Face, tuple[str, ...]]  # and keys of its attributes


class _Watched(Mapping[str, Any]):
    """Attributes that note which of their values were looked at. Whether there is a key is no secret: that is part of
    the shape."""

    def __init__(self, attributes: Mapping[str, Any]) -> None:
        self._attributes = attributes
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        value = self._attributes[key]
        self.read.add(key)
        return value

    def __contains__(self, key: object) -> bool:
        return key in self._attributes

    def __iter__(self) -> Iterator[str]:
        return iter(self._attributes)

    def __len__(self) -> int:
        return len(self._attributes)


@dataclass(slots=True, eq=False)
class Meaning:
    """What such spans mean. `seen` is one of them; `tokens` (in, out, cached) and `sums` are the places of its numbers
    among the attributes, `NOWHERE` where they are the same for all."""

    seen: Observed
    tokens: tuple[int, int, int]
    sums: tuple[int, int] | None

    def with_numbers(self, numbers: Numbers) -> Observed:
        """A span that means this and has these numbers."""
        seen = copy(self.seen)
        for name, place in zip(_TOKENS, self.tokens, strict=True):
            setattr(seen, name, numbers.get(place, getattr(seen, name)))
        seen.hints = self.hints(numbers)
        return seen

    def hints(self, numbers: Numbers) -> dict[str, Any]:
        hints = self.seen.hints
        if self.sums is None:
            return hints
        return {**hints, "sum": [numbers.get(place, n) for place, n in zip(self.sums, hints["sum"], strict=True)]}


# A span that means that: ids, times, numbers of tokens by place, and its attributes as they are stored
Alike = tuple[Meaning, bytes, bytes, bytes, int, int, Numbers, bytes]
# … and the last with gaps for these numbers, where it is remembered
Found = tuple[Meaning, Numbers, bytes, bytes | None]


@dataclass(slots=True, eq=False)
class _Shape:
    read: frozenset[int] = frozenset()  # places of the values that a meaning was told from
    pick: Callable[[Sequence[int]], Any] = field(default=lambda codes: ())  # the codes at these places
    # None: met once. False: what it means cannot be told from its values there
    known: dict[Any, Meaning | bool | None] = field(default_factory=dict)


class Kin:
    """The spans of one application and scope that are remembered."""

    def __init__(self, scope: str, memory: Memory) -> None:
        self._memory = memory
        self._end = b'"s":%b}' % orjson.dumps(scope)
        # by face and codes: the meaning, and the stored attributes with gaps for numbers
        self._same: dict[tuple[Any, ...], tuple[Meaning, bytes]] = {}
        self._shapes: dict[Key, _Shape | None] = {}
        self.imprints = Imprints()

    def find(self, face: Face, encoded: Sequence[bytes]) -> Found | None:
        """What a span with these attributes, and no words beside them, means, if that is known."""
        codes: list[int | None] = list(map(code_of, encoded))
        numbers: Numbers = {}
        if None in codes:
            for place, code in enumerate(codes):
                if code is None:
                    number = counted(encoded[place])
                    if number is None:
                        return self._alike(face, encoded)
                    codes[place], numbers[place] = COUNT, number
        found = self._same.get((face, *codes))
        if found is None:
            return self._alike(face, encoded)
        return found[0], numbers, found[1] % tuple(numbers.values()) if numbers else found[1], found[1]

    def _alike(self, face: Face, encoded: Sequence[bytes]) -> Found | None:
        """The same for one that differs from others in what its meaning does not depend on."""
        pairs = pairs_of(encoded)
        shape = self._shapes.get((face, tuple([pair[0] for pair in pairs])))
        if shape is None:
            return None
        codes = [pair[3] for pair in pairs]
        meaning = shape.known.get(shape.pick(codes))
        shown = [pair[2] for pair in pairs]
        if not isinstance(meaning, Meaning) or None in shown:
            return None
        attributes = b'\x01{"a":{%b},"k":%d,%b' % (b",".join(shown), face[1], self._end)  # type: ignore[arg-type]
        numbers = {place: pair[1] for place, pair in enumerate(pairs) if pair[3] == COUNT}
        if UNKNOWN not in codes and len(attributes) <= SAME_BYTES:
            self._same[face, *codes] = meaning, _with_gaps(attributes, pairs) if numbers else attributes
            self._memory.met += 1
        return meaning, numbers, attributes, None

    def imprint(self, data: bytes, span: Any, found: Found) -> None:
        """Know a span by its bytes the next time, now that it was `found`."""
        meaning, numbers, _, gaps = found
        if gaps is not None and self.imprints.note(data, span, (meaning, gaps, tuple(numbers))):
            self._memory.met += 1

    def learn(self, raw: RawSpan, encoded: Sequence[bytes]) -> None:
        """Called for a span that was not known. What was met only once is noted, no more: it may be unique."""
        pairs = pairs_of(encoded)
        face = raw.name, raw.span_kind, raw.status, raw.parent_id == b""
        key = face, tuple([pair[0] for pair in pairs])
        if key not in self._shapes:
            self._shapes[key] = None
            self._memory.met += 1
            return
        shape = self._shapes[key]
        if shape is None:
            shape = self._shapes[key] = _Shape()
        codes = [pair[3] for pair in pairs]
        wanted = shape.pick(codes)
        if wanted not in shape.known:
            shape.known[wanted] = None
            self._memory.met += 1
        elif shape.known[wanted] is None and raw.kept is not None:
            _understand(shape, raw, pairs, codes)


class Memory:
    """Meanings by application and scope. One for a process: what spans mean depends on nothing but them."""

    def __init__(self) -> None:
        self.met = 0
        self._kin: dict[Head, Kin] = {}

    def of(self, head: Head) -> Kin:
        if self.met > MOST:
            self._kin.clear()
            self.met = 0
        if head not in self._kin:
            self._kin[head] = Kin(head[2], self)
            self.met += 1
        return self._kin[head]


def _understand(shape: _Shape, raw: RawSpan, pairs: Sequence[Pair], codes: Sequence[int]) -> None:
    meaning, read = understood(raw, pairs)
    if not read <= shape.read:
        shape.read |= read
        shape.pick = itemgetter(*sorted(shape.read))
        shape.known.clear()
    told = meaning is not None and not any(codes[place] == UNKNOWN for place in read)
    shape.known[shape.pick(codes)] = told and meaning


def _with_gaps(attributes: bytes, pairs: Sequence[Pair]) -> bytes:
    """The same with `%d` for numbers of tokens."""
    escaped = attributes.replace(b"%", b"%%")
    for key, number, _, code in pairs:
        if code == COUNT:  # the key comes once, and in a text its quotes would be escaped
            escaped = escaped.replace(b'"%b":%d' % (key.encode(), number), b'"%b":%%d' % key.encode(), 1)
    return escaped


def understood(raw: RawSpan, pairs: Sequence[Pair]) -> tuple[Meaning | None, set[int]]:
    """What all spans mean that hold the same values at certain places (numbers of tokens aside), and these places.
    None where that depends on the numbers in a way that is not understood."""
    numbers = [place for place, pair in enumerate(pairs) if pair[3] == COUNT]
    first = {place: 1_000_003 + 7 * i for i, place in enumerate(numbers)}
    second = {place: 2_000_003 + 11 * i for i, place in enumerate(numbers)}
    one, other = _Watched(_with(pairs, first)), _Watched(_with(pairs, second))
    seen = observe(replace(raw, attributes=one))  # type: ignore[arg-type]  # nothing changes attributes
    again = observe(replace(raw, attributes=other))  # type: ignore[arg-type]
    names = one.read | other.read
    read = {place for place, pair in enumerate(pairs) if pair[0] in names}
    places = {number: place for place, number in first.items()}
    into, out, cached = (places.get(getattr(seen, name), NOWHERE) for name in _TOKENS)
    said = seen.hints.get("sum")
    sums = (places.get(said[0], NOWHERE), places.get(said[1], NOWHERE)) if said else None
    if sums == (NOWHERE, NOWHERE):
        sums = None
    meaning = Meaning(seen, (into, out, cached), sums)
    return (meaning if meaning.with_numbers(second) == again else None), read


def _with(pairs: Sequence[Pair], numbers: Mapping[int, int]) -> dict[str, Any]:
    return {pair[0]: numbers.get(place, pair[1]) for place, pair in enumerate(pairs)}
