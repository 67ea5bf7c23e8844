"""JSON of what was stored, with numbers that JSON cannot say."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from orchestration.lib.told import dumps


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (2**63 - 1, 2**63 - 1),
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
        (10**30, 1e30),
        (-(10**30), -1e30),
        (10**400, str(10**400)),
        ({"a": [1, {"b": (10**30, True)}]}, {"a": [1, {"b": [1e30, True]}]}),
    ],
)
def test_every_number_is_told_as_well_as_json_can(value: Any, told: Any) -> None:
    assert orjson.loads(dumps(value)) == told


def test_what_is_no_json_at_all_is_still_an_error() -> None:
    with pytest.raises(TypeError):
        dumps({"a": object()})
