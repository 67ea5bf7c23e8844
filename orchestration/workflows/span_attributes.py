"""What a stored span carries besides its columns, as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.db import connection

from orchestration.telemetry.content import is_content
from orchestration.telemetry.models import Span
from orchestration.workflows.story import Step

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def of(workspace_id: int, step: Step, *, content: bool) -> tuple[list[tuple[str, str]], int]:
    """(key, text) of the step's attributes, events and links, and how many were left out as content."""
    started = _EPOCH + timedelta(microseconds=step.start_ns // 1000)
    kept = (
        Span.objects.filter(workspace_id=workspace_id, started_at=started, trace_id=step.trace_id, span_id=step.span_id)
        .values_list("attrs", flat=True)
        .first()
    )
    parts = list(_parts(kept) if kept is not None else _plain("", _sent(workspace_id, step)))
    shown = [(f"{part}{key}", text) for part, key, text in parts if content or not is_content(key)]
    return shown, len(parts) - len(shown)


def _parts(kept: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What `telemetry.rows` keeps, as (part of the span, key, text)."""
    yield from _plain("", kept.get("a") or {})
    if kept.get("m"):
        yield "", "status", str(kept["m"])
    for name, _, attributes in kept.get("e") or []:
        yield "event ", str(name), ""
        yield from _plain(f"{name}: ", attributes)
    for trace_id, span_id, attributes in kept.get("l") or []:
        yield "link to ", f"{trace_id} {span_id}", ""
        yield from _plain("link: ", attributes)
    if kept.get("s"):
        yield "", "scope", str(kept["s"])


def _plain(part: str, attributes: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for key in sorted(attributes):
        value = attributes[key]
        yield part, key, value if isinstance(value, str) else orjson.dumps(value).decode()


def _sent(workspace_id: int, step: Step) -> Mapping[str, Any]:
    """Attributes of a step that the events API sent; its span id is a hash of its key (`reading`)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select attrs::text from workflows_step where workspace_id = %s and trace_id = %s "
            "and substring(sha256(convert_to(key, 'UTF8')) for 8) = %s",
            [workspace_id, step.trace_id, step.span_id],
        )
        row = cursor.fetchone()
    found = orjson.loads(row[0]) if row else {}
    return found if isinstance(found, dict) else {}
