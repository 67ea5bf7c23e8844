"""The sequencer's clock. Both sweeps may run twice."""

from __future__ import annotations

from celery import shared_task

from orchestration.ledger import chain, checkpoints


@shared_task(ignore_result=True)
def link() -> int:
    linked = total = chain.link()
    while linked == chain.MOST:
        linked = chain.link()
        total += linked
    checkpoints.sign_due()
    return total
