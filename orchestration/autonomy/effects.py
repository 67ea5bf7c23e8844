"""What each kind of action does, in the transaction that marks it as done: so that it is done once, or not at all.

What leaves the house does so as messages of the outbox: made here, and the action is done when they have arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from orchestration.autonomy import aims, coordinated, rerouting, verifying
from orchestration.autonomy.models import Action, Kind, Stop, Target
from orchestration.autonomy.stops import CANCELLED_FOR
from orchestration.holds.withdrawing import withdraw
from orchestration.outbox import own, send, sweep
from orchestration.outbox.models import Event, Message
from orchestration.outbox.models import State as Sent
from orchestration.workflows import anew
from orchestration.workflows.declared_models import DeclaredRun
from orchestration.workflows.models import Run, RunStatus

Names = Mapping[tuple[int, Target], Mapping[str, Iterable[str]]]  # by workspace and kind of target, and then its id
GOING_ON = (RunStatus.RUNNING, RunStatus.WAITING, RunStatus.STALLED)


class Impossible(Exception):
    """It cannot be done, however often it is tried, until somebody changes something. The text says what."""


@dataclass(frozen=True, slots=True)
class Effect:
    """`changed`: something is otherwise than before. `stops`: who may go on is. `waits`: it is on its way."""

    changed: bool
    told: dict[str, Any] = field(default_factory=dict)
    stops: bool = False
    waits: bool = False


ASKED_TOO = (Kind.PAUSE, Kind.RESUME, Kind.CANCEL, Kind.QUARANTINE, Kind.RELEASE)  # where an agent has an own address


def perform(action: Action, names: Names) -> Effect:
    """Raises Impossible."""
    effect = _PERFORM[action.kind](action, names)
    if effect.changed and action.kind in ASKED_TOO and (n := _tell_own(action, concerned(action))):
        return replace(effect, told={**effect.told, "asked": n})
    return effect


def concerned(action: Action) -> list[int]:
    """The agents that it is about: the one, or all of the run."""
    if action.target_kind == Target.AGENT:
        return [int(action.target)]
    if action.target_kind != Target.RUN:
        return []
    runs = Run.objects.filter(workspace_id=action.workspace_id, id=action.target)
    return [pk for agents in runs.values_list("agents", flat=True) for pk in agents]


def _tell_own(action: Action, agents: Sequence[int]) -> int:
    """At their own addresses; returns how many have one."""
    return own.tell(action.workspace_id, agents, Event.ACTION_ASKED.value, str(action.pk), told(action))


def answers(action: Action) -> list[dict[str, Any]] | None:
    """What receivers answered; None while a message is on its way."""
    event = Event.ACTION_NOTICE if action.kind == Kind.NOTIFY else Event.ACTION_ASKED
    return own.answers(action.workspace_id, f"{event.value} {action.pk}")


def names(actions: Sequence[Action]) -> Names:
    """What asks may call the targets by that these would stop, looked up once for all."""
    wanted: dict[tuple[int, Target], list[str]] = {}
    for action in actions:
        if action.kind in (Kind.QUARANTINE, Kind.PAUSE, Kind.CANCEL, Kind.SUPERVISE) and not action.waits:
            wanted.setdefault((action.workspace_id, Target(action.target_kind)), []).append(action.target)
    return {place: aims.names_of(*place, targets) for place, targets in wanted.items()}


def told(action: Action) -> dict[str, Any]:
    """As receivers and callers are told of it."""
    return {
        "id": str(action.pk),
        "kind": action.kind,
        "target": {"kind": action.target_kind, "id": action.target, "name": action.name},
        "reason": action.reason,
        "by": action.by,
        "cause": action.cause,
        "at": timezone.now(),
        "minutes": action.minutes,
        "undoes": str(action.undoes_id) if action.undoes_id else None,
        **action.told,
    }


def arrived(action: Action) -> bool | str:
    """Whether all that is on its way has arrived; why not, when something was given up."""
    if action.kind == Kind.VERIFY and not _lost(action):
        return verifying.answered(action)
    messages = list(_messages(action).values_list("state", "error"))
    lost = [error for state, error in messages if state == Sent.DEAD]
    if lost:
        return lost[0] or "It was not taken."
    return bool(messages) and all(state == Sent.DONE for state, _ in messages)


def again(action: Action) -> Effect | None:
    """What was sent and given up is sent once more; None where nothing was sent yet."""
    found = [sweep.retry(action.workspace_id, pk) for pk in _messages(action).values_list("pk", flat=True)]
    return Effect(True, action.result, waits=True) if found else None


def words_of(action: Action) -> str:
    """What an agent is told that asks meanwhile."""
    why = f": {action.reason.rstrip('.')}" if action.reason else ""
    said = {
        (Kind.QUARANTINE, Target.AGENT): f"{action.name} is quarantined{why}.",
        (Kind.SUPERVISE, Target.AGENT): f"{action.name} is supervised{why}. A person decides instead.",
        (Kind.PAUSE, Target.AGENT): f"{action.name} is paused{why}. Ask again later.",
        (Kind.PAUSE, Target.WORKFLOW): f"The workflow {action.name} is paused{why}. Ask again later.",
        (Kind.CANCEL, Target.RUN): f"This run was cancelled{why}. Stop working on it.",
    }
    return said[Kind(action.kind), Target(action.target_kind)]


def _stop(action: Action, names: Names) -> Effect:
    return _stopped(action, names, timezone.now() + timedelta(minutes=action.minutes) if action.minutes else None)


def _stopped(action: Action, names: Names, until: datetime | None) -> Effect:
    called = names[action.workspace_id, Target(action.target_kind)].get(action.target)
    if not called:
        raise Impossible(f"{action.name} is not there any more.")
    values: list[Any] = [action.workspace_id, action.kind, action.target_kind, action.target, sorted(called)]
    with connection.cursor() as cursor:
        cursor.execute(_STOP, [*values, words_of(action), action.pk, timezone.now(), until])
        if not cursor.rowcount:
            return Effect(False, {"was": "so before"})
    return Effect(True, {"until": until.isoformat(timespec="seconds") if until else None}, stops=True)


_STOP = (
    "insert into autonomy_stop (workspace_id, kind, target_kind, target, names, words, action_id, since, until) "
    "values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing"
)
_LIFTS = {Kind.RELEASE: Kind.QUARANTINE, Kind.RESUME: Kind.PAUSE, Kind.REOPEN: Kind.CANCEL, Kind.TRUST: Kind.SUPERVISE}


def _lift(action: Action, names: Names) -> Effect:
    """What was stopped may go on; the act that stopped it is `lifted`."""
    found = Stop.objects.filter(
        workspace_id=action.workspace_id,
        kind=_LIFTS[Kind(action.kind)],
        target_kind=action.target_kind,
        target=action.target,
    )
    if action.undoes_id and action.undoes and action.undoes.kind == _LIFTS[Kind(action.kind)]:
        found = found.filter(action=action.undoes_id)
    stop = found.select_for_update().first()
    if stop is None:
        return Effect(False, {"was": "not so any more"})
    Stop.objects.filter(pk=stop.pk).delete()
    return Effect(True, {"lifted": str(stop.action_id)}, stops=True)


def _cancel(action: Action, names: Names) -> Effect:
    """The run is over for Baton: marked, whoever asks for it is told so, and people are not asked about it any more."""
    runs = Run.objects.filter(workspace_id=action.workspace_id, id=action.target, merged_into=None)
    marked = {"status": RunStatus.CANCELLED, "cancelled_at": timezone.now()}
    declared = coordinated.cancel(action)
    if not runs.filter(status__in=GOING_ON).update(**marked) and not declared:
        return Effect(False, {"was": "over"})
    stopped = _stopped(action, names, timezone.now() + CANCELLED_FOR)
    called = names[action.workspace_id, Target.RUN].get(action.target, ())
    why = f"The run was cancelled: {action.reason}".rstrip(": ")
    withdrawn = withdraw(action.workspace_id, aims.uuid_of(action.target), list(called), why)
    return replace(stopped, told={**stopped.told, "withdrawn": withdrawn, "for_good": declared})


def _reopen(action: Action, names: Names) -> Effect:
    """Told again from its spans, so that it has the state it would have. Questions that were withdrawn with it stay
    so: an agent that goes on asks anew."""
    declared = DeclaredRun.objects.filter(workspace_id=action.workspace_id, id=aims.uuid_of(action.target))
    if declared.exists():
        raise Impossible("A run that Baton coordinates does not go on after it was cancelled: start it again.")
    runs = Run.objects.filter(workspace_id=action.workspace_id, id=action.target).exclude(cancelled_at=None)
    if not runs.update(cancelled_at=None, status=RunStatus.RUNNING):
        return Effect(False, {"was": "not cancelled"})
    with connection.cursor() as cursor:
        cursor.execute(
            "update workflows_trace set due_at = now() where workspace_id = %s and run_id = %s",
            [action.workspace_id, action.target],
        )
    return Effect(True, _lift(action, names).told, stops=True)


def _ask(action: Action, names: Names) -> Effect:
    """An agent is asked to try again, or to take back what it did: by signed webhook, with the action's id as the key
    by which it knows a second delivery. What Baton coordinates it does itself."""
    if action.target_kind == Target.MESSAGE:
        return _resend(action)
    if action.target_kind == Target.RUN and (m := coordinated.run_of(action)):
        try:
            return Effect(*(coordinated.retry if action.kind == Kind.RETRY else coordinated.undo)(action, m))
        except anew.Refused as error:
            raise Impossible(str(error)) from error
    sent = _tell_own(action, concerned(action))
    sent = sent or send.announce(action.workspace_id, Event.ACTION_ASKED.value, str(action.pk), told(action))
    if not sent:
        raise Impossible("Nobody takes it: no webhook is told when an agent is asked for something.")
    return Effect(True, {"receivers": sent}, waits=True)


def _verify(action: Action, names: Names) -> Effect:
    """A person is asked in the inbox, or another agent at its own address."""
    if not (by := verifying.by_whom(action)):
        verifying.ask_person(action)
        return Effect(True, {"receivers": 1}, waits=True)
    asked = {"question": verifying.question_of(action), "evidence": verifying.evidence_of(action)}
    agents = verifying.asked_agents(action)
    if own.tell(action.workspace_id, agents, Event.ACTION_ASKED.value, str(action.pk), told(action) | asked):
        return Effect(True, {"receivers": 1}, waits=True)
    raise Impossible(f"{by} cannot be asked: no agent of this name has an address of its own.")


def _lost(action: Action) -> bool:
    return bool(_messages(action).filter(state=Sent.DEAD).exists())


def _resend(action: Action) -> Effect:
    sent = sweep.retry(action.workspace_id, aims.uuid_of(action.target))
    return Effect(bool(sent), {} if sent else {"was": "not waiting to be sent"}, waits=bool(sent))


def _notify(action: Action, names: Names) -> Effect:
    sent = send.announce(action.workspace_id, Event.ACTION_NOTICE.value, str(action.pk), told(action))
    if not sent:
        raise Impossible("Nobody takes it: no webhook and no mail address is told what people have to know.")
    return Effect(True, {"receivers": sent}, waits=True)


def _moved(action: Action, go: Callable[[Action], dict[str, Any] | str]) -> Effect:
    """Work goes to another agent, or back; a text says why nothing was changed."""
    try:
        told = go(action)
    except rerouting.Nobody as error:
        raise Impossible(str(error)) from error
    return Effect(False, {"was": told}) if isinstance(told, str) else Effect(True, told, stops=True)


def _messages(action: Action) -> Any:
    found = Message.objects.filter(workspace_id=action.workspace_id)
    if action.target_kind == Target.MESSAGE:
        return found.filter(pk=action.target)
    event = Event.ACTION_NOTICE if action.kind == Kind.NOTIFY else Event.ACTION_ASKED
    return found.filter(key=f"{event.value} {action.pk}")


_PERFORM: Mapping[str, Callable[[Action, Names], Effect]] = {
    Kind.QUARANTINE: _stop,
    Kind.RELEASE: _lift,
    Kind.PAUSE: _stop,
    Kind.RESUME: _lift,
    Kind.SUPERVISE: _stop,
    Kind.TRUST: _lift,
    Kind.CANCEL: _cancel,
    Kind.REOPEN: _reopen,
    Kind.RETRY: _ask,
    Kind.COMPENSATE: _ask,
    Kind.NOTIFY: _notify,
    Kind.VERIFY: _verify,
    Kind.REROUTE: lambda action, names: _moved(action, rerouting.move),
    Kind.RESTORE: lambda action, names: _moved(action, rerouting.restore),
}
