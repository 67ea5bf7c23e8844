"""By webhook, that a handoff came back: whoever sent it may be elsewhere, and ask for nothing just now."""

from __future__ import annotations

from orchestration.handoffs.models import Envelope
from orchestration.outbox import send
from orchestration.outbox.models import Event


def returned(row: Envelope, why: str) -> None:
    """`row` as it is stored now, in the transaction that does so; once for each time. `why`: rejected, expired, silent
    or late. What its sender wrote is not repeated: its id leads there."""
    told = {
        "id": row.pk,
        "run": row.run,
        "run_id": row.run_id,
        "from": row.sender,
        "to": row.receiver,
        "state": row.state,
        "why": why,
        "reason": row.reason or (row.problem or {}).get("message", ""),
        "returned": row.returned,
    }
    send.announce(row.workspace_id, Event.HANDOFF_RETURNED, f"{row.pk} {row.state} {row.returned}", told)
