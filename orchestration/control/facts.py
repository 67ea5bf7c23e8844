"""What a rule may know beside what the ask brings: who the agent is and how it has done, and how the run stands.

Looked up only when a rule in force reads it, and an agent's record is remembered for some seconds: a decision takes a
millisecond, and how well an agent has done in thirty days does not change within one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from orchestration.control import usage
from orchestration.lib.names import normal
from orchestration.lib.stats import ENOUGH, wilson
from orchestration.registry.models import Agent
from orchestration.workflows.models import Run
from orchestration.workflows.run_search import find_run

FRESH_S = 10.0
REMEMBERED = 5_000
CALLS_DAYS, VERDICT_DAYS = 30, 90


@dataclass(frozen=True, slots=True)
class Who:
    """An agent as asks name it. `agent_id` 0: nothing is measured of it, or several are called so."""

    agent_id: int
    facts: Mapping[str, Any]


_known: dict[tuple[int, str], tuple[float, Who]] = {}
_records: dict[tuple[int, int], tuple[float, dict[str, Any]]] = {}


def who(workspace_id: int, asked: str) -> Who | None:
    """What is remembered of the agent called `asked`, None if it has to be looked up (`look_up`)."""
    found = _known.get((workspace_id, asked))
    return found[1] if found and found[0] > time.monotonic() else None


def look_up(workspace_id: int, asked: str) -> Who:
    """By name, or by `application/name`. A bare name that fits several agents stays that bare name, without measured
    facts and without an application."""
    application, _, name = asked.rpartition("/")
    fits = Agent.objects.filter(workspace_id=workspace_id, key=normal(name or asked)).select_related("application")
    if application:
        fits = fits.filter(application__name=application)
    agents = list(fits.order_by("-id")[:2])
    found = Who(0, {"agent.application": application} if application else {})
    if len(agents) == 1:
        (agent,) = agents
        told = {
            "agent.application": agent.application.name,
            "agent.environment": agent.application.environment,
            "agent.kind": agent.kind,
            "agent.version": agent.version,
        }
        found = Who(agent.pk, {name: value for name, value in told.items() if value})
    if len(_known) >= REMEMBERED:
        _known.clear()
    _known[workspace_id, asked] = time.monotonic() + FRESH_S, found
    return found


def record(workspace_id: int, agent_id: int) -> dict[str, Any]:
    """How the agent has done, by what Baton measured and by what people said of its asks."""
    found = _records.get((workspace_id, agent_id))
    if found and found[0] > time.monotonic():
        return found[1]
    facts = _record(workspace_id, agent_id) if agent_id else {}
    if len(_records) >= REMEMBERED:
        _records.clear()
    _records[workspace_id, agent_id] = time.monotonic() + FRESH_S, facts
    return facts


def run_facts(workspace_id: int, run: str) -> dict[str, Any]:
    """How the run stands that the ask names; nothing where it is not known (yet)."""
    run_id = find_run(workspace_id, run) if run else None
    row = Run.objects.filter(workspace_id=workspace_id, id=run_id).first() if run_id else None
    if row is None:
        return {}
    facts: dict[str, Any] = {
        "run.age_s": max(0.0, (datetime.now(UTC) - row.started_at).total_seconds()),
        "run.errors": float(row.errors),
        "run.retries": float(row.retries),
        "run.tokens": float(row.tokens_in + row.tokens_out),
        "run.workflow": _workflow_name(row.workflow_id),
    }
    if row.cost is not None:
        facts["run.cost"] = row.cost / 1e9
    if row.conversation:
        facts["run.conversation"] = row.conversation
    return facts | {"_run_id": run_id}


def forget() -> None:
    """Empty the memory, between tests."""
    _known.clear()
    _records.clear()


def _record(workspace_id: int, agent_id: int) -> dict[str, Any]:
    now = datetime.now(UTC)
    rows = usage.rows_between(workspace_id, now - timedelta(days=CALLS_DAYS), now)
    where = f"{usage.IS_CALL} and agent_id = %s"
    used = usage.by(rows, ("agent_id",), where, [agent_id]).get((agent_id,), usage.NONE)
    facts: dict[str, Any] = {"agent.calls": float(used.n)}
    if used.n >= ENOUGH:
        good = wilson(used.n - used.failures, used.n)
        facts["agent.failure_rate"] = used.failures / used.n
        facts["agent.reliability"] = good[0] if good else 0.0
    approved, reviewed = _verdicts(workspace_id, agent_id, now - timedelta(days=VERDICT_DAYS))
    facts["agent.reviewed"] = float(reviewed)
    if reviewed >= ENOUGH:
        trusted = wilson(approved, reviewed)
        facts["agent.trust"] = trusted[0] if trusted else 0.0
    return facts


def _verdicts(workspace_id: int, agent_id: int, since: datetime) -> tuple[int, int]:
    """How many of the agent's asks people approved as they were, of how many they decided."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) filter (where verdict = 'approve'), count(*) filter (where verdict <> '') "
            "from policies_decision where workspace_id = %s and agent_id = %s and at >= %s",
            [workspace_id, agent_id, since],
        )
        row = cursor.fetchone()
    return int(row[0]), int(row[1])


def _workflow_name(workflow_id: int) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("select name from workflows_workflow where id = %s", [workflow_id])
        row = cursor.fetchone()
    return row[0] if row else None
