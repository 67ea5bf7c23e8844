"""The brief says what is alike and what differs, from facts alone."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from escalations.briefs import Told, brief, count
from orchestration.workspaces.models import User, Workspace
from tests.escalations.conftest import refunds

ALIKE: dict[str, Any] = {"context.item_back": True, "context.refunds_1y": 0, "context.paid_by": "Original card"}
ODD = ALIKE | {"amount": 940.0, "context.item_back": False, "context.refunds_1y": 2}
NAMES = st.sampled_from(["amount", "text", "context.a", "context.b", "arguments.c"])
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=80)
    | st.lists(st.none())
)


def alike(n: int) -> list[Told]:
    return [Told(place, ALIKE | {"amount": 510.0 + 10 * place}) for place in range(1, n + 1)]


def test_what_is_alike_is_said_once_and_what_differs_by_name() -> None:
    found = brief([Told(12, ODD, ["context.item_back", "context.refunds_1y"]), *alike(11)])

    assert found is not None
    assert found.words == (
        "Eleven have amount 520.00 to 620.00; item back Yes; refunds, 1 y 0; paid by Original card. "
        "Case 12 differs: item back No instead of Yes; refunds, 1 y 2 instead of 0."
    )
    assert found.facts == 6
    assert [piece.text for piece in found.sentences[1] if piece.strong] == ["Case 12 differs"]


def test_where_none_differs_all_are_spoken_of() -> None:
    found = brief(alike(3))

    assert found is not None
    assert found.words.startswith("All 3 have amount 520.00 to 540.00")


def test_a_case_alone_and_cases_without_anything_in_common_have_none() -> None:
    assert brief(alike(1)) is None
    assert brief([Told(1, {"context.a": 1}), Told(2, {"context.a": 2})]) is None


def test_more_than_three_that_differ_are_counted() -> None:
    odd = [Told(place, ODD, ["context.item_back"]) for place in range(20, 25)]
    found = brief([*odd, *alike(5)])

    assert found is not None
    assert found.words.endswith("Two more differ.")


def test_small_numbers_are_words() -> None:
    assert [count(1), count(12), count(13)] == ["One", "Twelve", "13"]


@given(st.lists(st.tuples(st.dictionaries(NAMES, VALUES), st.lists(NAMES, max_size=2)), max_size=6))
def test_no_case_breaks_it_and_it_never_recommends(cases: list[tuple[dict[str, Any], list[str]]]) -> None:
    found = brief([Told(place, fields, differs) for place, (fields, differs) in enumerate(cases, 1)])

    ours = "" if found is None else "".join(p.text for s in found.sentences for p in s if not p.said)
    assert not any(word in ours.lower() for word in ("approve", "reject", "should", "recommend"))


@pytest.mark.django_db
def test_the_page_shows_it_to_those_who_may_read(client: Client, reviewer: User, workspace: Workspace) -> None:
    batch = refunds(workspace)
    client.force_login(reviewer)
    page = client.get(f"/inbox/{batch.pk}/").content.decode()

    assert 'class="brief"' in page
    assert "differs</b>: " in page
