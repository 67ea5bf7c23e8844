"""Steps that nobody leases: a person is asked by a hold, an address is called by a signed webhook. Made in the
transaction that makes the step ready, so that each is asked or called once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction

from orchestration.holds import asking, haste
from orchestration.holds.asking import Asker, Question
from orchestration.holds.models import Answered, Hold, State
from orchestration.outbox import send
from orchestration.outbox.models import Endpoint, Message
from orchestration.outbox.models import State as Sent
from orchestration.telemetry.redaction import redact_attributes
from orchestration.workflows import engine
from orchestration.workflows.declared_models import Task, TaskState
from orchestration.workflows.engine import Done, Failed, Test
from orchestration.workflows.leases import LeaseId, described
from orchestration.workflows.moving import Moving

CALLED = "step.called"  # the event that an address is told of
OVER = (State.APPLIED, State.EXPIRED, State.CANCELLED)
EVIDENCE_CHARS = 2000
LOOK = timedelta(seconds=5)  # until it is looked again whether a hold whose time is over has ended


def hand_out(m: Moving, test: Test) -> None:
    """All that is ready, as far as one leads to the next."""
    while ready := [task for task in m.all_tasks if _is_mine(task, m)]:
        for task in ready:
            if _is_mine(task, m):
                _BY_OWNER[task.owner_kind](m, task, test)


def _is_mine(task: Task, m: Moving) -> bool:
    return task.state == TaskState.READY and task.owner_kind in _BY_OWNER and task.due_at <= m.at


def _begun(m: Moving, task: Task, state: TaskState, holder: str) -> None:
    limit_at = m.at + timedelta(seconds=task.time_limit_s)
    m.change(
        task,
        state=state,
        attempt=task.attempt + 1,
        fence=task.fence + 1,
        holder=holder,
        leased_at=m.at,
        due_at=limit_at,
        limit_at=limit_at,
    )
    m.tell_step(task, "started")


def _ask(m: Moving, task: Task, test: Test) -> None:
    step = m.plan.step(task.step)
    if step.ask is None:
        raise ValueError(f"step {step.id} asks a person nothing")
    _begun(m, task, TaskState.ASKED, "")
    question = Question(
        agent=m.plan.name,
        question=step.ask.question,
        proposal=step.ask.proposal,
        why=step.ask.why,
        evidence=_evidence(m, step.after),
        cost_of_waiting=step.ask.cost_of_waiting or "The run stands still until somebody answers.",
        reversible=step.ask.reversible,
        run=str(m.run.id),
        step=task.step,
        skill=task.owner,
        due_at=task.limit_at,
    )
    key = f"step {LeaseId(task.id, task.fence)}"
    asker = Asker(m.run.workspace_id, 0, key, hashlib.sha256(key.encode()).digest(), m.run.id, m.at)
    values, shown = asking.opening(question, asker)
    with connection.cursor() as cursor:
        cursor.execute(asking.OPEN, values)
    hold_id = UUID(shown["id"])
    m.change(task, hold_id=hold_id)
    # who does not answer in time says no, and the step has failed by its time limit
    Hold.objects.filter(workspace_id=m.run.workspace_id, pk=hold_id).update(on_timeout="reject")
    transaction.on_commit(haste.hasten)
    transaction.on_commit(send.hasten)


def _evidence(m: Moving, after: tuple[str, ...]) -> list[Any]:
    """What the run began with and what the steps before gave; without secrets, since people read it."""
    told = {"input": m.run.input} | {step: m.tasks[step].result for step in after}
    clean = redact_attributes(told)[0]
    return [
        {"kind": name, "text": orjson.dumps(value, default=str).decode()[:EVIDENCE_CHARS]}
        for name, value in clean.items()
        if value
    ]


def _call(m: Moving, task: Task, test: Test) -> None:
    endpoint = _endpoint(m.run.workspace_id, task.owner)
    if endpoint is None:
        task.attempt += 1
        engine.fail(m, task, Failed("undelivered", "The address that is to do it is not there any more."), test)
        return
    _begun(m, task, TaskState.CALLED, "")
    told = described(m, task)
    send.to(
        endpoint,
        CALLED,
        str(told.id),
        {
            "lease": str(told.id),
            "run": str(told.run),
            "workflow": told.workflow,
            "step": told.step,
            "name": told.name,
            "attempt": told.attempt,
            "key": told.key,
            "input": told.input,
            "results": told.results,
            "undo": told.undo,
            "limit_at": told.limit_at,
        },
    )


def _endpoint(workspace_id: int, text: str) -> Endpoint | None:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return None
    return Endpoint.objects.filter(workspace_id=workspace_id, pk=int(text)).first()


def answered(m: Moving, task: Task, test: Test) -> None:
    """A person has spoken, or will not any more."""
    found = Hold.objects.select_related("reviewer").filter(workspace_id=m.run.workspace_id)
    hold = found.filter(pk=task.hold_id).first() if task.hold_id else None
    if hold is not None and hold.state not in OVER:
        if task.due_at <= m.at:
            m.change(task, due_at=m.at + LOOK)
        return
    if hold is None or hold.state == State.CANCELLED:
        engine.fail(m, task, Failed("rejected", "The question was withdrawn."), test)
    elif hold.state == State.EXPIRED:
        engine.fail(m, task, Failed("timeout", "Nobody answered in time."), test)
    elif hold.verdict in (Answered.APPROVE, Answered.AMEND):
        who = hold.reviewer.get_username() if hold.reviewer else ""
        said = {"verdict": hold.verdict, "amend": hold.amend, "note": hold.note, "by": who}
        engine.finish(m, task, Done(said, by=f"person:{who}" if who else "baton"), test)
    else:
        error_class = "more" if hold.verdict == Answered.MORE else "rejected"
        engine.fail(m, task, Failed(error_class, hold.note or "A person said no."), test)


def undelivered(m: Moving, task: Task, test: Test) -> None:
    """The address did not take it, however often it was tried."""
    key = f"{CALLED} {LeaseId(task.id, task.fence)}"
    found = Message.objects.filter(workspace_id=m.run.workspace_id, key=key).first()
    if found is None or found.state == Sent.DEAD:
        engine.fail(m, task, Failed("undelivered", found.error if found else "It could not be sent."), test)


_BY_OWNER: dict[str, Callable[[Moving, Task, Test], None]] = {"human": _ask, "webhook": _call}
