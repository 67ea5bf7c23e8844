"""The sequencer's clock. Both sweeps may run twice."""

from __future__ import annotations

import time

import structlog
from celery import shared_task

from orchestration.ledger import chain, checkpoints

log = structlog.get_logger(__name__)
TOLD_EVERY_S = 60.0
HINT = "verify_ledger tells more; after restoring a backup, keep the newer heads elsewhere"

_told = {"at": -TOLD_EVERY_S}


@shared_task(ignore_result=True)
def link() -> int:
    linked = total = chain.link()
    while linked == chain.MOST:
        linked = chain.link()
        total += linked
    sign()
    return total


def sign() -> None:
    """Entries get their places all the same; they are signed when somebody has explained what happened."""
    try:
        checkpoints.sign_due()
    except checkpoints.Discontinued as broken:
        if time.monotonic() - _told["at"] > TOLD_EVERY_S:
            _told["at"] = time.monotonic()
            log.error("ledger not signed", why=str(broken), folder=str(checkpoints.folder()), hint=HINT)
