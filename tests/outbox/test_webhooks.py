"""One message posted, to a real server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
import time
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest

from orchestration.outbox import webhooks
from orchestration.outbox.webhooks import Letter
from tests.outbox.receiver import Receiver

LETTER = Letter(
    UUID(int=7), "hold.applied", datetime(2026, 11, 22, 12, 0, tzinfo=UTC), {"id": "h-1", "state": "applied"}
)
pytestmark = pytest.mark.usefixtures("inside")


def test_what_is_sent_is_signed_as_standard_webhooks_has_it(receiver: Receiver) -> None:
    outcome = webhooks.post(receiver.url, [b"new secret", b"old secret"], LETTER)

    path, headers, body = receiver.got[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = [
        "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
        for secret in (b"new secret", b"old secret")
    ]
    assert outcome.ok
    assert (path, headers["host"]) == ("/hook", f"127.0.0.1:{receiver.port}")
    assert headers["webhook-signature"].split(" ") == expected
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 5
    assert orjson.loads(body) == {
        "type": "hold.applied",
        "timestamp": "2026-11-22T12:00:00.000000Z",
        "data": {"id": "h-1", "state": "applied"},
    }


def test_each_try_tells_the_same_id_and_the_same_body(receiver: Receiver) -> None:
    for _ in range(2):
        webhooks.post(receiver.url, [b"s"], LETTER)

    (_, first, one), (_, second, two) = receiver.got
    assert (first["webhook-id"], one) == (second["webhook-id"], two)


def test_no_redirect_is_followed(receiver: Receiver) -> None:
    receiver.answer = lambda got: (302, {"Location": receiver.url + "/elsewhere"}, b"")

    outcome = webhooks.post(receiver.url, [b"s"], LETTER)

    assert (outcome.ok, outcome.status, len(receiver.got)) == (False, 302, 1)
    assert "follows no redirects" in outcome.error


def test_who_answers_drop_by_drop_is_cut_off(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "LIMIT_S", 1.0)
    receiver.drip = True
    began = time.monotonic()

    outcome = webhooks.post(receiver.url, [b"s"], LETTER)

    assert outcome.status is None
    assert "No answer within" in outcome.error
    assert time.monotonic() - began < 2


def test_a_long_answer_is_not_read_to_its_end(receiver: Receiver) -> None:
    receiver.answer = lambda got: (200, {"Content-Length": str(1 << 40)}, b"x" * (1 << 20))
    began = time.monotonic()

    assert webhooks.post(receiver.url, [b"s"], LETTER).ok
    assert time.monotonic() - began < 3


def test_a_receiver_that_is_busy_may_say_for_how_long(receiver: Receiver) -> None:
    receiver.answer = lambda got: (503, {"Retry-After": "90"}, b"")

    assert webhooks.post(receiver.url, [b"s"], LETTER).again_s == 90


def test_nobody_there_is_an_outcome_and_no_error(receiver: Receiver) -> None:
    receiver.stop()

    outcome = webhooks.post(receiver.url, [b"s"], LETTER)

    assert (outcome.status, outcome.ok) == (None, False)
    assert outcome.error


def test_authorities_are_read_once_and_asked_each_time() -> None:
    trust = webhooks._trust()

    assert webhooks._trust() is trust
    assert (trust.verify_mode, trust.check_hostname) == (ssl.CERT_REQUIRED, True)
