"""What a declared run tells of itself: to pages and figures by the door that `/api/v1/events` feeds, as a delivery in
the transaction of its cause; and to the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from django.db import transaction
from uuid_utils.compat import uuid7

from orchestration.ledger import entries
from orchestration.ledger.entries import Draft
from orchestration.lib.nudge import Nudge
from orchestration.telemetry.models import Signal
from orchestration.workflows.declared_models import DeclaredRun, Task

ENGINE = "baton:workflows"
OWN = "baton.engine"  # attribute of a run that Baton moves on itself
_KINDS = {"human": "human", "agent": "agent", "skill": "agent", "webhook": "other"}
# part of a statement, or one by itself
DELIVER = """
insert into telemetry_delivery (workspace_id, id, key, signal, encoding, compression, items, received_at, body)
select %(place)s, %(delivery)s, null::int, %(signal)s, 'json', '', %(items)s, %(at)s, %(body)s where %(items)s > 0
"""
_nudge = Nudge("orchestration.control.tasks.digest")


def parcel(place: int, events: Sequence[Mapping[str, Any]], at: datetime) -> dict[str, Any]:
    """Values of `DELIVER`: events as anybody else sends them; the digest makes the run and its steps of them."""
    told = {"place": place, "delivery": uuid7(), "signal": Signal.EVENTS.value, "items": len(events), "at": at}
    return told | {"body": orjson.dumps({"events": events})}


def hasten() -> None:
    """The digest looks as soon as what was told is committed."""
    transaction.on_commit(_nudge.want)


def of_run(run: DeclaredRun, what: str, at: datetime, error: str = "") -> dict[str, Any]:
    """`what`: started | finished | failed | reopened. Its end is the engine's own word, which no step outweighs."""
    told: dict[str, Any] = {"type": f"run.{what}", "run": str(run.id), "workflow": run.workflow, "at": at.isoformat()}
    told["attributes"] = {OWN: True}
    if what == "started":
        told["name"] = run.title or run.workflow
    return told | ({"error": error} if error else {})


def of_step(task: Task, name: str, what: str, at: datetime, error: str = "") -> dict[str, Any]:
    """Of one attempt. `what`: started | finished | failed."""
    key = f"{task.step} undone {task.undoes}" if task.undoes else task.step
    return {
        "type": f"step.{what}",
        "run": str(task.run_id),
        "step": f"{key} #{task.attempt}"[-200:] if task.attempt > 1 else key[-200:],
        "workflow": task.workflow,
        "agent": task.holder or None,
        "kind": _KINDS[task.owner_kind],
        "name": f"undo {name}" if task.undoes else name,
        "at": at.isoformat(),
        "error": error or None,
        "attributes": {"baton.step": task.step, "baton.attempt": task.attempt},
    }


def entry(run: DeclaredRun, kind: str, actor: str, at: datetime, more: Mapping[str, Any] | None = None) -> Draft:
    told = {"workflow": run.workflow, "version": str(run.version_id), **(more or {})}
    return entries.draft(run.workspace_id, kind, ("run", str(run.id)), actor, told, at)


def hashed(value: Any) -> str:
    """Stands in the ledger for data that may be forgotten."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
