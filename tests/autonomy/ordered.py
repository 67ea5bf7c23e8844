"""Small functions by which tests of actions order them."""

from __future__ import annotations

import secrets
from typing import Any

from orchestration.autonomy import ordering, work
from orchestration.autonomy.aims import Aim, aim
from orchestration.autonomy.models import Action, Kind, Target
from orchestration.autonomy.ordering import Wish
from orchestration.registry.models import Agent
from orchestration.workflows.models import Run
from orchestration.workspaces.models import Workspace

BY = "person:operator"


def wish(kind: Kind, key: str = "", **fields: Any) -> Wish:
    return Wish(kind, BY, key or secrets.token_hex(8), **{"reason": "It pays twice"} | fields)


def aimed(agent: Agent) -> Aim:
    found = aim(agent.workspace_id, Target.AGENT, agent.slug)
    assert found
    return found


def at_run(run: Run) -> Aim:
    found = aim(run.workspace_id, Target.RUN, str(run.id))
    assert found
    return found


def done(workspace: Workspace, kind: Kind, at: Aim, **fields: Any) -> Action:
    """Ordered and carried out."""
    action = ordering.order(workspace.pk, wish(kind, **fields), at)
    return work.carry_out_one(action)
