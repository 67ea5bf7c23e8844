from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from orchestration.telemetry.neutral import BadLine, decode_lines, read_line, since_2000

NOW = 1_767_225_600_000_000_000
WHEN = since_2000(NOW)
YEAR = 365 * 86_400 * 1_000_000_000


def line(**changes: Any) -> bytes:
    said: dict[str, Any] = {
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331",
        "parent_id": None,
        "name": "chat gpt-4o",
        "kind": "client",
        "start_ns": NOW - 5 * YEAR,
        "end_ns": NOW - 5 * YEAR + 1000,
        "status": "error",
        "status_message": "too long",
        "attributes": {"service.name": "desk", "gen_ai.operation.name": "chat"},
    }
    return json.dumps({key: value for key, value in (said | changes).items() if value != "gone"}).encode()


def test_a_line_says_whose_span_it_is_and_what_it_tells() -> None:
    span = read_line(line(), WHEN, {})

    assert (span.trace_id.hex(), span.span_id.hex(), span.parent_id) == (
        "0af7651916cd43dd8448eb211c80319c",
        "b7ad6b7169203331",
        b"",
    )
    assert (span.span_kind, span.status, span.message, span.resource.service) == (3, 2, "too long", "desk")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"trace_id": "0" * 32}, "trace_id"),
        ({"trace_id": "xyz"}, "trace_id"),
        ({"trace_id": "gone"}, "trace_id"),
        ({"span_id": "b7ad"}, "span_id"),
        ({"parent_id": "b7ad"}, "parent_id"),
        ({"start_ns": 17}, "start_ns"),
        ({"start_ns": "yesterday"}, "start_ns"),
        ({"start_ns": NOW + YEAR}, "start_ns"),
        ({"end_ns": -1}, "end_ns"),
        ({"name": 7}, "name"),
        ({"attributes": [1]}, "attributes"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadLine) as caught:
        read_line(line(**changes), WHEN, {})

    assert caught.value.field == field


@pytest.mark.parametrize("text", [b"{", b"[]", b'"span"', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_object_is_a_bad_line(text: bytes) -> None:
    with pytest.raises(BadLine):
        read_line(text, WHEN, {})


def test_words_that_nobody_knows_lose_no_span() -> None:
    span = read_line(line(kind="unspecified", status=None, end_ns=None), WHEN, {})

    assert (span.span_kind, span.status, span.end_ns) == (0, 0, 0)


def test_attributes_fit_what_stores_them() -> None:
    deep: Any = "bottom"
    for _ in range(40):
        deep = [deep]

    span = read_line(line(attributes={"n": 2**70, "nul": "a\0b", "list": ["\ud800"]}), WHEN, {})

    assert orjson.dumps(span.attributes)
    assert (span.attributes["nul"], span.attributes["list"]) == ("a\ufffdb", ["\ufffd"])
    with pytest.raises(BadLine):
        read_line(line(attributes={"deep": deep}), WHEN, {})


def test_bad_lines_are_counted_and_their_neighbours_kept() -> None:
    found = decode_lines(b"\n".join([line(), b"nonsense", line(span_id="00f067aa0ba902b7")]), NOW)

    assert len(found.items) == 2
    assert found.rejected.total() == 1
