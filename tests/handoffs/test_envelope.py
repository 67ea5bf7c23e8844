"""The envelope: what is told of one that cannot be taken, and what a pair needs beyond the common shape."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.handoffs import demands, envelope
from orchestration.handoffs.demands import Demanded, Fact
from orchestration.handoffs.models import Demand
from tests.handoffs.spoken import ENVELOPE
from tests.handoffs.spoken import envelope as handed

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def faults(given_: Any) -> dict[str, str]:
    return {fault.field: fault.kind for fault in envelope.read(given_, NOW)[1]}


def test_a_complete_envelope_has_no_faults() -> None:
    assert faults(ENVELOPE) == {}
    assert (
        faults(handed(expires_at="2026-11-23T13:00:00Z", facts={"order": "A-1"}, open_questions=[{"q": "When?"}])) == {}
    )


def test_all_that_is_missing_is_named_at_once() -> None:
    assert faults({}) == dict.fromkeys(envelope.NEEDED, "missing")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": 2}, {"version": "not_allowed"}),
        ({"version": True}, {"version": "not_allowed"}),
        ({"asked": "  "}, {"asked": "missing"}),
        ({"asked": ["Refund"]}, {"asked": "wrong_type"}),
        ({"asked": "x" * 3000}, {"asked": "too_long"}),
        ({"done": "all"}, {"done": "wrong_type"}),
        ({"done": [7]}, {"done": "wrong_type"}),
        ({"evidence": ["x"] * 51}, {"evidence": "too_many"}),
        ({"evidence": ["x" * 70_000]}, {"evidence": "too_long"}),
        ({"to": "Support_Triage"}, {"to": "not_allowed"}),
        ({"data_classes": ["p i i"]}, {"data_classes": "wrong_type"}),
        ({"expires_at": "2026-11-23T11:00:00Z"}, {"expires_at": "out_of_range"}),
        ({"expires_at": "soon"}, {"expires_at": "wrong_type"}),
        ({"facts": []}, {"facts": "wrong_type"}),
        ({"urgent": True}, {"urgent": "unknown"}),
    ],
)
def test_a_fault_is_told_by_field_and_kind(change: dict[str, Any], told: dict[str, str]) -> None:
    assert faults(handed(**change)) == told


def test_secrets_do_not_travel() -> None:
    secret = "sk-" + "a1B2" * 8

    sent, _ = envelope.read(handed(asked=f"Use {secret}", facts={"password": "hunter2"}, done=[secret]), NOW)

    assert secret not in str(sent.body)
    assert "hunter2" not in str(sent.body)


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(envelope.PARTS), JSONS) | JSONS)
def test_nothing_that_is_sent_makes_reading_fail(given_: Any) -> None:
    envelope.read(given_, NOW)


PAIR = Demanded(
    facts=(Fact("order", "text"), Fact("amount", "number"), Fact("note", "text", needed=False), Fact("due", "time")),
    least=(("evidence", 1),),
    classes=("pii",),
)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, {"facts.order": "missing", "facts.amount": "missing", "facts.due": "missing"}),
        ({"facts": {"order": "A-1", "amount": 3, "due": "2026-11-24"}}, {}),
        ({"facts": {"order": " ", "amount": "3", "due": "x", "note": 1}}, "all wrong"),
        ({"facts": {"order": "A", "amount": 3.5, "due": "2026-11-24"}, "evidence": []}, {"evidence": "too_few"}),
        (
            {"facts": {"order": "A", "amount": 1, "due": "2026-11-24"}, "data_classes": ["pii", "card"]},
            {"data_classes": "not_allowed"},
        ),
    ],
)
def test_a_pair_may_need_more_than_the_common_shape(change: dict[str, Any], told: Any) -> None:
    sent, none = envelope.read(handed(**change), NOW)

    found = {fault.field: fault.kind for fault in demands.faults(sent, PAIR)}

    assert none == []
    if told == "all wrong":
        told = dict.fromkeys(("facts.order", "facts.amount", "facts.due", "facts.note"), "wrong_type")
    assert found == told


def test_what_is_demanded_is_stored_and_read_again() -> None:
    assert Demanded.of(Demand(body=PAIR.stored, version=0)) == PAIR
    assert Demanded().empty
    assert not PAIR.empty
