"""Holds that Baton answers itself, as a person answered others like them. Nobody waits to take it back: it takes effect
with its commit. Whether it may is for whoever calls (`escalations.answering`); what was answered so is nobody's
verdict, and neither counted nor learnt from as one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from orchestration.holds.models import Answered, Hold, State
from orchestration.holds.telling import BY_BATON, Word, note, show, tell_agents, tell_decisions
from orchestration.outbox.models import Event

SPEAKING = (Answered.APPROVE, Answered.REJECT)


@dataclass(frozen=True, slots=True)
class Before:
    """What is said of some holds, after which precedent; `words` go to the agent."""

    precedent: UUID
    answer: Answered
    words: str


@transaction.atomic
def answer(workspace_id: int, asked: Mapping[UUID, Before], now: datetime) -> set[UUID]:
    """Returns those that were still open, one person's to decide, and nobody's at this moment."""
    locked = Hold.objects.select_for_update(skip_locked=True, of=("self",)).filter(
        workspace_id=workspace_id, pk__in=list(asked), state=State.OPEN, people=1, first__isnull=True
    )
    free = set(locked.order_by("pk").values_list("pk", flat=True))
    for said in set(asked.values()):
        if said.answer in SPEAKING:
            _answered([pk for pk in free if asked[pk] == said], said, now)
    found = list(Hold.objects.filter(pk__in=free).order_by("pk"))
    note(found, "verdict", "", now)
    tell_decisions([_word(hold) for hold in found if hold.decision_id])
    tell_agents(found, Event.HOLD_APPLIED)
    if found:
        show(workspace_id)
    return free


def _answered(ids: list[UUID], said: Before, now: datetime) -> None:
    Hold.objects.filter(pk__in=ids).update(
        state=State.APPLIED,
        revision=F("revision") + 1,
        verdict=said.answer,
        note=said.words[:2000],
        precedent_id=said.precedent,
        decided_at=now,
        applied_at=now,
    )


def _word(hold: Hold) -> Word:
    """No verdict stands with the decision: nobody gave one."""
    decision_id = hold.decision_id or hold.pk
    refused = hold.verdict == Answered.REJECT
    return Word(hold.workspace_id, decision_id, "", BY_BATON, None, refused=refused)
