"""Runs that wait for a person, and runs that failed for good, as questions in the inbox: in the transaction that finds
it out, each once, and taken back when the run goes on by itself.

A run whose agent asked Baton itself has its question already. What came late (history, an import) asks nobody: there
is nothing left to decide.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from orchestration.control import run_rows
from orchestration.holds import asking, haste
from orchestration.holds.asking import PROSE_CHARS, Asker, Question
from orchestration.holds.models import Hold, Source, State
from orchestration.holds.withdrawing import FAILED
from orchestration.ledger import entries
from orchestration.lib.pulse import publish
from orchestration.telemetry.redaction import redact_text
from orchestration.workflows.booking import Names
from orchestration.workflows.groups import Group
from orchestration.workflows.models import RunStatus, Workflow
from orchestration.workflows.story import Escalation, Story

OLD_US = 15 * 60 * 1_000_000
BEFORE = timedelta(minutes=10)  # within which an agent's own question is about the same pause
TOLD_ACTS = 5
MOST_PAUSES = 20  # of one run
RULES = {
    "interrupt": "its program stopped and waits",
    "approval": "it wants to call a tool that somebody has to allow",
    "tool_name": "it called a tool by which people are asked",
    "human_step": "a step of it is a person's",
    "a2a": "it asked for input",
}
OWN = """
select coalesce(run_id::text, ''), run, max(opened_at) from holds_hold
where workspace_id = %s and source in ('decision', 'agent') and (run_id = any(%s) or (run <> '' and run = any(%s)))
group by 1, 2
"""
DOUBLED = f"""
select h.id from holds_hold h where h.source = 'telemetry' and h.state = 'open'
and h.opened_at > now() - interval '{OLD_US // 1_000_000} s' and exists (
    select 1 from holds_hold o where o.workspace_id = h.workspace_id and o.source in ('decision', 'agent')
    and o.opened_at > h.opened_at - interval '{BEFORE.seconds} s' and (o.run_id = h.run_id or o.run <> '' and o.run in (
        select encode(t.trace_id, 'hex') from workflows_trace t
        where t.workspace_id = h.workspace_id and t.run_id = h.run_id)))
"""
# an agent asks before its spans arrive, and names its run by a text of its own or by its trace
TIE = f"""
update holds_hold h set run_id = found.run_id from (
    select o.id, t.run_id from holds_hold o cross join lateral (
        select t.run_id from workflows_tracekey k
        join workflows_trace t on t.workspace_id = k.workspace_id and t.trace_id = k.trace_id
        where k.workspace_id = o.workspace_id and k.kind = 'baton' and k.key = o.run and t.run_id is not null
        union all
        select t.run_id from workflows_trace t where t.workspace_id = o.workspace_id and t.run_id is not null
        and t.trace_id = case when o.run ~ '^[0-9a-f]{{32}}$' then decode(o.run, 'hex') end
        limit 1) t
    where o.state = 'open' and o.run_id is null and o.run <> ''
    and o.opened_at > now() - interval '{OLD_US // 1_000_000} s' for update of o skip locked
) found where h.id = found.id
"""


class Told(Protocol):
    """A run as told in this round."""

    group: Group
    story: Story
    sent: frozenset[bytes]  # steps told by events
    run_id: UUID | None
    losers: list[UUID]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question that the inbox should have. `key`: the same for the same pause, whatever run it is found to be in."""

    key: str
    source: Source
    question: Question
    run_id: UUID
    at: datetime


def note(workspace_id: int, told: Sequence[Told], names: Sequence[Names]) -> int:
    """Open what is missing, take back what is over; in the caller's transaction. Returns how many changed."""
    asked = [one for one in told if one.run_id and one.story.escalations]
    failed = [(one, known.workflow) for one, known in zip(told, names, strict=True) if one.run_id and _failed(one)]
    if not asked and not failed:
        return 0
    wanted = _pauses(workspace_id, asked) + _failures(workspace_id, failed)
    changed = sum(_open(workspace_id, each) for each in wanted) + _take_back(workspace_id, asked)
    if changed:
        transaction.on_commit(lambda: _say(workspace_id))
    return changed


def _say(workspace_id: int) -> None:
    publish(workspace_id, "batch")
    haste.hasten()


def _waits(one: Told) -> bool:
    return run_rows.status(one.story, one.group) == RunStatus.WAITING


def _failed(one: Told) -> bool:
    return one.story.root_came and one.story.status == RunStatus.FAILED


def _pauses(workspace_id: int, told: Sequence[Told]) -> list[Wanted]:
    found = [
        _pause(one.story, asked, one.run_id) for one in told if one.run_id and _waits(one) for asked in _open_now(one)
    ]
    own = _own(workspace_id, told) if found else {}
    return [each for each in found if each.run_id not in own or each.at - BEFORE > own[each.run_id]]


def _open_now(one: Told) -> list[Escalation]:
    """A person's own step, as a process tells it by events, is that person's work and no question to another."""
    fresh = one.group.received - OLD_US
    found = [each for each in one.story.escalations if each.state == "open" and each.at_ns // 1000 >= fresh]
    return [each for each in found if each.rule != "human_step" or each.span_id not in one.sent][-MOST_PAUSES:]


def _own(workspace_id: int, told: Sequence[Told]) -> dict[UUID, datetime]:
    """When agents of these runs last asked Baton themselves, whatever they called the run."""
    runs: dict[str, UUID] = {}
    for one in told:
        if one.run_id:
            called = {str(one.run_id), *(trace.trace_id.hex() for trace in one.group.traces)}
            called |= {str(loser) for loser in one.losers} | {one.group.external_key or ""}
            runs |= dict.fromkeys(called - {""}, one.run_id)
    ids = [one.run_id for one in told if one.run_id]
    found: dict[UUID, datetime] = {}
    with connection.cursor() as cursor:
        cursor.execute(OWN, [workspace_id, ids, list(runs)])
        for by_id, by_name, at in cursor.fetchall():
            if run := runs.get(by_id) or runs.get(by_name):
                found[run] = max(at, found.get(run, at))
    return found


def _key(asked: Escalation) -> str:
    return f"pause {asked.span_id.hex()} {asked.at_ns}"


def _pause(story: Story, asked: Escalation, run_id: UUID) -> Wanted:
    at = datetime.fromtimestamp(asked.at_ns / 1e9, UTC)
    who = asked.agent or _last_agent(story)
    question = Question(
        agent=_named(asked.application, who),
        question=_short(asked.question) or f"{who} waits for a person.",
        proposal=f"Let {who} go on with {story.title or story.workflow or 'its work'}."[:PROSE_CHARS],
        why=f"The run waits for a person: {RULES.get(asked.rule, asked.rule)}.",
        evidence=_done(story),
        cost_of_waiting=f"The run stands still since {at:%H:%M} UTC.",
        reversible=None,
        run=str(run_id),
    )
    return Wanted(_key(asked), Source.TELEMETRY, question, run_id, at)


def _failures(workspace_id: int, failed: Sequence[tuple[Told, int]]) -> list[Wanted]:
    """Of workflows for which an admin wants to be asked."""
    fresh = [(one, flow) for one, flow in failed if one.story.ended_ns // 1000 >= one.group.received - OLD_US]
    if not fresh:
        return []
    flows = Workflow.objects.filter(workspace_id=workspace_id, pk__in={flow for _, flow in fresh})
    asks = set(flows.filter(asks_when_failed=True).values_list("pk", flat=True))
    return [_failure(one, one.run_id) for one, flow in fresh if flow in asks and one.run_id]


def _failure(one: Told, run_id: UUID) -> Wanted:
    story = one.story
    last = next((placed for placed in reversed(story.placed) if placed.failed), None)
    who = (last.agent if last else "") or _last_agent(story)
    at = datetime.fromtimestamp(story.ended_ns / 1e9, UTC)
    what = last.step.name if last else "The run"
    said = f": {_short(last.step.error)}" if last and last.step.error else "."
    question = Question(
        agent=_named(last.application if last else "", who),
        question=f"{story.title or story.workflow} failed. What should be done with it?"[:PROSE_CHARS],
        proposal="Look into it, and do by hand what is left to do.",
        why=f"{what} failed with no try left{said}"[:PROSE_CHARS],
        evidence=_done(story),
        cost_of_waiting=f"Nobody works on it since {at:%H:%M} UTC.",
        reversible=None,
        run=str(run_id),
    )
    first = min(trace.trace_id for trace in one.group.traces)
    # a run that Baton coordinates may be tried again, and fail anew
    end = next((f" {placed.step.end_ns}" for placed in story.placed if placed.step.hints.get("engine")), "")
    return Wanted(f"{FAILED}{first.hex()}{end}", Source.FAILURE, question, run_id, at)


def _open(workspace_id: int, wanted: Wanted) -> int:
    digest = hashlib.sha256(wanted.key.encode()).digest()
    asker = Asker(workspace_id, 0, wanted.key, digest, wanted.run_id, wanted.at)
    values, _ = asking.opening(wanted.question, asker, wanted.source)
    with connection.cursor() as cursor:
        cursor.execute(asking.OPEN, values)
        return int(cursor.fetchone()[0])


def _take_back(workspace_id: int, told: Sequence[Told]) -> int:
    """Questions whose answer was given elsewhere, since the run goes on. One that somebody is answering stays."""
    waiting = [asked for one in told if _waits(one) for asked in one.story.escalations if asked.state == "open"]
    ids = {run for one in told for run in (one.run_id, *one.losers) if run}
    over = Hold.objects.filter(workspace_id=workspace_id, run_id__in=ids, source=Source.TELEMETRY).open()
    over = over.exclude(key__in={_key(asked) for asked in waiting})
    return _cancel(over, "The run went on: the answer was given elsewhere.")


def _cancel(over: QuerySet[Hold], why: str) -> int:
    now, changed = datetime.now(UTC), 0
    for hold in over.select_for_update(skip_locked=True):
        hold.state, hold.revision, hold.decided_at, hold.note = State.CANCELLED, hold.revision + 1, now, why
        hold.save(update_fields=["state", "revision", "decided_at", "note"])
        facts = {"run": hold.run, "revision": hold.revision}
        entries.record(hold.workspace_id, "hold.cancelled", ("hold", str(hold.pk)), "baton", facts, now)
        changed += 1
    return changed


def sweep() -> int:
    """Tie questions to the runs that they named before those were known, and take back what an agent asked itself
    after all: its question may come a moment after its spans."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(TIE)
            cursor.execute(DOUBLED)
            ids = [row[0] for row in cursor.fetchall()]
        doubled = Hold.objects.filter(pk__in=ids).open()
        changed = _cancel(doubled, "The agent asked about this itself.") if ids else 0
        if changed:
            transaction.on_commit(haste.hasten)
    return changed


def _done(story: Story) -> list[Any]:
    """What the agents did last, by the names of their tools."""
    found = []
    for call in story.tool_calls[-TOLD_ACTS:]:
        text = f"{call.agent or 'an agent'} called {call.tool}{'' if call.ok else ', which failed'}"
        found.append({"kind": "tool call", "text": text[:200]})
    return found


def _last_agent(story: Story) -> str:
    return story.agents[-1][1] if story.agents else "the program"


def _named(application: str, agent: str) -> str:
    return f"{application}/{agent}" if application else agent


def _short(text: str) -> str:
    return redact_text(text.replace("\0", "\ufffd"))[0].strip()[:PROSE_CHARS]
