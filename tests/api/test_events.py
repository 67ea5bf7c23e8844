from __future__ import annotations

from typing import Any

import orjson

from orchestration.telemetry.models import Delivery, Signal
from tests.api.door import JSON, PROTOBUF, Door

STARTED = {"type": "run.started", "run": "invoice-17", "agent": "scanner"}


def send(door: Door, *events: Any) -> tuple[int, dict[str, Any]]:
    reply = door.send("/api/v1/events", orjson.dumps({"events": events}), JSON)
    return reply.status, reply.json()


def test_events_are_stored_before_they_are_answered(door: Door) -> None:
    assert send(door, STARTED, {"type": "heartbeat", "agent": "scanner"}) == (200, {"accepted": 2, "rejected": []})

    delivery = Delivery.objects.get()
    assert (delivery.signal, delivery.items, delivery.encoding) == (Signal.EVENTS, 2, "json")


def test_a_bad_event_is_named_and_its_neighbours_are_kept(door: Door) -> None:
    status, body = send(door, STARTED, {"type": "step.started", "run": "invoice-17"}, STARTED)

    assert (status, body["accepted"]) == (200, 2)
    assert body["rejected"] == [{"index": 1, "field": "step", "message": "step.started must name its step"}]


def test_events_of_which_none_is_good_are_a_problem(door: Door) -> None:
    reply = door.send("/api/v1/events", orjson.dumps({"events": [{"type": "run.ended", "run": "x"}]}), JSON)

    assert (reply.status, reply.headers["content-type"]) == (422, "application/problem+json")
    body = reply.json()
    assert body["title"] == "Unprocessable Entity" or body["status"] == 422
    assert body["rejected"][0]["field"] == "type"  # type: ignore[index]
    assert not Delivery.objects.exists()


def test_an_empty_list_is_taken_and_leaves_nothing(door: Door) -> None:
    assert send(door) == (200, {"accepted": 0, "rejected": []})
    assert not Delivery.objects.exists()


def test_what_is_no_list_of_events_is_a_problem(door: Door) -> None:
    for body in (b"{", b"[]", b'{"events": {}}', b"null"):
        reply = door.send("/api/v1/events", body, JSON)

        assert (reply.status, reply.headers["content-type"]) == (400, "application/problem+json")


def test_other_ways_to_ask_are_told_apart(door: Door) -> None:
    assert door.send("/api/v1/events", b"{}", PROTOBUF).status == 415
    assert door.send("/api/v1/events", b"", JSON, method="GET").status == 405
    assert Door(door.port).send("/api/v1/events", b"{}", JSON).status == 401
    assert door.send("/api/v1/events", iter([bytes(1 << 20)] * 30), JSON).status == 413
