from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from orchestration.telemetry.admission import DAY_NS, Undecodable
from orchestration.telemetry.events import BadEvent, Events, decode_events
from orchestration.telemetry.spans import RawEvent

NOW = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()) * 10**9
STARTED: dict[str, Any] = {"type": "run.started", "run": "invoice-17"}


def decode(*events: Any) -> Events:
    return decode_events(orjson.dumps({"events": events}), NOW, 30)


def only(event: dict[str, Any]) -> RawEvent:
    (found,) = decode(event).items
    return found


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize("kind", [{}, ["run.started"], 7, None, True])
def test_a_type_that_is_no_text_is_refused_and_its_neighbours_are_kept(kind: Any) -> None:
    found = decode({"type": kind}, STARTED)

    assert [each.field for each in found.rejected] == ["type"]
    assert [each.run for each in found.items] == ["invoice-17"]


def test_an_event_is_told_whole() -> None:
    sent = {
        "type": "step.failed",
        "run": " invoice-17 ",
        "step": "read",
        "parent": "scan",
        "workflow": "invoices",
        "agent": "scanner",
        "kind": "tool",
        "system": "archive",
        "name": "Read the page",
        "at": "2026-11-22T12:00:00.25+01:00",
        "status": "error",
        "error": "timeout",
        "attributes": {"pages": 3},
        "more": "is welcome",
    }

    assert only(sent) == RawEvent(
        "step.failed",
        "invoice-17",
        "read",
        "scan",
        "invoices",
        "scanner",
        "tool",
        "archive",
        "Read the page",
        NOW - 3_599_750_000_000,
        "error",
        "timeout",
        {"pages": 3},
    )


def test_what_is_null_was_not_given() -> None:
    found = only({**STARTED, "step": None, "agent": None, "at": None, "attributes": None})

    assert (found.step, found.agent, found.at_ns, found.attributes) == ("", "", NOW, {})


@pytest.mark.parametrize("at", [NOW - 5, str(NOW - 5)])
def test_a_time_may_be_unix_nanoseconds(at: int | str) -> None:
    assert only({**STARTED, "at": at}).at_ns == NOW - 5


@pytest.mark.parametrize(
    ("event", "field", "words"),
    [
        (5, "", "Expected object"),
        ({"run": "x"}, "type", "is missing"),
        ({"type": "run.ended", "run": "x"}, "type", "must be one of"),
        ({"type": "decision.recorded"}, "type", "needs a key with the scope admin"),
        ({"type": "run.started"}, "run", "must name its run"),
        ({"type": "run.started", "run": "  "}, "run", "must name its run"),
        ({"type": "step.started", "run": "x"}, "step", "must name its step"),
        ({"type": "heartbeat", "run": "x"}, "agent", "must name its agent"),
        ({**STARTED, "run": 17}, "run", "got int"),
        ({**STARTED, "run": "x" * 201}, "run", "longer than 200"),
        ({**STARTED, "agent": "x" * 201}, "agent", "longer than 200"),
        ({**STARTED, "kind": "robot"}, "kind", "must be one of agent, human, llm"),
        ({**STARTED, "at": "yesterday"}, "at", "a time with its zone"),
        ({**STARTED, "at": "2026-11-22T10:00:00"}, "at", "a time with its zone"),
        ({**STARTED, "at": True}, "at", "got bool"),
        ({**STARTED, "at": NOW // 10**9}, "at", "Unix nanoseconds"),
        ({**STARTED, "at": NOW - 31 * DAY_NS}, "at", "before the days that are kept"),
        ({**STARTED, "at": "9999-12-31T23:59:59Z"}, "at", "more than a day ahead"),
        ({**STARTED, "at": 2**64 - 1}, "at", "more than a day ahead"),
        ({**STARTED, "attributes": [1]}, "attributes", "Expected object"),
        ({**STARTED, "attributes": {"deep": nested(40)}}, "attributes", "nested more than 32"),
    ],
)
def test_a_bad_event_is_told_by_its_field_and_leaves_its_neighbours(event: Any, field: str, words: str) -> None:
    found = decode(STARTED, event, STARTED)

    (bad,) = found.rejected
    assert isinstance(bad, BadEvent)
    assert (bad.index, bad.field) == (1, field)
    assert words in bad.message
    assert len(found.items) == 2


def test_attributes_may_be_nested_as_deep_as_spans_may() -> None:
    assert decode({**STARTED, "attributes": {"deep": nested(31)}}).rejected == []


def test_text_that_no_database_holds_is_mended() -> None:
    body = rb'{"events":[{"type":"run.started","run":"a\ud800\u0000b","attributes":{"\u0000":["\udfff"]}}]}'

    (found,) = decode_events(body, NOW, 30).items

    assert (found.run, found.attributes) == ("a\ufffd\ufffdb", {"\ufffd": ["\ufffd"]})


def test_a_name_is_cut_and_an_error_is_bounded() -> None:
    found = only({**STARTED, "name": "n" * 300, "error": "e" * 5000})

    assert (len(found.name), len(found.error)) == (256, 4000)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"events": {}}', b'{"event": []}', b"\xff", b'{"events": [NaN]}', b"[" * 10**5],
)
def test_what_is_no_list_of_events_is_undecodable(body: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_events(body, NOW, 30)
