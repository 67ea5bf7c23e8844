"""Cursors: what was given out is taken back, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.lib.paging import BadCursor, cut, from_cursor, to_cursor


@given(st.integers(-(2**53), 2**53), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_place_comes_back_as_it_was(number: int, text: str) -> None:
    assert from_cursor(to_cursor([number, text]), int, str) == [number, text]


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    try:
        place = from_cursor(text, int, str)
    except BadCursor:
        return
    assert [type(part) for part in place] == [int, str]


def test_a_place_of_another_list_is_refused() -> None:
    with pytest.raises(BadCursor):
        from_cursor(to_cursor([1]), str)
    with pytest.raises(BadCursor):
        from_cursor(to_cursor([True]), int)


@given(st.lists(st.integers()), st.integers(1, 7))
def test_pages_hold_every_item_once_and_in_order(rows: list[int], limit: int) -> None:
    seen: list[int] = []
    cursor: str | None = None
    while True:
        page = cut(rows, limit, cursor)
        seen += page.items
        cursor = page.next
        if cursor is None:
            break

    assert seen == rows


def test_a_place_before_the_beginning_is_refused() -> None:
    with pytest.raises(BadCursor):
        cut([1, 2, 3], 2, to_cursor([-1]))


def test_a_place_behind_the_end_holds_nothing() -> None:
    page = cut([1, 2, 3], 2, to_cursor([10**12]))

    assert (page.items, page.next) == ([], None)
