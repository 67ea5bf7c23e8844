"""The tree over all entries: roots and proofs as RFC 6962 (Certificate Transparency) section 2.1 defines them. Pure.

A tree is given as a function that hashes a range of leaves, so that who has them stored in blocks need not read all of
them for one proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

LEAF, NODE = b"\x00", b"\x01"
EMPTY = hashlib.sha256(b"").digest()
Hash = Callable[[int, int], bytes]  # of the leaves from … up to, not including …


def leaf(body: bytes) -> bytes:
    return hashlib.sha256(LEAF + body).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(NODE + left + right).digest()


def split(size: int) -> int:
    """The largest power of two below `size` (at least 2)."""
    return 1 << ((size - 1).bit_length() - 1)


def root(leaves: Sequence[bytes]) -> bytes:
    """Of leaf hashes. By levels, not by recursion: a level is halved until one hash is left, an odd last one goes up
    as it is, which gives the same tree."""
    if not leaves:
        return EMPTY
    level = list(leaves)
    while len(level) > 1:
        pairs = [node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(level) & ~1 :]
    return level[0]


def inclusion(index: int, size: int, hashed: Hash) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves, from the leaf upwards (section 2.1.1)."""
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append(hashed(middle, end))
            end = middle
        else:
            path.append(hashed(start, middle))
            start = middle
    return path[::-1]


def consistency(earlier: int, size: int, hashed: Hash) -> list[bytes]:
    """That the tree of `earlier` leaves is the beginning of the one of `size` (section 2.1.2)."""
    if earlier in (0, size):
        return []
    return _subproof(earlier, 0, size, hashed, whole=True)


def _subproof(earlier: int, start: int, end: int, hashed: Hash, *, whole: bool) -> list[bytes]:
    if earlier == end - start:
        return [] if whole else [hashed(start, end)]
    middle = split(end - start)
    if earlier <= middle:
        return [*_subproof(earlier, start, start + middle, hashed, whole=whole), hashed(start + middle, end)]
    inner = _subproof(earlier - middle, start + middle, end, hashed, whole=False)
    return [*inner, hashed(start, start + middle)]


def includes(digest: bytes, index: int, size: int, path: Sequence[bytes], top: bytes) -> bool:
    """Whether the path leads from the leaf to the root (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, digest
    for step in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node(step, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node(found, step)
        place, last = place >> 1, last >> 1
    return last == 0 and found == top


def extends(earlier: int, size: int, tops: tuple[bytes, bytes], path: Sequence[bytes]) -> bool:
    """Whether the tree with the second root has the one with the first as its beginning (RFC 9162 2.1.4.2)."""
    first, second = tops
    if earlier == size:
        return not path and first == second
    if not 0 < earlier < size or not path:
        return False
    steps = [first, *path] if earlier & (earlier - 1) == 0 else list(path)
    place, last = earlier - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            before, after = node(step, before), node(step, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = node(after, step)
        place, last = place >> 1, last >> 1
    return last == 0 and before == first and after == second


class Growing:
    """A tree to which leaves are added one by one: it holds the roots of its full subtrees only."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, digest: bytes) -> None:
        size, found = self.size, digest
        while size & 1:
            found = node(self._peaks.pop(), found)
            size >>= 1
        self._peaks.append(found)
        self.size += 1

    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY
        found = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            found = node(peak, found)
        return found
