"""Moves work from one agent to another, and back: what such actions do, in the transaction that marks them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from orchestration.autonomy.models import Action, Kind, Stop, Target
from orchestration.lib.names import normal
from orchestration.registry.models import Agent, System
from orchestration.routing.models import Move

TEXT = 256
NEAR, MOST_NAMES = 3, 2_000


class Nobody(Exception):
    """There is nobody to whom the work could go, or no such work. The text says what is wrong."""


def look(workspace_id: int, about: Mapping[str, Any]) -> None:
    """Whether who is to take the work, and on what, is there at all. Raises Nobody, with the names that come near."""
    said = _texts(about)
    _agent(workspace_id, said["to"])
    _system(workspace_id, said["system"])


def move(action: Action) -> dict[str, Any] | str:
    """`told["about"]`: to (an agent by slug or name), and system and task, each empty for any. Raises Nobody."""
    about = _about(action)
    agent = Agent.objects.filter(workspace_id=action.workspace_id, pk=_number(action.target)).first()
    to = _agent(action.workspace_id, about.get("to", ""))
    system = _system(action.workspace_id, about.get("system", ""))
    if agent is None:
        raise Nobody(f"{action.name} is not there any more.")
    _fit(agent, to)
    where = f" on {system.name}" if system else ""
    what = f" of {about['task']}" if about.get("task") else ""
    why = f": {action.reason.rstrip('.')}" if action.reason else ""
    made, new = Move.objects.get_or_create(
        workspace_id=action.workspace_id,
        agent=agent,
        system=system,
        task=about.get("task", ""),
        defaults={
            "to": to,
            "action": action.pk,
            "words": f"The work{what} of {agent.name}{where} goes to {to.name}{why}."[:400],
            "until": timezone.now() + timedelta(minutes=action.minutes) if action.minutes else None,
        },
    )
    if not new:
        return "moved before"
    return {"to": to.name, "to_id": to.pk, "system": system.name if system else "", "task": made.task}


def restore(action: Action) -> dict[str, Any] | str:
    """What `undoes` moved, else all of the agent's, or of the system and task in `told["about"]`."""
    rows = Move.objects.filter(workspace_id=action.workspace_id, agent_id=_number(action.target))
    if action.undoes_id:
        rows = rows.filter(action=action.undoes_id)
    else:
        about = _about(action)
        if about.get("system"):
            rows = rows.filter(system=_system(action.workspace_id, about["system"]))
        if about.get("task"):
            rows = rows.filter(task=about["task"])
    found = list(rows.select_for_update(of=("self",)).order_by("pk"))
    if not found:
        return "not moved any more"
    Move.objects.filter(pk__in=[each.pk for each in found]).delete()
    return {"lifted": str(found[0].action), "lifted_all": [str(each.action) for each in found]}


def _fit(agent: Agent, to: Agent) -> None:
    """Nobody's work goes to himself, in a circle, or to who may not act."""
    if to.pk == agent.pk:
        raise Nobody("Work cannot be moved to the agent that has it.")
    if Move.objects.filter(workspace_id=agent.workspace_id, agent=to).exists():
        raise Nobody(f"Work of {to.name} is itself moved elsewhere.")
    stopped = Q(kind=Kind.QUARANTINE) | Q(kind=Kind.PAUSE)
    if Stop.objects.filter(stopped, workspace_id=agent.workspace_id, target_kind=Target.AGENT, target=str(to.pk)):
        raise Nobody(f"{to.name} is stopped itself.")


def _about(action: Action) -> dict[str, str]:
    about = action.told.get("about")
    return _texts(about if isinstance(about, dict) else {})


def _texts(about: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(about.get(name) or "").replace("\0", "")[:TEXT] for name in ("to", "system", "task")}


def _agent(workspace_id: int, called: str) -> Agent:
    found = Agent.objects.filter(workspace_id=workspace_id)
    application, slash, name = called.rpartition("/")
    same = found.filter(application__name=application, name=name) if slash else found.filter(name=called)
    rows = list(found.filter(slug=called)) or list(same[:2])
    if not called:
        raise Nobody("Nobody is named to take it.")
    if len(rows) > 1:
        raise Nobody(f"Several agents are called {called}: {_listed(row.slug for row in same[:NEAR])}.")
    if not rows:
        raise Nobody(f"There is no agent called {called}.{_near(name, found)}")
    return rows[0]


def _near(name: str, agents: QuerySet[Agent]) -> str:
    """Those whose names come near, by slug, which is of one agent alone."""
    slugs: dict[str, list[str]] = {}
    for key, slug in agents.order_by("pk").values_list("key", "slug")[:MOST_NAMES]:
        slugs.setdefault(key[:TEXT], []).append(slug)
    close = get_close_matches(normal(name), slugs, NEAR)
    found = [slug for key in close for slug in slugs[key]][:NEAR]
    return f" Near to it: {_listed(found)}." if found else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _system(workspace_id: int, called: str) -> System | None:
    if not called:
        return None
    found = System.objects.filter(workspace_id=workspace_id)
    row = found.filter(slug=called).first() or found.filter(name=called).order_by("-kind").first()
    if row is None:
        raise Nobody(f"There is no system called {called}.")
    return row


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
