"""What the agents of a run share, as its page shows it: facts, who has what in hand, what was handed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.urls import reverse

from dashboard.finding import Part
from orchestration.control.run_context import ASKS, Context, Fact
from orchestration.control.run_words import Words, said
from orchestration.handoffs.models import Claim, Envelope
from orchestration.lib.names import agent_key
from orchestration.lib.templatetags.baton import number, plural, seen_by
from orchestration.workflows.story import Handoff, Story

MOST = 12  # of each list; the API has all
VALUE_CHARS = 120
SHORT = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FactLine:
    key: str
    value: str
    tone: str  # of the dot: ok, or human where the same was fetched more than once
    note: str
    agent: str

    @property
    def short(self) -> bool:
        """It stands beside its name."""
        return 0 < len(self.value) <= SHORT


@dataclass(frozen=True, slots=True)
class Handed:
    """A handoff that was declared, or seen."""

    sender: str
    receiver: str
    at: datetime
    words: str
    href: str


@dataclass(frozen=True, slots=True)
class Shared:
    context: Context
    sentence: tuple[Part, ...]
    facts: list[FactLine]
    more: int  # facts that are not shown

    @property
    def in_hand(self) -> list[Claim]:
        """What the customer was asked stands elsewhere."""
        return [row for row in self.context.in_hand if not row.key.startswith(ASKS)]

    @property
    def count(self) -> int:
        return len(self.facts) + self.more


def shared(context: Context) -> Shared:
    lines = [_fact(each) for each in context.facts]
    return Shared(context, parts(context.words), lines[:MOST], max(0, len(lines) - MOST))


def parts(words: Words) -> tuple[Part, ...]:
    return tuple(Part(text, foreign=foreign) for text, foreign in words)


def _fact(fact: Fact) -> FactLine:
    value = "" if fact.result is None else said(fact.result)[:VALUE_CHARS]
    if fact.source == "claim":
        return FactLine(fact.key, value, "ok", "Fetched once, for all", fact.agent)
    if fact.times == 1:
        return FactLine(fact.key, "", "ok", "Fetched once", fact.agent)
    who = plural(fact.agents, "agent,agents")
    return FactLine(fact.key, "", "human" if fact.agents > 1 else "ok", f"{number(fact.times)} times", who)


def handed(story: Story, declared: Sequence[Envelope]) -> list[Handed]:
    """In the order of time. One that was declared is not shown again where telemetry saw it too: between agents of the
    same names, and of the same applications as far as they are known."""
    left = list(declared)
    found = [
        Handed(
            row.sender, row.receiver, row.sent_at, row.get_state_display(), reverse("dashboard:handoff", args=[row.pk])
        )
        for row in declared
    ]
    for each in story.handoffs:
        same = next((row for row in left if _same(row, each)), None)
        if same:
            left.remove(same)
            continue
        at = _EPOCH + timedelta(microseconds=each.at_ns // 1000)
        found.append(Handed(each.from_agent, each.to_agent, at, seen_by(each.rule), f"?span={each.span_id.hex()}#span"))
    return sorted(found, key=lambda line: line.at)


def _same(row: Envelope, seen: Handoff) -> bool:
    return (
        (row.sender_key, row.receiver_key) == (agent_key(seen.from_agent), agent_key(seen.to_agent))
        and row.sender_app in ("", seen.application.casefold())
        and row.receiver_app in ("", seen.to_application.casefold())
    )
