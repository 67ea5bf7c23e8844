"""Rows of one claim, made ready to be stored."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestration.telemetry.rows import Taken, distinct

Keys = list[tuple[int, bytes, bytes]]
few = st.sampled_from([b"a", b"b", b"c"])


@given(st.lists(st.tuples(st.integers(0, 3), few, few)))
def test_rows_of_a_claim_are_sorted_and_each_key_is_there_once_as_it_came_first(keys: Keys) -> None:
    taken = [Taken(place, ()) for place in range(len(keys))]

    ordered = distinct([((1, *key), which) for key, which in zip(keys, taken, strict=True)])

    assert [row[1:4] for row, _ in ordered] == sorted(set(keys))
    assert all(which is taken[keys.index(row[1:4])] for row, which in ordered)
