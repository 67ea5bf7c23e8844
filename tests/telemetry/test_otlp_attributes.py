"""Attributes are read alike the first time and from memory."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from orchestration.telemetry import otlp_attributes
from orchestration.telemetry.otlp_attributes import pairs_of
from orchestration.telemetry.otlp_attributes import read as read_pairs


def read(encoded: list[bytes]) -> tuple[dict[str, Any], bytes | None]:
    return read_pairs(pairs_of(encoded))


def pair(key: str, value: AnyValue) -> bytes:
    return KeyValue(key=key, value=value).SerializeToString()


def text(key: str, value: str) -> bytes:
    return pair(key, AnyValue(string_value=value))


@pytest.mark.parametrize("again", [False, True])
def test_plain_attributes_come_with_their_json(again: bool) -> None:
    several = ArrayValue(values=[AnyValue(string_value="stop")])
    encoded = [text("a", "é\0"), pair("n", AnyValue(int_value=0)), pair("l", AnyValue(array_value=several))]
    if again:
        read(encoded)

    found, shown = read(encoded)

    assert found == {"a": "é�", "n": 0, "l": ["stop"]}
    assert shown is not None
    assert orjson.loads(shown) == found


@pytest.mark.parametrize(
    "encoded",
    [
        [text("password", "hunter22")],
        [text("said", "my key is sk-" + "a1B2" * 10)],
        [pair("card", AnyValue(int_value=4111111111111111))],
        [text("long", "x" * 20_000)],
        [pair("raw", AnyValue(bytes_value=b"\1"))],
        [text("twice", "1"), text("twice", "2")],
        [text(f"k{i}", "v") for i in range(200)],
    ],
)
def test_what_may_have_to_change_comes_without_json(encoded: list[bytes]) -> None:
    assert [read(encoded)[1] for _ in range(2)] == [None, None]


def test_an_attribute_that_cannot_be_read_leaves_a_note_and_takes_nothing_along() -> None:
    found, _ = read([text("good", "1"), b"\x0a\xff"])

    assert found == {"good": "1", "baton.broken": True}


def test_a_key_of_many_values_is_not_remembered_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = otlp_attributes._Remembered()
    monkeypatch.setattr(otlp_attributes, "_remembered", memory)

    for i in range(3 * otlp_attributes.VALUES):
        read([text("id", str(i))])

    assert len(memory) == otlp_attributes.VALUES
