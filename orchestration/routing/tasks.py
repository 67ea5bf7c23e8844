"""The clock's way in. Messages carry nothing: what is to do is found in PostgreSQL."""

from __future__ import annotations

from celery import shared_task

from orchestration.routing import circuits, forgetting


@shared_task(ignore_result=True)
def measure() -> int:
    """On the queue of what learns: it takes scipy, which no other worker needs to hold in its memory."""
    from orchestration.routing import measure as measuring  # noqa: PLC0415

    return measuring.measure()


@shared_task(ignore_result=True)
def look() -> int:
    """For slices that are worse; on the same queue."""
    from orchestration.routing import slicing  # noqa: PLC0415

    return slicing.look()


@shared_task(ignore_result=True)
def sweep() -> int:
    return circuits.sweep()


@shared_task(ignore_result=True)
def forget() -> int:
    return forgetting.forget()
