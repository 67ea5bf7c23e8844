"""Answers "who should get this work?": what is measured, who is stopped, which circuits are open, what was moved and
what policies would say, put together for `routing.choose`; and the choice kept, once for each key.

Rules, stops and moves are held by the process as long as the rulebook's generation stands, as deciding holds them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from uuid_utils.compat import uuid7

from orchestration.control import decide, facts
from orchestration.control.candidates import Standing, Work, candidates, field_for, system_called
from orchestration.control.candidates import forget as forget_systems
from orchestration.control.in_force import Force, of_generation
from orchestration.control.in_force import forget as forget_force
from orchestration.ledger import entries
from orchestration.lib.names import normal
from orchestration.lib.prepared import Prepared
from orchestration.policies.asks import Ask, subjects_of
from orchestration.policies.effects import Kind
from orchestration.policies.live import Book
from orchestration.registry.models import Agent, System
from orchestration.routing import limits
from orchestration.routing.choose import Candidate, Chosen, Held, Wanted, choose
from orchestration.routing.models import Choice

BATON = "baton:routing"
HIGH = "high"
STANDING = Prepared(
    "control_route_standing",
    """
select b.generation, i.agent_id, i.since, (
    select jsonb_agg(jsonb_build_array(k.agent_id, k.state, k.words)) from routing_breaker k
    where k.workspace_id = w.id and k.system_id = %(system)s::int and k.state <> 'closed')
from workspaces_workspace w
left join policies_rulebook b on b.workspace_id = w.id
left join routing_incumbent i on i.workspace_id = w.id and i.what = %(what)s::text
where w.id = %(workspace)s::int
""",
)
STORE = Prepared(
    "control_route_store",
    """
with kept as (
    insert into routing_choice (workspace_id, id, at, key, digest, agent_id, system_id, task, explored, asked, answer)
    values (%(workspace)s, %(id)s, %(at)s, %(key)s, %(digest)s, %(agent)s, %(system)s, %(task)s, %(explored)s,
        %(asked)s::jsonb, %(answer)s::jsonb)
    on conflict do nothing returning 1
), before as (
    select agent_id from routing_incumbent where workspace_id = %(workspace)s and what = %(what)s
), has as (
    insert into routing_incumbent (workspace_id, what, agent_id, since)
    select %(workspace)s, %(what)s, %(agent)s, %(at)s from kept where %(keeps)s
    on conflict (workspace_id, what) do update set agent_id = excluded.agent_id, since = excluded.since
    where routing_incumbent.agent_id <> excluded.agent_id returning agent_id
)
select (select count(*) from kept), (select agent_id from before), (select agent_id from has)
""",
)


class KeyUsed(ValueError):
    """The same key came with another question."""


def route(workspace_id: int, work: Work, key: str | None, at: datetime) -> dict[str, Any]:
    """The answer, kept. Raises candidates.Unknown, KeyUsed. A key is looked at as the answer is stored: hardly any
    comes twice, and each round trip is waited for."""
    digest = hashlib.sha256(orjson.dumps(work, default=str)).hexdigest()
    system = system_called(workspace_id, work.system)
    work = replace(work, system=system.name if system else "")
    field = field_for(workspace_id, work, system)
    standing, held = _standing(workspace_id, work, system, at)
    found, agents = candidates(field, work, standing, at), field.agents
    chosen, decision = _choose(workspace_id, work, (found, agents), (standing.force, held), at)
    answer = _answer(chosen, found, decision, at)
    stored = _store(workspace_id, work, (key, digest, system), answer, (chosen, agents, held), at)
    return stored or _before(workspace_id, key or "", digest) or answer


def forget() -> None:
    """Empty the memory, between tests."""
    forget_force()
    forget_systems()


def _before(workspace_id: int, key: str, digest: str) -> dict[str, Any] | None:
    row = Choice.objects.filter(workspace_id=workspace_id, key=key).values_list("digest", "answer").first()
    if row is None:
        return None
    if row[0] != digest:
        raise KeyUsed("This idempotency key was used for another question.")
    return dict(row[1])


def _choose(
    workspace_id: int,
    work: Work,
    of: tuple[list[Candidate], Mapping[int, Agent]],
    now: tuple[Force, Held | None],
    at: datetime,
) -> tuple[Chosen | None, dict[str, Any] | None]:
    """Whom policies forbid it is barred, and chosen anew: at most as often as there are candidates."""
    candidates, agents = of
    may = limits.remembered(workspace_id)
    risky = work.risk == HIGH
    wanted = Wanted(may.exploration, timedelta(minutes=may.dwell_minutes), risky, at)
    force, held = now
    while (chosen := choose(candidates, held, wanted)) is not None:
        decision = _judged(workspace_id, work, agents[chosen.agent.id], force.book, at)
        if decision is None or decision["effect"] != Kind.DENY.value:
            return chosen, decision
        place = next(i for i, each in enumerate(candidates) if each.id == chosen.agent.id)
        candidates[place] = replace(candidates[place], barred=f"A policy forbids it: {decision['words']}")
    return None, None


def _judged(workspace_id: int, work: Work, agent: Agent, book: Book, at: datetime) -> dict[str, Any] | None:
    """What would be decided if this agent asked to do it, by all that is so this moment: rules that look back see what
    was asked before, and not what others ask at the same time, since nothing is asked yet."""
    if not work.task or not book.rules:
        return None
    ask = Ask(
        f"{agent.application.name}/{agent.name}", work.task, work.system, work.amount, work.currency, run=work.run
    )
    who = facts.who(workspace_id, ask.agent) or facts.look_up(workspace_id, ask.agent)
    asked = decide.Asked(ask, workspace_id, 0, False, who, at)
    known = decide.facts_of(asked, book, {})
    needs = decide.needs(book, known)
    if "agent" in needs:
        known |= facts.record(workspace_id, who.agent_id)
    if "run" in needs:
        known |= facts.run_facts(workspace_id, work.run)
    known.pop("_run_id", None)
    if "past" in needs:
        known |= _past(asked)
    answer = book.ready.evaluate(known)
    words = " ".join(str(reason["words"]) for reason in answer.reasons[:2]) or "No policy speaks of this."
    return {"effect": answer.effect.kind.value, "words": words}


def what_of(work: Work) -> str:
    """By which who has this work is remembered: of other candidates it is other work."""
    parts = normal(work.system), work.kind, work.task, *sorted(normal(each) for each in work.candidates)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32] + f" {work.system} {work.task}"[:200].rstrip()


def _answer(
    chosen: Chosen | None, candidates: Sequence[Candidate], decision: dict[str, Any] | None, at: datetime
) -> dict[str, Any]:
    others = chosen.others if chosen else candidates
    return {
        "id": str(uuid7()),
        "agent": chosen.agent.name if chosen else None,
        "why": chosen.why if chosen else _nobody(candidates),
        "measured": _measured(chosen.agent) if chosen else None,
        "alternatives": [_measured(each) for each in others],
        "explored": bool(chosen and chosen.explored),
        "decision": decision,
        "at": at.isoformat(timespec="milliseconds"),
    }


def _nobody(candidates: Sequence[Candidate]) -> str:
    if not candidates:
        return "Nobody is known to have done this work: name candidates."
    return "Nobody may do it now. " + " ".join(f"{each.name}: {each.barred}" for each in candidates[:3])


def _measured(one: Candidate) -> dict[str, Any]:
    return {
        "agent": one.name,
        "success": round(one.mean, 4),
        "interval": [round(one.low, 4), round(one.high, 4)],
        "n": one.n,
        "failures": one.failures,
        "barred": one.barred or None,
    }


def _store(
    workspace_id: int,
    work: Work,
    by: tuple[str | None, str, System | None],
    answer: dict[str, Any],
    of: tuple[Chosen | None, Mapping[int, Agent], Held | None],
    at: datetime,
) -> dict[str, Any] | None:
    """None where the key was used meanwhile. Who takes over from another gets a receipt."""
    (key, digest, system), (chosen, agents, held) = by, of
    values = {
        "workspace": workspace_id,
        "id": UUID(answer["id"]),
        "at": at,
        "key": key,
        "digest": digest,
        "agent": chosen.agent.id if chosen else 0,
        "system": system.pk if system else 0,
        "task": work.task,
        "explored": answer["explored"],
        "asked": orjson.dumps(work, default=str).decode(),
        "answer": orjson.dumps(answer).decode(),
        "what": what_of(work),
        "keeps": bool(chosen and chosen.keeps),
    }
    changes = held is not None and chosen is not None and held.agent != chosen.agent.id
    with transaction.atomic() if changes else nullcontext():
        kept, before, now = STORE.rows(values)[0]
        if kept and before and now and before != now:
            told = {"from": _name(before, agents), "to": _name(now, agents), "why": answer["why"]}
            told |= {"system": work.system, "task": work.task}
            entries.record(workspace_id, "route.changed", ("agent", str(now)), BATON, told, at)
    return answer if kept else None


def _name(pk: int, agents: Mapping[int, Agent]) -> str:
    found = agents.get(pk) or Agent.objects.filter(pk=pk).first()
    return found.name if found else str(pk)


def _past(asked: decide.Asked) -> dict[str, Any]:
    subjects = subjects_of(asked.ask)
    values: dict[str, Any] = {"workspace": asked.workspace_id, "type": asked.ask.type, "now": asked.at}
    values |= {"subjects": list(subjects), "values": list(subjects.values())}
    with connection.cursor() as cursor:
        cursor.execute(decide.READ_PAST, values)
        return decide.past_facts(cursor.fetchall())


def _standing(workspace_id: int, work: Work, system: System | None, at: datetime) -> tuple[Standing, Held | None]:
    """What is so this moment, and who has this work; in one round trip while the generation stands."""
    values = {"workspace": workspace_id, "what": what_of(work), "system": system.pk if system else 0}
    generation, agent, since, broken = next(iter(STANDING.rows(values)), (None, None, None, None))
    force = of_generation(workspace_id, generation)
    circuits = {pk: (state, words) for pk, state, words in orjson.loads(broken)} if broken else {}
    stopped = _paused(workspace_id, work.run, force, at) if work.run and force.stops else ""
    return Standing(force, circuits, stopped), Held(agent, since) if agent and since else None


def _paused(workspace_id: int, run: str, force: Force, at: datetime) -> str:
    """Why nobody may go on with the run: its workflow is paused. Looked up while one is."""
    if not force.stops.workflows:
        return ""
    told = facts.run_facts(workspace_id, run)
    found = force.stops.of_workflow(str(told.get("run.workflow") or ""), at)
    return found.words if found else ""
