"""People with skills, hours and interests: who there is to decide."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from escalations.models import Competence, Duty, Interest
from orchestration.workspaces.models import User, Workspace
from tests.conftest import person

ALWAYS: list[Any] = []
NIGHT_OFF = [[9 * 60, 17 * 60]] * 5 + [None, None]


def knows(
    space: Workspace, who: User, skill: str, level: int = 2, most: float | None = None, **more: Any
) -> Competence:
    limit = None if most is None else Decimal(str(most))
    return Competence.objects.create(workspace=space, person=who, skill=skill, level=level, most=limit, **more)


def member(space: Workspace, name: str, **skills: int) -> User:
    """A reviewer, with these skills at these levels."""
    who = person(space, name, "reviewer")
    for skill, level in skills.items():
        knows(space, who, skill, level)
    return who


def works(space: Workspace, who: User, hours: list[Any], away_until: datetime | None = None) -> None:
    fields = {"hours": hours, "away_until": away_until}
    Duty.objects.update_or_create(workspace=space, person=who, defaults=fields)


def keeps_from(space: Workspace, who: User, subject: str) -> None:
    Interest.objects.create(workspace=space, person=who, subject=subject, why="A relative")
