"""The tree, against the definition of RFC 6962 spelled out as it stands there."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.ledger import merkle


def leaves(size: int) -> list[bytes]:
    return [merkle.leaf(bytes([n % 256])) for n in range(size)]


def defined(found: list[bytes]) -> bytes:
    """MTH as the RFC defines it."""
    if not found:
        return sha256(b"").digest()
    if len(found) == 1:
        return found[0]
    k = merkle.split(len(found))
    return sha256(b"\x01" + defined(found[:k]) + defined(found[k:])).digest()


@pytest.mark.parametrize("size", [*range(20), 63, 64, 65, 200])
def test_the_root_is_the_one_that_is_defined(size: int) -> None:
    found = leaves(size)
    growing = merkle.Growing()
    for each in found:
        growing.add(each)

    assert merkle.root(found) == defined(found) == growing.root()


def test_a_known_tree_has_its_published_root() -> None:
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]

    found = merkle.root([merkle.leaf(bytes.fromhex(text)) for text in inputs])

    assert found.hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@given(st.integers(1, 70).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1))))
def test_every_leaf_is_proved_and_no_other(case: tuple[int, int]) -> None:
    size, index = case
    found = leaves(size)
    path = merkle.inclusion(index, size, lambda a, b: merkle.root(found[a:b]))

    assert merkle.includes(found[index], index, size, path, merkle.root(found))
    assert not merkle.includes(merkle.leaf(b"other"), index, size, path, merkle.root(found))
    assert not merkle.includes(found[index], index, size, [*path, path[0] if path else b"x" * 32], merkle.root(found))


@given(st.integers(1, 70).flatmap(lambda size: st.tuples(st.integers(1, size), st.just(size))))
def test_a_tree_is_proved_to_go_on_from_an_earlier_one(case: tuple[int, int]) -> None:
    earlier, size = case
    found = leaves(size)
    tops = merkle.root(found[:earlier]), merkle.root(found)
    path = merkle.consistency(earlier, size, lambda a, b: merkle.root(found[a:b]))

    assert merkle.extends(earlier, size, tops, path)
    if earlier < size:
        assert not merkle.extends(earlier, size, (merkle.leaf(b"forged"), tops[1]), path)
