"""Triggers of declared workflows at work. An occurrence is a row first, with a key that only it has; the run is started
by that row's own key, in one transaction with what is told of it. So each starts one run, whatever dies in between.

1. clock    schedules that are due: the newest time is to be started, those before it were missed, and that is told
2. rules    episodes of rules on signals that have begun
3. ends     runs that have ended: noted where they are settled (`note`), when a trigger waits for that workflow
4. start    what is to be started, oldest first; not what a circle of triggers led to, nor more within an hour than the
            trigger may
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import structlog
from django.db import OperationalError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from orchestration.autonomy.models import Episode
from orchestration.control import driving
from orchestration.workflows import arming, triggers
from orchestration.workflows.declared import live
from orchestration.workflows.starting import KeyUsed, Start
from orchestration.workflows.story import Story
from orchestration.workflows.trigger_models import Firing, FiringState, WorkflowTrigger

LATE = timedelta(minutes=5)  # after which a time of a schedule was missed
OLD = timedelta(minutes=15)  # what ended longer ago when it is told is history, and starts nothing
FRESH_S = 5.0  # for which a process believes to know who waits for ends of runs
AT_ONCE = 200
DEEP = 5  # triggers in a row, after which something goes in a circle
HOUR = timedelta(hours=1)
ENGINE = "baton:triggers"

log = structlog.get_logger(__name__)
_awaited: dict[int, tuple[float, Mapping[str, list[tuple[UUID, str, datetime]]]]] = {}


class Told(Protocol):
    """A run as told in this round."""

    story: Story
    run_id: UUID | None


@dataclass(frozen=True, slots=True)
class Found:
    """Something that happened, once: `key` is its own."""

    trigger: UUID
    key: str
    at: datetime
    told: Mapping[str, Any]


def sweep() -> int:
    """How many runs were started. Two sweeps pass over each other's."""
    now = timezone.now()
    for pk in WorkflowTrigger.objects.filter(next_at__lte=now).values_list("pk", flat=True)[:AT_ONCE]:
        _clock(pk, now)
    _rules()
    return sum(
        _start(pk)
        for pk in Firing.objects.filter(state="waiting").order_by("at").values_list("pk", flat=True)[:AT_ONCE]
    )


def note(workspace_id: int, told: Sequence[Told]) -> None:
    """Of runs that were told just now those whose end a trigger waits for; in the transaction that runs."""
    waited = _waited(workspace_id)
    if waited:
        _write(workspace_id, list(_ends(waited, told)))


def _ends(waited: Mapping[str, list[tuple[UUID, str, datetime]]], told: Sequence[Told]) -> Iterator[Found]:
    for one in told:
        story = one.story
        for trigger, ends, since in waited.get(story.workflow, ()) if one.run_id else ():
            at = datetime.fromtimestamp(story.ended_ns / 1e9, tz=UTC)
            if story.status in _STATUSES[ends] and at >= since and at >= timezone.now() - OLD:
                what = {"on": "run", "run": str(one.run_id), "workflow": story.workflow, "status": story.status}
                yield Found(trigger, f"run {one.run_id}", at, what)


_STATUSES = {"completed": ("completed",), "failed": ("failed",), "either": ("completed", "failed")}


def _waited(workspace_id: int) -> Mapping[str, list[tuple[UUID, str, datetime]]]:
    """By workflow, the triggers that wait for ends of its runs. Seldom asked for: it stands in the way of digesting."""
    known = _awaited.get(workspace_id)
    if known and known[0] > time.monotonic():
        return known[1]
    found: dict[str, list[tuple[UUID, str, datetime]]] = {}
    mine = WorkflowTrigger.objects.filter(workspace_id=workspace_id, on="run", live=True, paused_at=None)
    for pk, body, since in mine.values_list("pk", "body", "since"):
        found.setdefault(body["workflow"], []).append((pk, body["ends"], since))
    _awaited[workspace_id] = time.monotonic() + FRESH_S, found
    return found


def forget() -> None:
    """Empty the memory, between tests."""
    _awaited.clear()


def _clock(trigger_id: UUID, now: datetime) -> None:
    with transaction.atomic():
        rows = WorkflowTrigger.objects.select_for_update(skip_locked=True, of=("self",)).select_related("definition")
        row = rows.filter(pk=trigger_id, next_at__lte=now).first()
        if row is None or row.next_at is None:
            return
        trigger = arming.of(row)
        times = triggers.due(trigger, row.next_at, now)
        if trigger.missed == "start" or now - times[-1] <= LATE:
            at = times.pop()
            told = {"on": "schedule", "due_at": at.isoformat()}
            _write(row.workspace_id, [Found(row.pk, at.isoformat(), at, told)])
        if times:
            _missed(row, times)
        row.next_at = triggers.first_after(trigger, now)
        row.save(update_fields=["next_at"])


def _missed(row: WorkflowTrigger, times: Sequence[datetime]) -> None:
    told = {"count": len(times), "first": times[0].isoformat(), "last": times[-1].isoformat()}
    Firing.objects.get_or_create(
        trigger=row,
        occurrence=f"missed {times[0].isoformat()}",
        defaults={
            "workspace_id": row.workspace_id,
            "state": FiringState.MISSED,
            "due_at": times[0],
            "until": times[-1],
            "count": len(times),
            "error": "Baton was not running then.",
        },
    )
    arming.note(row, "trigger_missed", ENGINE, told)


def _rules() -> None:
    mine = WorkflowTrigger.objects.filter(on="rule", live=True, paused_at=None)
    for pk, workspace_id, body, since in mine.values_list("pk", "workspace_id", "body", "since"):
        began = Episode.objects.filter(workspace_id=workspace_id, policy__slug=body["rule"], shadow=False)
        began = began.filter(began_at__gte=max(since, timezone.now() - OLD)).order_by("began_at")[:AT_ONCE]
        _write(workspace_id, [Found(pk, f"episode {each.pk}", each.began_at, _of_rule(body, each)) for each in began])


def _of_rule(body: Mapping[str, Any], each: Episode) -> dict[str, Any]:
    return {"on": "rule", "rule": body["rule"], "signal": each.signal, "of": each.target_kind, "name": each.name}


def _write(workspace_id: int, found: Sequence[Found]) -> None:
    rows = [
        Firing(workspace_id=workspace_id, trigger_id=each.trigger, occurrence=each.key, due_at=each.at, told=each.told)
        for each in found
    ]
    Firing.objects.bulk_create(rows, ignore_conflicts=True)


def _start(firing_id: UUID) -> int:
    with transaction.atomic():
        # the trigger too: what it has started is counted by one at a time
        rows = Firing.objects.select_for_update(skip_locked=True, of=("self", "trigger"), no_key=True)
        firing = rows.select_related("trigger__definition").filter(pk=firing_id, state=FiringState.WAITING).first()
        if firing is None:
            return 0
        firing.depth = _depth(firing)
        error = _refused(firing)
        limit = "" if error else _limited(firing)
        if not error and not limit:
            firing.run_id, error = _begin(firing)
        firing.state = FiringState.LIMITED if limit else FiringState.REFUSED if error else FiringState.STARTED
        firing.error, firing.at = (error or limit)[:400], timezone.now()
        _note(firing)
        firing.save(update_fields=["state", "run_id", "error", "depth", "at"])
    return int(firing.state == FiringState.STARTED)


_KINDS = {
    FiringState.STARTED: "triggered",
    FiringState.REFUSED: "trigger_refused",
    FiringState.LIMITED: "trigger_limited",
}


def _note(firing: Firing) -> None:
    """That a trigger is over its limit is told once an hour: whatever floods it is not to flood the ledger."""
    if firing.state == FiringState.LIMITED and _lately(firing, FiringState.LIMITED).exists():
        return
    told = {"occurrence": firing.occurrence, "run": str(firing.run_id or ""), "error": firing.error}
    arming.note(firing.trigger, _KINDS[FiringState(firing.state)], ENGINE, told)


def _lately(firing: Firing, state: FiringState) -> QuerySet[Firing]:
    return Firing.objects.filter(trigger=firing.trigger, state=state, at__gt=timezone.now() - HOUR)


def _limited(firing: Firing) -> str:
    most = arming.of(firing.trigger).most_an_hour
    if _lately(firing, FiringState.STARTED)[:most].count() < most:
        return ""
    return f"It has started {most:,} runs within the hour, as many as it may: what happens meanwhile starts nothing."


def _begin(firing: Firing) -> tuple[UUID | None, str]:
    """The run, or why there is none."""
    row = firing.trigger
    given = {**arming.of(row).input, "trigger": firing.told}
    wanted = Start(f"trigger:{row.pk}", given, triggers.words(arming.of(row)), f"trigger {firing.pk}")
    try:
        with transaction.atomic():
            return driving.start(row.workspace_id, row.definition.name, wanted)[0].id, ""
    except (driving.Unknown, KeyUsed) as error:
        return None, str(error)
    except OperationalError:
        raise  # the database, and not this trigger
    except Exception:
        log.exception("trigger_cannot_start", workspace=row.workspace_id, trigger=str(row.pk))
        return None, "The run could not be started; the log says why."


def _depth(firing: Firing) -> int:
    """One more than that of the firing which started the run that this one follows."""
    told = firing.told.get("run")
    if not told:
        return 1
    before = Firing.objects.filter(workspace_id=firing.workspace_id, run_id=told).values_list("depth", flat=True)
    return 1 + (before.first() or 0)


def _refused(firing: Firing) -> str:
    row = firing.trigger
    if not row.live or live(row.workspace_id, row.definition.name) is None:
        return "Its workflow was retired, or does not say so any more."
    if row.paused_at:
        return "It was paused meanwhile."
    if firing.depth > DEEP:
        return f"More than {DEEP} triggers in a row led to this: workflows start each other in a circle."
    return ""
