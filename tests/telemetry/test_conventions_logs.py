"""Which log records are kept, and as what."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.telemetry.conventions_logs import observe_log
from orchestration.telemetry.spans import LogKind, RawLog, Resource


def record(name: str, body: Any = None, **attributes: Any) -> RawLog:
    told = {key.replace("__", "."): value for key, value in attributes.items()}
    return RawLog(b"t" * 16, b"s" * 8, 7, name, 9, body, told, Resource({}, "desk", "", "test"), "")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("gen_ai.evaluation.result", LogKind.EVALUATION),
        ("gen_ai.client.operation.exception", LogKind.EXCEPTION),
        ("gen_ai.client.inference.operation.details", LogKind.CONTENT),
        ("gen_ai.user.message", LogKind.CONTENT),
        ("gen_ai.choice", LogKind.CONTENT),
        ("gen_ai.guardrail.result", LogKind.GUARDRAIL),
    ],
)
def test_genai_events_are_kept(name: str, kind: LogKind) -> None:
    seen = observe_log(record(name))

    assert seen is not None
    assert (seen.name, seen.kind, seen.trace_id, seen.application) == (name, kind, b"t" * 16, "desk")


@pytest.mark.parametrize("name", ["", "app.started", "gen_ai.something", "my.message"])
def test_other_records_are_not(name: str) -> None:
    assert observe_log(record(name, "text")) is None


def test_the_older_attribute_names_the_event_too() -> None:
    seen = observe_log(record("", event__name="gen_ai.choice"))

    assert seen is not None
    assert seen.name == "gen_ai.choice"


def test_a_body_stands_among_the_attributes() -> None:
    told = observe_log(record("gen_ai.choice", {"index": 0}, gen_ai__conversation__id="c-1"))
    text = observe_log(record("gen_ai.user.message", "hello"))

    assert told is not None
    assert text is not None
    assert (told.attributes["index"], told.conversation, text.attributes["body"]) == (0, "c-1", "hello")
