"""Begins runs of declared workflows: the same key is the same run, however often it is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.utils import timezone

from orchestration.workflows import engine
from orchestration.workflows.declared import plan_of
from orchestration.workflows.declared_models import DeclaredRun, DefinitionVersion, Task
from orchestration.workflows.moving import Moving, begun
from orchestration.workflows.plans import StepPlan


class KeyUsed(ValueError):
    """The same key came with another wish."""


@dataclass(frozen=True, slots=True)
class Start:
    """`input`: what the run begins with (`carried`). `by`: who starts it, as the ledger names actors."""

    by: str
    input: Mapping[str, Any]
    title: str = ""
    key: str = ""

    def digest(self, workflow: str) -> str:
        said = [workflow, self.title, dict(self.input)]
        return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


def before(workspace_id: int, workflow: str, wanted: Start) -> DeclaredRun | None:
    """What was started by this key already, whichever version is live by now. Raises KeyUsed."""
    if not wanted.key:
        return None
    found = DeclaredRun.objects.filter(workspace_id=workspace_id, key=wanted.key).first()
    if found is not None and found.digest != wanted.digest(workflow):
        raise KeyUsed("This key was used to start something else.")
    return found


def start(version: DefinitionVersion, wanted: Start, test: engine.Test) -> Moving:
    """The run, begun, to be saved by the caller: what is stored there may turn out to be another's by its key."""
    plan, now = plan_of(version.workspace_id, version.pk), timezone.now()
    run = DeclaredRun(
        workspace_id=version.workspace_id,
        version_id=version.pk,
        workflow=plan.name,
        title=wanted.title,
        key=wanted.key,
        digest=wanted.digest(plan.name),
        input=dict(wanted.input),
        retries_left=plan.retry_budget,
        by=wanted.by,
        started_at=now,
    )
    m = begun(run, plan, {step.id: _task(run, step) for step in plan.steps}, now)
    m.tell_run("started")
    m.note("run.started", wanted.by, {"number": version.number, "input_sha256": run.digest})
    engine.advance(m, test)
    return m


def _task(run: DeclaredRun, step: StepPlan) -> Task:
    return Task(
        workspace_id=run.workspace_id,
        run_id=run.id,
        workflow=run.workflow,
        step=step.id,
        owner_kind=step.owner.kind,
        owner=step.owner.name,
        lease_s=step.lease_s,
        time_limit_s=step.time_limit_s,
        due_at=run.started_at,
    )
