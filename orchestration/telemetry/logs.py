"""Keeps the log records that are GenAI events; others are accepted and counted by the door, not kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
from django.db import connection

from orchestration.registry import resolve
from orchestration.telemetry import retention
from orchestration.telemetry.bounds import bound_attributes
from orchestration.telemetry.content import is_content
from orchestration.telemetry.conventions_logs import observe_log
from orchestration.telemetry.deliveries import Waiting
from orchestration.telemetry.redaction import redact_attributes
from orchestration.telemetry.spans import RawLog
from orchestration.telemetry.writer import EPOCH_US


def store(workspace_id: int, records: Sequence[tuple[RawLog, Waiting]], *, keeps_content: bool) -> int:
    """Write the GenAI events among `records`; returns how many were new. A repeat has the same hash and is no row."""
    rows = []
    for record, _ in records:
        seen = observe_log(record)
        if seen is None:
            continue
        attributes = {k: v for k, v in seen.attributes.items() if keeps_content or not is_content(k)}
        attributes = bound_attributes(redact_attributes(attributes)[0])[0]
        rows.append((record, seen.name, orjson.dumps(attributes, default=str).decode()))
    if not rows:
        return 0
    applications = resolve.applications.ids(
        workspace_id, {(r.resource.service, r.resource.environment): () for r, _, _ in rows}
    )
    times = [r.at_ns // 1000 - EPOCH_US for r, _, _ in rows]
    retention.need_days(min(times), max(times))
    values = sorted(
        (
            datetime.fromtimestamp(r.at_ns / 1e9, UTC),
            _hash(r, name, attributes),
            r.trace_id or None,
            r.span_id or None,
            applications.get((r.resource.service, r.resource.environment), 0),
            name,
            attributes,
        )
        for r, name, attributes in rows
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into telemetry_logrecord (workspace_id, at, id, trace_id, span_id, application_id, name, attrs) "
            "values (%s, %s, %s, %s, %s, %s, %s, %s::jsonb) on conflict do nothing",
            [(workspace_id, *value) for value in values],
        )
        return int(cursor.rowcount)


def _hash(record: RawLog, name: str, attributes: str) -> bytes:
    parts = (record.trace_id, record.span_id, str(record.at_ns).encode(), name.encode(), attributes.encode())
    return hashlib.sha256(b"\0".join(parts)).digest()[:16]
