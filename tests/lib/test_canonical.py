from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from orchestration.lib.canonical import canonical, plain

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS | st.floats(-1e6, 1e6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_it_is_what_the_standard_says(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.dictionaries(TEXTS, VALUES, max_size=4), VALUES)
def test_a_part_that_was_looked_through_before_is_written_alike(part: dict[str, Any], beside: Any) -> None:
    """Also where something beside it makes the slow writer necessary."""
    assert canonical({"a": plain(part), "b": beside}) == rfc8785.dumps({"a": part, "b": beside})


@pytest.mark.parametrize("value", [2**60, float("nan"), {1: 2}])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="canonical"):
        canonical(value)
