"""Malformed requests are refused well: never by a fault of ours, and never at the cost of a good neighbour."""

from __future__ import annotations

import gzip
import time

import orjson
import pytest

from orchestration.telemetry.admission import Undecodable
from orchestration.telemetry.bounds import bound_attributes
from orchestration.telemetry.otlp import decode_traces, inspect
from orchestration.telemetry.redaction import redact_attributes
from tests.api.door import JSON, Door
from tests.api.mutations import mutated, with_one_bad
from tests.waiting import allowed


def test_no_body_makes_the_door_fail(door: Door) -> None:
    for place, (body, content_type) in enumerate(mutated(300, seed=1)):
        packed = gzip.compress(body) if place % 3 == 0 else body
        headers = {"Content_Encoding": "gzip"} if place % 3 == 0 else {}

        began = time.monotonic()
        reply = door.send("/v1/traces", packed, content_type, **headers)  # type: ignore[arg-type]

        assert reply.status in {200, 400, 413}, body
        assert reply.headers["content-type"] == content_type
        assert time.monotonic() - began < allowed(5)


def test_a_bad_span_never_costs_a_neighbour() -> None:
    for body in with_one_bad(1000, seed=2):
        assert inspect("traces", body, "protobuf", time.time_ns(), 30).kept >= 9


def test_door_and_digest_agree_and_what_is_kept_can_be_stored() -> None:
    now = time.time_ns()
    for body, content_type in mutated(2000, seed=3):
        encoding = "json" if content_type == JSON else "protobuf"
        try:
            tally = inspect("traces", body, encoding, now, 30)
        except Undecodable:
            with pytest.raises(Undecodable):
                decode_traces(body, encoding, now, 30)
            continue

        found = decode_traces(body, encoding, now, 30)

        assert (tally.kept, tally.rejected) == (len(found.items), found.rejected)
        for span in found.items:
            stored = orjson.dumps(bound_attributes(redact_attributes(span.attributes)[0])[0])
            assert b"\\u0000" not in stored
            assert "\0" not in span.name + span.message
