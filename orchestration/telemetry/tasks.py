"""Sweeps over figures and partitions; each is safe when two run."""

from __future__ import annotations

from celery import shared_task

from orchestration.telemetry import deliveries, retention


@shared_task(ignore_result=True)
def keep_partitions() -> int:
    deliveries.forget_poisoned()
    return int(retention.try_keep()["made"])
