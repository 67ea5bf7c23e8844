"""What a run's page says was handed over: declared, or seen by telemetry, and each once."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from dashboard.run_shared import handed
from orchestration.handoffs.models import Envelope
from orchestration.workflows.fold import fold
from orchestration.workflows.story import Handoff, Story

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)


def envelope(sender_app: str, receiver_app: str) -> Envelope:
    return Envelope(
        id=uuid4(),
        sender="triage",
        sender_key="triage",
        sender_app=sender_app,
        receiver="billing",
        receiver_key="billing",
        receiver_app=receiver_app,
        sent_at=AT,
    )


def seen(*applications: str) -> Story:
    story = fold([])
    pairs = enumerate(applications, 1)
    story.handoffs = [Handoff(app, "triage", "till", "billing", at, "explicit", b"12345678") for at, app in pairs]
    return story


@pytest.mark.parametrize(
    ("sender_app", "receiver_app", "lines"),
    [("", "", 1), ("desk", "", 1), ("desk", "till", 1), ("shop", "", 2), ("desk", "shop", 2)],
)
def test_a_declared_handoff_stands_for_the_one_seen_between_the_same_agents(
    sender_app: str, receiver_app: str, lines: int
) -> None:
    assert len(handed(seen("Desk"), [envelope(sender_app, receiver_app)])) == lines


def test_what_was_handed_over_twice_and_declared_once_stands_there_twice() -> None:
    assert len(handed(seen("desk", "desk"), [envelope("", "")])) == 2
