"""Replays of a version over recorded decisions, or of a rule on signals over what was measured: asked for by people,
worked on by a process of their own, told as they go. The row is the truth; the message that wakes the worker may be
lost, and a worker may die.

1. start   a row; the same again while it is open is the same row, another one of that version takes its place
2. claim   waiting, or of a worker that has fallen silent
3. work    pages through `policies.replay`, or `signal_replay`; twice a second the row says how far it is, which is also
           how a worker learns that it was cancelled
4. done    the report, and its figures with the version, without which `lifecycle.publish` lets nothing pass
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from celery import current_app
from django.db import connection, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError as NoBroker

from orchestration.control import recorded, signal_replay
from orchestration.control.trouble import trouble
from orchestration.ledger import entries
from orchestration.lib.pulse import publish
from orchestration.policies import cel, live
from orchestration.policies.effects import BadEffect
from orchestration.policies.evaluate import Rule
from orchestration.policies.models import PolicyVersion, Progress, ReplayRun, Subject
from orchestration.policies.replay import Replay
from orchestration.policies.scopes import BadScope
from orchestration.policies.signal_rules import SignalRule
from orchestration.workspaces.models import User, Workspace

log = structlog.get_logger(__name__)

TASK = "orchestration.control.tasks.replay"
OPEN = (Progress.WAITING, Progress.RUNNING)
EACH_S = 0.5
SILENT_S = 20  # after which a worker counts as dead
TRIES = 3
KEPT = 5  # of a version; older ones are forgotten

each_beat: list[Callable[[], None]] = []  # what else is to be told, in this process, that the work goes on


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay came to. `kept`: with the version, `noted`: in the ledger."""

    looked_at: int
    report: dict[str, Any]
    kept: dict[str, Any]
    noted: dict[str, Any]


class Stopped(Exception):
    """The row is no longer ours: cancelled, its draft discarded, or another worker's."""


def start(
    workspace: Workspace,
    version: PolicyVersion,
    by: User | None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> ReplayRun:
    """The replay of what the version says now. The same one, if it is open already, is answered as it is."""
    with transaction.atomic():
        version = PolicyVersion.objects.select_for_update().get(pk=version.pk, policy__workspace=workspace)
        for run in ReplayRun.objects.filter(version=version, state__in=OPEN):
            if (run.digest, run.since, run.until) == (version.digest, since, until):
                return run
            cancel(run)
        run = ReplayRun.objects.create(
            workspace=workspace,
            version=version,
            digest=version.digest,
            body=version.body,
            since=since,
            until=until,
            started_by=by,
        )
        kept = list(ReplayRun.objects.filter(version=version).order_by("-asked_at").values_list("pk", flat=True)[:KEPT])
        ReplayRun.objects.filter(version=version).exclude(pk__in=kept).delete()
        transaction.on_commit(nudge)
    return run


def cancel(run: ReplayRun) -> bool:
    """False when it had ended."""
    ended = {"state": Progress.CANCELLED, "ended_at": timezone.now(), "worker": None}
    gone = bool(ReplayRun.objects.filter(pk=run.pk, state__in=OPEN).update(**ended))
    if gone:
        _tell(run)
    return gone


def latest(version: PolicyVersion) -> ReplayRun | None:
    return ReplayRun.objects.filter(version=version).order_by("-asked_at").first()


def nudge() -> None:
    """Wake the worker. Should that fail, the sweep does it."""
    try:
        current_app.send_task(TASK)
    except (NoBroker, OSError):
        log.info("replay_not_nudged")


def sweep() -> int:
    """The clock: wake the worker for rows that wait for one; returns how many."""
    waiting = ReplayRun.objects.filter(state=Progress.WAITING) | ReplayRun.objects.filter(
        state=Progress.RUNNING, beat_at__lt=timezone.now() - timedelta(seconds=SILENT_S)
    )
    if found := waiting.count():
        nudge()
    return found


def work() -> int:
    """Everything that waits, one after the other; returns how many were done."""
    done = 0
    while run := _claim():
        done += _work(run)
    return done


def _claim() -> ReplayRun | None:
    worker = uuid4()
    with connection.cursor() as cursor:
        cursor.execute(
            "update policies_replayrun set state = 'running', worker = %s, beat_at = now(), done = 0, "
            "begun_at = coalesce(begun_at, now()), tries = tries + 1 where id = (select id from policies_replayrun "
            f"where state = 'waiting' or state = 'running' and beat_at < now() - interval '{SILENT_S} s' "
            "order by asked_at limit 1 for update skip locked) returning id",
            [worker],
        )
        row = cursor.fetchone()
    return ReplayRun.objects.select_related("workspace", "version__policy").get(pk=row[0]) if row else None


def _work(run: ReplayRun) -> bool:
    if run.tries > TRIES:
        return _fail(run, f"Its worker died {TRIES} times.")
    try:
        of_signal = run.version.policy.subject == Subject.SIGNAL
        _finish(run, _over_readings(run) if of_signal else _over_decisions(run))
    except Stopped:
        return False
    except (cel.Invalid, BadScope, BadEffect, KeyError, ValueError) as error:
        return _fail(run, f"This version cannot be run: {error}")
    except Exception as error:
        if trouble(error) is not None:  # the database's, not ours: the row is taken up again
            raise
        log.exception("replay_failed", replay=str(run.pk))
        return _fail(run, "The replay broke off. The administrator's log says why.")
    return True


def _over_decisions(run: ReplayRun) -> Outcome:
    policy = run.version.policy
    book = live.book(run.workspace_id)
    draft = Rule.of(policy.pk, policy.slug, policy.name, run.version.number, run.body)
    replay = Replay(book.rules, draft, book.default)
    part = recorded.stretch(run.workspace_id, run.since, run.until)
    beat = _beat(run, part.total if part else 0)
    beat(0)
    if part:
        _feed(replay, part, beat)
    told = {
        "since": part.since.isoformat() if part else None,
        "until": part.until.isoformat() if part else None,
        "cut": part.cut if part else False,
        "most": recorded.MOST,
        "generation": book.generation,
        "version": run.version.number,
    }
    found = replay.finish()
    noted = {name: getattr(found, name) for name in ("decisions", "freed", "held", "changed")}
    return Outcome(found.decisions, found.told() | told, found.summary() | told, noted)


def _over_readings(run: ReplayRun) -> Outcome:
    policy = run.version.policy
    rule = SignalRule.of_body(policy.pk, policy.slug, policy.name, run.version.number, run.body)
    part = signal_replay.stretch(run.workspace_id, rule.signal, timezone.now())
    report = signal_replay.replay(run.workspace, rule, part, _beat(run, part.total))
    kept = {name: report[name] for name in ("since", "until", "readings", "episodes", "acts", "held_back", "cut")}
    noted = {name: report[name] for name in ("readings", "episodes", "acts", "held_back")}
    return Outcome(report["readings"], report, kept, noted)


def _feed(replay: Replay, part: recorded.Stretch, beat: Callable[[int], None]) -> None:
    if replay.looks_back and (earlier := recorded.before(part)):
        for page in recorded.pages(earlier):
            replay.warm(page)
            beat(0)
    done = 0
    for page in recorded.pages(part):
        for begin in range(0, len(page), 250):  # many slow rules: a page may take longer than a beat
            replay.feed(page[begin : begin + 250])
            beat(done + begin)
        done += len(page)


def _beat(run: ReplayRun, total: int) -> Callable[[int], None]:
    """Say how far it is, now and then. Raises Stopped when it is nobody's wish any more."""
    next_s = 0.0

    def beat(done: int) -> None:
        nonlocal next_s
        if (now := time.monotonic()) < next_s:
            return
        next_s = now + EACH_S
        for tell in each_beat:
            tell()
        _change(run, done=done, total=total, beat_at=timezone.now())
        _tell(run, done=done, total=total)

    return beat


def _finish(run: ReplayRun, came_to: Outcome) -> None:
    now = timezone.now()
    with transaction.atomic():
        mine = PolicyVersion.objects.select_for_update().filter(pk=run.version_id)  # first, as `start` does
        mine.update(replay=came_to.kept | {"replay": str(run.pk)}, replayed_at=now, replayed_digest=run.digest)
        _change(
            run,
            state=Progress.DONE,
            done=came_to.looked_at,
            total=came_to.looked_at,
            report=came_to.report,
            ended_at=now,
            worker=None,
        )
        _note(run, came_to.noted, now)
    _tell(run, state=Progress.DONE)


def _fail(run: ReplayRun, fault: str) -> bool:
    try:
        _change(run, state=Progress.FAILED, fault=fault[:300], ended_at=timezone.now(), worker=None)
    except Stopped:
        return False
    _tell(run, state=Progress.FAILED)
    return False


def _change(run: ReplayRun, **values: Any) -> None:
    mine = ReplayRun.objects.filter(pk=run.pk, state=Progress.RUNNING, worker=run.worker)
    if not mine.update(**values):
        raise Stopped


def _tell(run: ReplayRun, **more: Any) -> None:
    publish(run.workspace_id, "policy", {"replay": str(run.pk), **more})


def _note(run: ReplayRun, noted: dict[str, Any], now: datetime) -> None:
    policy = run.version.policy
    by = run.started_by.get_username() if run.started_by else ""
    told = {"policy": policy.slug, "version": run.version.number, "sha256": run.digest, **noted}
    subject = ("policy", str(policy.pk))
    entries.record(run.workspace_id, "policy.replayed", subject, f"person:{by}" if by else "baton", told, now)


def found(run_id: UUID, workspace: Workspace) -> ReplayRun | None:
    return ReplayRun.objects.filter(pk=run_id, workspace=workspace).select_related("version__policy").first()
