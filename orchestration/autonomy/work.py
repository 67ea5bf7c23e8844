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
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import OperationalError, transaction
from django.utils import timezone

from orchestration.autonomy import effects, receipts, stops
from orchestration.autonomy.aims import Aim
from orchestration.autonomy.effects import Effect, Impossible
from orchestration.autonomy.models import OPEN, Action, Cause, Kind, State, Stop, Target
from orchestration.autonomy.ordering import Wish, order
from orchestration.lib.pulse import publish
from orchestration.outbox.send import hasten as hasten_messages

log = structlog.get_logger(__name__)

AT_ONCE = 50
BUDGET_S = 20.0  # after which a task claims no more
PAUSES_S = (2, 10, 60, 300, 1800)  # before each further try
LOOK_S = 2.0  # how often it is looked whether something has arrived
TOPICS = {Target.AGENT: "agent", Target.WORKFLOW: "run", Target.RUN: "run"}


def carry_out(budget_s: float = BUDGET_S) -> int:
    """What is due; returns how many were tried."""
    end_stops()
    tried, until = 0, time.monotonic() + budget_s
    while time.monotonic() < until:
        done = _round(None)
        tried += done
        if done < AT_ONCE:
            break
    return tried


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
        kind = Kind.RELEASE if stop.kind == Kind.QUARANTINE else Kind.RESUME
        wish = Wish(kind, receipts.BATON, f"until:{stop.action_id}", "Its time was over.", cause=Cause.RULE)
        order(stop.workspace_id, wish, Aim(Target(stop.target_kind), stop.target, stop.action.name), undoes=stop.action)
    return int(over.filter(kind=Kind.CANCEL).delete()[0])  # such runs are long over; nobody is told anything


def _round(only: UUID | None) -> int:
    touched: set[tuple[int, str]] = set()
    with transaction.atomic():
        claimed = _claim(only)
        changed = {action.workspace_id for action in claimed if _one(action)}
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


def _one(action: Action) -> bool:
    """Perform and mark one; whether who may go on has changed."""
    if action.waits:
        _look(action)
        return False
    action.attempts += 1
    action.started_at = action.started_at or timezone.now()
    try:
        with transaction.atomic():
            effect = effects.again(action) or effects.perform(action)
            _mark_done(action, effect)
            return effect.stops
    except Impossible as error:
        _give_up(action, str(error))
    except OperationalError:
        raise  # the database, and not this action: all of it is tried again
    except Exception as error:
        log.exception("action_failed", action=str(action.pk), kind=action.kind)
        _failed(action, f"Baton could not do it ({type(error).__name__}).")
    return False


def _mark_done(action: Action, effect: Effect) -> None:
    action.result = {"changed": effect.changed, **effect.told}
    if effect.waits:
        _save(action, State.RUNNING, timezone.now() + timedelta(seconds=LOOK_S), waits=True)
        transaction.on_commit(hasten_messages)
        return
    _done(action)


def _done(action: Action) -> None:
    _save(action, State.DONE)
    told = {"changed": bool(action.result.get("changed"))}
    receipts.note(action, "done", receipts.BATON, timezone.now(), told)
    if action.undoes_id and told["changed"]:
        Action.objects.filter(pk=action.undoes_id, state=State.DONE).update(state=State.UNDONE)
    if told["changed"] and action.kind not in (Kind.RETRY, Kind.COMPENSATE, Kind.NOTIFY):
        effects.announce(action)


def _look(action: Action) -> None:
    """Whether what is on its way has arrived."""
    found = effects.arrived(action)
    if found is True:
        _done(action)
    elif found is False:
        wait = timedelta(seconds=LOOK_S * random.uniform(1, 1.5))  # noqa: S311  not a secret
        Action.objects.filter(pk=action.pk).update(due_at=timezone.now() + wait)
    else:
        _give_up(action, str(found))


def _failed(action: Action, error: str) -> None:
    if action.attempts > len(PAUSES_S):
        _give_up(action, error)
        return
    pause = PAUSES_S[action.attempts - 1] * random.uniform(0.8, 1.2)  # noqa: S311  not a secret
    action.error = error
    _save(action, State.FAILED, timezone.now() + timedelta(seconds=pause))
    receipts.note(action, "failed", receipts.BATON, timezone.now(), {"error": error})


def _give_up(action: Action, error: str) -> None:
    action.error = error[:300]
    _save(action, State.DEAD)
    receipts.note(action, "given_up", receipts.BATON, timezone.now(), {"error": action.error})


def _save(action: Action, state: State, due_at: datetime | None = None, *, waits: bool = False) -> None:
    """The row is locked by who saves it."""
    ended = state in (State.DONE, State.DEAD)
    action.state, action.waits, action.fence = state, waits, action.fence + 1
    action.due_at = due_at or action.due_at
    action.ended_at = timezone.now() if ended else None
    if state in (State.DONE, State.RUNNING):
        action.error = ""
    names: Iterable[str] = (
        "state",
        "waits",
        "fence",
        "due_at",
        "ended_at",
        "result",
        "error",
        "attempts",
        "started_at",
    )
    action.save(update_fields=names)
