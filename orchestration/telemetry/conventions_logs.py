"""Log records that are GenAI events; all others are none of Baton's business and give None."""

from __future__ import annotations

from typing import Any

from orchestration.telemetry.spans import LogKind, ObservedLog, RawLog
from orchestration.telemetry.values import label, text

KINDS = {
    "gen_ai.evaluation.result": LogKind.EVALUATION,
    "gen_ai.client.operation.exception": LogKind.EXCEPTION,
    "gen_ai.client.inference.operation.details": LogKind.CONTENT,
    "gen_ai.choice": LogKind.CONTENT,
    "gen_ai.guardrail.result": LogKind.GUARDRAIL,
}


def observe_log(raw: RawLog) -> ObservedLog | None:
    """A GenAI event with its body among the attributes, under `body` when it is not an object of its own."""
    name = raw.name or text(raw.attributes.get("event.name"))
    kind = KINDS.get(name)
    if kind is None:
        if not (name.startswith("gen_ai.") and name.endswith(".message")):
            return None
        kind = LogKind.CONTENT
    attributes: dict[str, Any] = dict(raw.attributes)
    if isinstance(raw.body, dict):
        attributes = {**raw.body, **attributes}
    elif raw.body is not None and raw.body != "":
        attributes["body"] = raw.body
    return ObservedLog(
        raw.trace_id,
        raw.span_id,
        raw.at_ns,
        label(name),
        kind,
        raw.resource.service,
        raw.resource.environment,
        label(attributes.get("gen_ai.conversation.id")),
        attributes,
    )
