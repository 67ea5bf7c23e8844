"""Asking for a check of what an agent did lately, of a run or of a decision: a person by a question in the inbox, or
another agent at its own address, which answers by `POST /api/v1/actions/{id}/answer`. The act is done with the answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from orchestration.autonomy.models import Action, Kind, State, Target
from orchestration.autonomy.ordering import about
from orchestration.holds import asking, haste
from orchestration.holds.asking import Asker, Question
from orchestration.holds.models import Hold, Source
from orchestration.holds.models import State as Held
from orchestration.policies.models import Decision
from orchestration.registry.models import Agent
from orchestration.workflows.models import Run

SHOWN = 5
CHARS = 300
ANSWERS = ("approve", "reject")
CHECKED = {
    Target.AGENT: "Is what {name} did lately as it should be?",
    Target.RUN: "Is the run {name} as it should be?",
    Target.DECISION: "Was {name} decided as it should be?",
}


def by_whom(action: Action) -> str:
    """The agent that is asked, as the caller named it; "" for a person."""
    return str(about(action.told).get("by") or "")[:200]


def question_of(action: Action) -> str:
    given = str(about(action.told).get("question") or "").replace("\0", "")
    return given[: asking.PROSE_CHARS] or CHECKED[Target(action.target_kind)].format(name=action.name)


def evidence_of(action: Action) -> list[dict[str, str]]:
    """What the caller gave, then what Baton knows."""
    given = about(action.told).get("evidence")
    found = [{"kind": "given", "text": str(each)[:CHARS]} for each in (given if isinstance(given, list) else [])]
    facts = action.told.get("facts") if isinstance(action.told, dict) else None
    if isinstance(facts, Mapping):
        found += [{"kind": "measured", "text": f"{name}: {value}"[:CHARS]} for name, value in facts.items()]
    return (found + _known(action))[:20]


def ask_person(action: Action) -> None:
    """A question in the inbox, once for each action."""
    run_id = UUID(action.target) if action.target_kind == Target.RUN else None
    question = Question(
        agent=_agent(action),
        question=question_of(action),
        proposal="It is as it should be",
        why=action.reason or "Somebody asked for a check",
        evidence=evidence_of(action),
        cost_of_waiting="Nothing waits for it; what is wrong goes on.",
        reversible=True,
        run=action.target if run_id else "",
        skill=str(about(action.told).get("skill") or "")[:100],
    )
    key = key_of(action)
    asker = Asker(action.workspace_id, 0, key, hashlib.sha256(key.encode()).digest(), run_id, timezone.now())
    values, _ = asking.opening(question, asker, Source.FAILURE)
    with connection.cursor() as cursor:
        cursor.execute(asking.OPEN, values)
    transaction.on_commit(haste.hasten)


def answered(action: Action) -> bool | str:
    """Whether the answer is there, which then stands in the result; why there will be none."""
    if action.result.get("answer"):
        return True
    if by_whom(action):
        return False
    hold = Hold.objects.select_related("reviewer").filter(workspace_id=action.workspace_id, key=key_of(action)).first()
    if hold is None or hold.state in (Held.CANCELLED, Held.EXPIRED):
        return "Nobody answered: the question was taken back."
    if hold.state != Held.APPLIED:
        return False
    who = hold.reviewer.get_username() if hold.reviewer else "baton"
    action.result = {
        **action.result,
        "answer": hold.verdict,
        "by": who,
        "note": hold.note[:CHARS],
        "hold": str(hold.pk),
    }
    return True


@transaction.atomic
def answer(action: Action, said: str, note: str, who: str) -> bool:
    """The other agent's answer. False: it was answered before, or nobody waits for it."""
    waiting = Action.objects.select_for_update().filter(pk=action.pk, kind=Kind.VERIFY, state=State.RUNNING)
    found = waiting.first()
    if found is None or not by_whom(found) or found.result.get("answer") or said not in ANSWERS:
        return False
    found.result = {**found.result, "answer": said, "by": who[:200], "note": note[:CHARS]}
    found.due_at = timezone.now()
    found.save(update_fields=["result", "due_at"])
    return True


def key_of(action: Action) -> str:
    return f"verify {action.pk}"


def asked_agents(action: Action) -> list[int]:
    """The agent that is asked, by slug, application/name or name. None where there is none, or several are."""
    application, _, name = by_whom(action).rpartition("/")
    mine = Agent.objects.filter(workspace_id=action.workspace_id)
    found = mine.filter(slug=by_whom(action)) or mine.filter(name=name, **_of(application))
    ids = list(found.values_list("pk", flat=True)[:2])
    return ids if len(ids) == 1 else []


def _of(application: str) -> dict[str, str]:
    return {"application__name": application} if application else {}


def _agent(action: Action) -> str:
    if action.target_kind != Target.AGENT:
        return "baton"
    row = Agent.objects.filter(workspace_id=action.workspace_id, pk=action.target).select_related("application").first()
    return f"{row.application.name}/{row.name}" if row else action.name


def _known(action: Action) -> list[dict[str, str]]:
    if action.target_kind == Target.DECISION:
        made = Decision.objects.filter(workspace_id=action.workspace_id, id=action.target).first()
        said = f"{made.agent} asked for {made.action_type} and was answered {made.effect}" if made else ""
        return [{"kind": "decision", "text": said}] if made else []
    runs = Run.objects.filter(workspace_id=action.workspace_id, merged_into=None)
    mine = runs.filter(agents__contains=[int(action.target)]) if action.target_kind == Target.AGENT else runs
    if action.target_kind == Target.RUN:
        mine = runs.filter(id=action.target)
    rows = mine.order_by("-started_at")[:SHOWN]
    return [
        {"kind": "run", "text": f"{run.title[:150]}: {run.status}, {run.errors} errors, run {run.id}"} for run in rows
    ]
