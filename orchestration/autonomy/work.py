"""Carries actions out.

1. claim    what is due, so many at once, locked: what another worker holds is passed over
2. perform  each in a savepoint of its own, so that one that fails takes no other with it
3. mark     done, on its way, to be tried again, or given up; with its receipt and who is told
4. renew    once, if who may go on has changed

All of it commits together: a worker that is killed leaves everything as it was, and the sweep begins anew. What is on
its way is a message of the outbox, which knows its receiver by the same id at every try.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import OperationalError, transaction
from django.utils import timezone

from orchestration.autonomy import effects, receipts, stops
from orchestration.autonomy.aims import Aim
from orchestration.autonomy.effects import Impossible, Names
from orchestration.autonomy.models import OPEN, Action, Cause, Kind, State, Stop, Target
from orchestration.autonomy.ordering import INVERSE, Wish, order
from orchestration.ledger.entries import Draft
from orchestration.lib.pulse import publish
from orchestration.outbox.models import Event
from orchestration.outbox.send import announce_all
from orchestration.outbox.send import hasten as hasten_messages
from orchestration.routing.models import Move

log = structlog.get_logger(__name__)

AT_ONCE = 50
BUDGET_S = 20.0  # after which a task claims no more
PAUSES_S = (2, 10, 60, 300, 1800)  # before each further try
LOOK_S = 2.0  # how often it is looked whether something has arrived, and ever more seldom
LOOK_MOST_S = 60.0
TOPICS = {Target.AGENT: "agent", Target.WORKFLOW: "run", Target.RUN: "run"}


def carry_out(budget_s: float = BUDGET_S) -> int:
    """What is due; returns how many were tried."""
    end_stops()
    end_moves()
    tried, until = 0, time.monotonic() + budget_s
    while time.monotonic() < until:
        done = _round(None)
        tried += done
        if done < AT_ONCE:
            break
    note_answers()
    return tried


@transaction.atomic
def note_answers() -> int:
    """What agents answered, at their own addresses, to what was done already."""
    done = Action.objects.select_for_update(skip_locked=True).filter(state=State.DONE, waits=True)
    due = list(done.filter(due_at__lte=timezone.now()).order_by("due_at")[:AT_ONCE])
    for action in due:
        found = effects.answers(action)
        action.waits, action.due_at = found is None, timezone.now() + timedelta(seconds=LOOK_S)
        action.result = action.result if found is None else {**action.result, "answers": found}
    Action.objects.bulk_update(due, ("waits", "due_at", "result"))
    return len(due)


def carry_out_one(action: Action) -> Action:
    """This one now, by whoever waits for it; if another has it, it is as that one leaves it."""
    if action.state == State.QUEUED:
        _round(action.pk)
        action.refresh_from_db()
    return action


def end_stops() -> int:
    """What was to last only so long is over: by an act like any other."""
    over = Stop.objects.filter(until__lte=timezone.now()).select_related("action")
    for stop in over.exclude(kind=Kind.CANCEL)[:AT_ONCE]:
        wish = Wish(
            INVERSE[stop.kind], receipts.BATON, f"until:{stop.action_id}", "Its time was over.", cause=Cause.RULE
        )
        order(stop.workspace_id, wish, Aim(Target(stop.target_kind), stop.target, stop.action.name), undoes=stop.action)
    return int(over.filter(kind=Kind.CANCEL).delete()[0])  # such runs are long over; nobody is told anything


def end_moves() -> None:
    """Work that was to be done by another only so long goes back."""
    over = Move.objects.filter(until__lte=timezone.now()).select_related("agent")
    for move in over[:AT_ONCE]:
        moved = Action.objects.filter(workspace_id=move.workspace_id, pk=move.action).first()
        wish = Wish(Kind.RESTORE, receipts.BATON, f"until:{move.action}", "Its time was over.", cause=Cause.RULE)
        order(move.workspace_id, wish, Aim(Target.AGENT, str(move.agent_id), move.agent.name), undoes=moved)


@dataclass(slots=True)
class _Round:
    """What is written once for all that were tried together."""

    names: Names
    tried: list[Action] = field(default_factory=list)
    receipts: list[Draft] = field(default_factory=list)
    told: dict[int, dict[str, dict[str, Any]]] = field(default_factory=dict)
    lifted: list[str] = field(default_factory=list)

    def note(self, action: Action, step: str, more: Mapping[str, Any]) -> None:
        self.receipts.append(receipts.draft(action, step, receipts.BATON, timezone.now(), more))

    def write(self) -> None:
        Action.objects.bulk_update(self.tried, _MARKS)
        if self.lifted:
            Action.objects.filter(pk__in=self.lifted, state=State.DONE).update(state=State.UNDONE)
        receipts.note_all(self.receipts)
        for workspace_id, told in self.told.items():
            announce_all(workspace_id, Event.ACTION_DONE.value, told)


_MARKS = ("state", "waits", "fence", "due_at", "ended_at", "result", "error", "attempts", "started_at")


def _round(only: UUID | None) -> int:
    touched: set[tuple[int, str]] = set()
    with transaction.atomic():
        claimed = _claim(only)
        if claimed:
            together = _Round(effects.names(claimed))
            changed = {action.workspace_id for action in claimed if _one(action, together)}
            together.write()
            if changed:
                stops.renew(sorted(changed))
        touched = {(action.workspace_id, TOPICS.get(Target(action.target_kind), "agent")) for action in claimed}
    for workspace_id, topic in touched:
        publish(workspace_id, topic)
    return len(claimed)


def _claim(only: UUID | None) -> list[Action]:
    due = Action.objects.select_for_update(skip_locked=True, of=("self",)).select_related("undoes")
    if only is not None:
        return list(due.filter(pk=only, state=State.QUEUED))
    return list(due.filter(state__in=OPEN, due_at__lte=timezone.now()).order_by("due_at")[:AT_ONCE])


def _one(action: Action, together: _Round) -> bool:
    """Perform and mark one; whether who may go on has changed."""
    together.tried.append(action)
    if action.waits:
        _look(action, together)
        return False
    action.attempts += 1
    action.started_at = action.started_at or timezone.now()
    try:
        with transaction.atomic():
            effect = effects.again(action) or effects.perform(action, together.names)
    except Impossible as error:
        _give_up(action, together, str(error))
    except OperationalError:
        raise  # the database, and not this action: all of it is tried again
    except Exception as error:
        log.exception("action_failed", action=str(action.pk), kind=action.kind)
        _failed(action, together, f"Baton could not do it ({type(error).__name__}).")
    else:
        action.result = {"changed": effect.changed, **effect.told}
        if effect.waits:
            _mark(action, State.RUNNING, timezone.now() + timedelta(seconds=LOOK_S), waits=True)
            transaction.on_commit(hasten_messages)
        else:
            _done(action, together)
        return effect.stops
    return False


def _done(action: Action, together: _Round) -> None:
    if action.waits and (answers := effects.answers(action)):
        action.result = {**action.result, "answers": answers}
    asked = bool(action.result.get("asked"))
    _mark(action, State.DONE, timezone.now() + timedelta(seconds=LOOK_S) if asked else None, waits=asked)
    if asked:
        transaction.on_commit(hasten_messages)
    changed = bool(action.result.get("changed"))
    together.note(action, "done", {"changed": changed})
    if not changed:
        return
    if lifted := action.result.get("lifted"):
        together.lifted += action.result.get("lifted_all") or [lifted]
    if action.undoes_id:
        together.lifted.append(str(action.undoes_id))
    if action.kind not in (Kind.RETRY, Kind.COMPENSATE, Kind.NOTIFY, Kind.VERIFY):
        together.told.setdefault(action.workspace_id, {})[str(action.pk)] = effects.told(action)


def _look(action: Action, together: _Round) -> None:
    """Whether what is on its way has arrived."""
    found = effects.arrived(action)
    if found is True:
        _done(action, together)
    elif found is False:
        age = (timezone.now() - action.created_at).total_seconds()
        wait = max(LOOK_S, min(age / 20, LOOK_MOST_S)) * random.uniform(1, 1.5)  # noqa: S311  not a secret
        action.due_at = timezone.now() + timedelta(seconds=wait)
    else:
        _give_up(action, together, str(found))


def _failed(action: Action, together: _Round, error: str) -> None:
    if action.attempts > len(PAUSES_S):
        _give_up(action, together, error)
        return
    pause = PAUSES_S[action.attempts - 1] * random.uniform(0.8, 1.2)  # noqa: S311  not a secret
    _mark(action, State.FAILED, timezone.now() + timedelta(seconds=pause), error=error)
    together.note(action, "failed", {"error": error})


def _give_up(action: Action, together: _Round, error: str) -> None:
    _mark(action, State.DEAD, error=error[:300])
    together.note(action, "given_up", {"error": action.error})


def _mark(
    action: Action, state: State, due_at: datetime | None = None, *, waits: bool = False, error: str = ""
) -> None:
    """In memory: the row is locked, and written with those of the round."""
    action.state, action.waits, action.error, action.fence = state, waits, error, action.fence + 1
    action.due_at = due_at or action.due_at
    action.ended_at = timezone.now() if state in (State.DONE, State.DEAD) else None
