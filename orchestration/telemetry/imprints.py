"""Spans that hold, byte for byte, what others held before them, but for their ids, times and numbers of tokens: they
are known by these bytes, and nothing of them is decoded.

Exporters write the fields of a span in the order of their numbers. So ids, times and what stands between them lie at
known places: trace id, span id, parent, name and kind (`middle`), start, end, and all the rest (`tail`), in which
numbers of tokens follow each other. A span laid out in any other way is no worse off than without this file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct, error
from typing import TYPE_CHECKING, Any

from orchestration.telemetry.admission import NO_SPAN, Window, span_fault
from orchestration.telemetry.otlp_attributes import counted

if TYPE_CHECKING:
    from orchestration.telemetry.alike import Alike, Meaning

_ROOT = Struct("<2s16s2s8s")
_CHILD = Struct("<2s16s2s8s2s8s")
_TIMES = Struct("<BQBQ")
_TRACE_ID, _SPAN_ID, _PARENT_ID = b"\n\x10", b"\x12\x08", b'"\x08'
_NAME, _KIND, _START, _END, _ATTRIBUTE = 0x2A, 0x30, 0x39, 0x41, 0x4A
TAIL_BYTES = 2_048  # a longer one is not kept
LAYOUTS = 4  # of numbers under one name and kind

# meaning, attributes as they are stored (with gaps for numbers of tokens), and the places of these numbers
Imprint = tuple["Meaning", bytes, tuple[int, ...]]
Heads = tuple[bytes, ...]


@dataclass(slots=True, eq=False)
class _Face:
    """Tails under one name and kind: those without numbers; and, by what the pairs with numbers begin with, those with:
    by what stands before and behind these pairs."""

    plain: dict[bytes, Imprint] = field(default_factory=dict)
    counting: dict[Heads, dict[tuple[bytes, bytes], Imprint]] = field(default_factory=dict)

    def find(self, tail: bytes) -> tuple[Meaning, dict[int, int], bytes] | None:
        for heads, known in self.counting.items():
            cut = _cut(tail, heads)
            found = known.get(cut[:2]) if cut else None
            if found and cut:
                return found[0], dict(zip(found[2], cut[2])), found[1] % cut[2]  # noqa: B905  one for each head
        found = self.plain.get(tail)
        return found and (found[0], {}, found[1])

    def note(self, tail: bytes, heads: Heads, begin: int, imprint: Imprint) -> bool:
        if not heads:
            self.plain[tail] = imprint
            return True
        cut = _cut(tail, heads)
        if not cut or len(cut[0]) != begin or (heads not in self.counting and len(self.counting) == LAYOUTS):
            return False
        self.counting.setdefault(heads, {})[cut[:2]] = imprint
        return True


class Imprints:
    """The tails that are known of one application and scope."""

    def __init__(self) -> None:
        self._children: dict[bytes, _Face] = {}
        self._roots: dict[bytes, _Face] = {}

    def find(self, data: bytes, when: Window) -> Alike | None:
        """The span, if one with these bytes is known and it may come in."""
        parent_id = b""
        try:
            if data[28] == 0x22:
                tag, trace_id, other, span_id, third, parent_id = _CHILD.unpack_from(data)
                at, faces, right = 38, self._children, third == _PARENT_ID and parent_id != NO_SPAN
            else:
                tag, trace_id, other, span_id = _ROOT.unpack_from(data)
                at, faces, right = 28, self._roots, True
            behind = at + 4 + data[at + 1]
            face = faces.get(data[at:behind])
            if face is None:
                return None
            begin, start_ns, end, end_ns = _TIMES.unpack_from(data, behind)
        except (IndexError, error):
            return None
        if not right or tag != _TRACE_ID or other != _SPAN_ID or begin != _START or end != _END:
            return None
        if span_fault(trace_id, span_id, parent_id, start_ns, end_ns, when):
            return None
        found = face.find(data[behind + _TIMES.size :])
        if found is None:
            return None
        return found[0], trace_id, span_id, parent_id, start_ns, end_ns, found[1], found[2]

    def note(self, data: bytes, span: Any, imprint: Imprint) -> bool:
        """Keep a span as one that is known; `span` is what decoding it gave. Whether that was possible."""
        at = 38 if span.parent_span_id else 28
        middle = data[at : at + 4 + data[at + 1]] if len(data) > at + 1 else b""
        behind = at + len(middle)
        tail = data[behind + _TIMES.size :]
        named, kind = middle[2:-2], middle[-1:]
        rebuilt = _laid_out(span, named, kind)
        if len(tail) > TAIL_BYTES or data[: len(rebuilt)] != rebuilt or len(rebuilt) != behind + _TIMES.size:
            return False
        faces = self._children if span.parent_span_id else self._roots
        attributes = span.attributes[:]
        heads = tuple(_head(attributes[place]) for place in imprint[2])
        # where the first of them stands: what looks like one may also lie in a text
        begin = sum(len(pair) + (2 if len(pair) < 128 else 3) for pair in attributes[: imprint[2][0]]) if heads else 0
        return faces.setdefault(middle, _Face()).note(tail, heads, begin, imprint)


def _laid_out(span: Any, named: bytes, kind: bytes) -> bytes:
    """How a span begins that is written as expected and whose tail takes nothing of that back."""
    above = _PARENT_ID + span.parent_span_id if span.parent_span_id else b""
    if span.parent_span_id == NO_SPAN:  # which is none, and means what a root does
        return b""
    if named != span.name.encode() or len(named) > 127 or kind != bytes([span.kind & 127]):
        return b""
    called = bytes([_NAME, len(named)]) + named + bytes([_KIND]) + kind
    times = _TIMES.pack(_START, span.start_time_unix_nano, _END, span.end_time_unix_nano)
    whole: bytes = _TRACE_ID + span.trace_id + _SPAN_ID + span.span_id + above + called + times
    return whole


def _head(pair: bytes) -> bytes:
    """A pair up to its key's end."""
    return pair[: pair[1] + 3]


def _cut(tail: bytes, heads: Heads) -> tuple[bytes, bytes, tuple[int, ...]] | None:
    """What stands before the pairs with numbers and what behind them, and the numbers; None where not all of them
    follow each other. Read by hand, as `counted` does it: there are many, of which hardly two are alike."""
    first = at = tail.rfind(heads[0]) - 2  # from the end, near which they are
    numbers = []
    try:
        for head in heads:
            value = at + 2 + len(head)
            size = tail[value]
            if at < 0 or tail[at] != _ATTRIBUTE or tail[at + 1] != value + size - at - 1 or tail[value + 1] != 0x18:
                return None
            low, high = tail[value + 2], tail[value + size]
            if size == 3 and low > 0x7F and 0 < high < 0x80:
                number = low & 0x7F | high << 7
            elif size == 2 and 0 < low < 0x80:
                number = low
            else:
                number = counted(tail[at + 2 : value + size + 1]) or 0
            if not number or (head is not heads[0] and not tail.startswith(head, at + 2)):
                return None
            numbers.append(number)
            at = value + size + 1
    except IndexError:
        return None
    return tail[:first], tail[at:], tuple(numbers)
