"""What a filter finds, as targets of actions: counted anew by the server before anything is done to any of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from orchestration.autonomy.aims import Aim, aims
from orchestration.autonomy.models import Target
from orchestration.autonomy.ordering import MOST, Refused
from orchestration.control import fleet
from orchestration.outbox.models import Message, State
from orchestration.workflows import runs
from orchestration.workflows.models import Workflow
from orchestration.workflows.runs import STATUSES, Wanted

LATELY = timedelta(hours=1)
PAGE = 500
NARROWS: Mapping[Target, tuple[str, ...]] = {
    Target.AGENT: ("q", "state", "application"),
    Target.RUN: ("q", "status", "workflow", "agent", "conversation", "trace", "since", "until"),
    Target.WORKFLOW: ("q",),
}


def chosen(workspace_id: int, kind: Target, narrowed: Mapping[str, str]) -> list[Aim]:
    """Raises Refused when nothing narrows it, or it is too many."""
    if not any(narrowed.values()):
        raise Refused("Say which: a filter that takes everything is none.")
    strange = [name for name, value in narrowed.items() if value and name not in NARROWS.get(kind, narrowed)]
    if strange:  # left out it would take far more than was meant
        raise Refused(f"{strange[0]} narrows no {kind.label.lower()}s.")
    if kind == Target.AGENT:
        ids = _agents(workspace_id, narrowed)
    elif kind == Target.RUN:
        ids = _runs(workspace_id, narrowed)
    elif kind == Target.WORKFLOW:
        found = Workflow.objects.filter(workspace_id=workspace_id, name__icontains=narrowed.get("q", ""))
        ids = [str(pk) for pk in found.values_list("pk", flat=True)]
    elif kind == Target.MESSAGE:
        given_up = Message.objects.filter(workspace_id=workspace_id, state__in=(State.DEAD, State.FAILED))
        ids = [str(pk) for pk in given_up.values_list("pk", flat=True)[: MOST + 1]]
    else:
        raise Refused("There is only one workspace.")
    if len(ids) > MOST:
        raise Refused(f"That is more than {MOST}; narrow it further.")
    return aims(workspace_id, kind, ids)


def _instant(text: str) -> datetime | None:
    """Raises Refused."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise Refused("A time is written as RFC 3339 has it.") from None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found


def _agents(workspace_id: int, narrowed: Mapping[str, str]) -> list[str]:
    lines = fleet.agents(workspace_id, LATELY, timezone.now(), narrowed.get("q", ""), narrowed.get("state", ""))
    application = narrowed.get("application", "").casefold()
    return [str(line.row) for line in lines if application in ("", line.application.casefold())]


def _runs(workspace_id: int, narrowed: Mapping[str, str]) -> list[str]:
    status = narrowed.get("status", "").lower()
    if status and status not in STATUSES:
        return []
    texts = {name: narrowed.get(name, "") for name in ("workflow", "agent", "conversation", "trace", "q")}
    since, until = (_instant(narrowed.get(name, "")) for name in ("since", "until"))
    wanted = Wanted(status=status, since=since, until=until, **texts)
    ids: list[str] = []
    cursor = None
    while len(ids) <= MOST:
        page = runs.listed(workspace_id, wanted, limit=PAGE, cursor=cursor)
        ids += [str(line.id) for line in page.items]
        cursor = page.next
        if cursor is None:
            break
    return ids
