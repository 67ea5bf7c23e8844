"""Who decides what at the demo's bank: the reviewer alone up to a limit, the admin what is large or late."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from escalations.models import Competence, Duty, Interest
from orchestration.config import demo_past
from orchestration.workspaces.models import User, Workspace

ALONE, ASKED = 2, 3
# level and highest amount
SKILLS: dict[str, dict[str, tuple[int, int | None]]] = {
    "reviewer": {
        "refunds": (ALONE, 5_000),
        "fraud": (ALONE, None),
        "accounting": (ALONE, None),
        "cards": (ALONE, None),
        "identity": (ALONE, None),
        "compliance": (ALONE, None),
        "credit": (ALONE, 25_000),
        "treasury": (ALONE, None),
    },
    "admin": {
        "refunds": (ASKED, None),
        "fraud": (ASKED, None),
        "compliance": (ASKED, None),
        "credit": (ASKED, None),
        "treasury": (ASKED, None),
        "accounting": (ALONE, None),
        "cards": (ALONE, None),
        "identity": (ALONE, None),
    },
}
MINUTES = {"reviewer": 240, "admin": 60}


@transaction.atomic
def ensure_desk(workspace: Workspace) -> None:
    """Only where nobody has said who decides what. Both are there at any hour, since the demo is looked at at any."""
    if Competence.objects.filter(workspace=workspace).exists() or Duty.objects.filter(workspace=workspace).exists():
        return
    for name, skills in SKILLS.items():
        person = User.objects.get(username=name)
        Duty.objects.create(workspace=workspace, person=person, minutes_a_day=MINUTES[name])
        Competence.objects.bulk_create(
            Competence(
                workspace=workspace,
                person=person,
                skill=skill,
                level=level,
                most=None if most is None else Decimal(most),
                currency="" if most is None else workspace.currency,
            )
            for skill, (level, most) in skills.items()
        )
    Interest.objects.get_or_create(
        workspace=workspace,
        person=User.objects.get(username="reviewer"),
        subject="supplier-114",
        defaults={"why": "A relative works there"},
    )
    demo_past.tell(workspace, timezone.now())
