from __future__ import annotations

from typing import Any

import orjson

from orchestration.telemetry.bounds import CUT, DROPPED, bound_attributes


def test_ordinary_attributes_are_the_very_same_dict() -> None:
    attributes = {"a": "text", "n": 1, "list": ["stop"], "map": {"a": 1}}

    found, lost = bound_attributes(attributes)

    assert (found, lost) == (attributes, 0)


def test_a_long_value_is_cut_and_noted() -> None:
    found, lost = bound_attributes({"a": "é" * 20_000, "b": "short"})

    assert len(found["a"].encode()) <= 16_384
    assert (found["b"], found[CUT], lost) == ("short", 1, 1)


def test_a_long_list_becomes_the_beginning_of_its_json() -> None:
    found, _ = bound_attributes({"list": ["word"] * 10_000})

    assert found["list"].startswith('["word","word"')
    assert len(found["list"]) == 16_384


def test_bytes_become_text_at_any_depth() -> None:
    found, lost = bound_attributes({"a": b"\0\xff", "b": [{"c": b"x"}]})

    assert (found, lost) == ({"a": "AP8=", "b": [{"c": "eA=="}]}, 0)
    orjson.dumps(found)


def test_attributes_beyond_the_limit_are_dropped_but_for_those_that_are_read() -> None:
    attributes: dict[str, Any] = {f"k{i}": i for i in range(200)} | {"gen_ai.agent.name": "refund"}

    found, lost = bound_attributes(attributes, {"gen_ai.agent.name"})

    assert (len(found), found[DROPPED], lost) == (128 + 1 + 1, 72, 72)
    assert (found["gen_ai.agent.name"], "k127" in found, "k128" in found) == ("refund", True, False)
