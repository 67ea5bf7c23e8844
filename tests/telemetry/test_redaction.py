from __future__ import annotations

import time
from typing import Any

import pytest

from orchestration.telemetry.redaction import is_card, is_sensitive, redact_attributes, redact_text

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("use sk-proj-abcdefghij0123456789 now", "use [redacted:key] now"),
        ("sk_live_abcdefghij0123456789", "[redacted:key]"),
        ("id AKIAIOSFODNN7EXAMPLE.", "id [redacted:key]."),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[redacted:key]"),
        ("github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuv", "[redacted:key]"),
        ("xoxb-123456789012-abcdefghijkl", "[redacted:key]"),
        ("AIzaSyA1234567890abcdefghijklmnopqrstuv", "[redacted:key]"),
        ("bat_pv16PiNsZ9yGOq1DgyxcObQtxUEx68fdL8VTvBcPTw4", "[redacted:key]"),
        (f"token {JWT}!", "token [redacted:jwt]!"),
        (f"key: {PEM} after", "key: [redacted:pem] after"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKC", "[redacted:pem]"),
        ("postgresql://bob:hunter2@db/x", "postgresql://bob:[redacted:password]@db/x"),
        ("https://:s3cret@host", "https://:[redacted:password]@host"),
        ("Authorization: Bearer abcdef1234567890", "Authorization: Bearer [redacted:token]"),
        ('"authorization": "Basic dXNlcjpwYXNzd29yZA=="', '"authorization": "Basic [redacted:token]"'),
        ("curl -H 'authorization: bearer abcdef123456'", "curl -H 'authorization: bearer [redacted:token]'"),
        ("Set-Cookie: sid=abc; Path=/", "Set-Cookie: [redacted:cookie]"),
        ("pay with 4111 1111 1111 1111 today", "pay with [redacted:card] today"),
        ("5500-0055-5555-5559", "[redacted:card]"),
        ("amex 3782 822463 10005", "amex [redacted:card]"),
        ("password=hunter2&user=bob", "password=[redacted:secret]&user=bob"),
        ("DB_PASSWORD='correct horse'", "DB_PASSWORD='[redacted:secret]'"),
        ("client_secret: abc", "client_secret: [redacted:secret]"),
        ("access_token=abc", "access_token=[redacted:secret]"),
        ('{"password": "a\\"b", "x": 1}', '{"password": "[redacted:secret]", "x": 1}'),
        ('{"api-key":"abc"', '{"api-key":"[redacted:secret]"'),
        ('{"api_key": "cut off', '{"api_key": "[redacted:secret]'),
        (
            '{"a": "{\\"secret\\": \\"b c\\", \\"d\\": 1}"}',
            '{"a": "{\\"secret\\": \\"[redacted:secret]\\", \\"d\\": 1}"}',
        ),
        ("{'apiKey': 'abc'}", "{'apiKey': '[redacted:secret]'}"),
    ],
)
def test_a_secret_is_taken_out_and_what_is_around_it_stays(text: str, clean: str) -> None:
    assert redact_text(text) == (clean, 1)
    assert redact_text(clean) == (clean, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "refund-desk-aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "task-0123456789abcdef0123456789",
        '{"temperature":0.2,"max_tokens":2048}',
        "the secret is out and the password was changed",
        "payment authorization: approved",
        '{"password": null, "secret": "", "token": false}',
        "4111 1111 1111 1112",
        "1795368057461650081",
        "order 1234567890123456",
        "0.4111111111111111",
        "7f4111111111111111",
        "mailto:bob@example.org and http://host:8000/path?a=b@c",
        "2026-11-22T12:00:00.000000Z",
        "a bearer of bad news",
        "gen_ai.usage.input_tokens: 120",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == (text, 0)


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "db.user.password",
        "DB_PASSWORD",
        "api_key",
        "apiKey",
        "x-api-key",
        "client_secret",
        "accessToken",
        "auth.token",
        "http.request.header.authorization",
        "http.request.header.cookie",
        "http.response.header.set-cookie",
        "aws.credentials",
        "ssh.private-key",
    ],
)
def test_a_key_that_names_a_secret_hides_its_value(key: str) -> None:
    assert is_sensitive(key)
    assert redact_attributes({key: "anything", "a": 1}) == ({key: "[redacted:secret]", "a": 1}, 1)


@pytest.mark.parametrize(
    "key",
    [
        "gen_ai.usage.input_tokens",
        "llm.token_count.prompt",
        "gen_ai.request.max_tokens",
        "gen_ai.token.type",
        "k8s.secret.name",
        "session.id",
        "author",
        "http.cookie.count",
    ],
)
def test_a_key_that_only_sounds_like_a_secret_keeps_its_value(key: str) -> None:
    assert redact_attributes({key: "value"}) == ({key: "value"}, 0)


def test_attributes_without_a_secret_are_the_very_same_dict() -> None:
    attributes = {"gen_ai.operation.name": "chat", "n": 3, "list": ["stop"], "f": 0.5, "none": None}

    assert redact_attributes(attributes)[0] is attributes


def test_secrets_are_found_wherever_a_value_can_hide_them() -> None:
    attributes: dict[str, Any] = {
        "list": ["fine", f"see {JWT}"],
        "map": {"deep": [{"password": "hunter2"}], "card": 4111111111111111},
        "bytes": b"sk-proj-abcdefghij0123456789",
        "number": 4111111111111111,
        "max_token": 12,
    }

    found, n = redact_attributes(attributes)

    assert n == 5
    assert found == {
        "list": ["fine", "see [redacted:jwt]"],
        "map": {"deep": [{"password": "[redacted:secret]"}], "card": "[redacted:card]"},
        "bytes": "[redacted:key]",
        "number": "[redacted:card]",
        "max_token": 12,
    }


@pytest.mark.parametrize(
    ("digits", "card"),
    [("4111111111111111", True), ("4111111111111112", False), ("6011111111111117", True), ("9111111111111111", False)],
)
def test_a_card_has_an_issuer_and_a_check_digit(digits: str, card: bool) -> None:
    assert is_card(digits) is card


@pytest.mark.parametrize(
    "piece",
    [
        "-----BEGIN A-----",
        "eyJ",
        "eyJaaaaaaaa.eyJ",
        "sk-",
        "bat_",
        "://a:",
        "Bearer ",
        'password="',
        "password='\\",
        'secret=\\\\"',
        "\\\\\\\\",
        "4111 1111 ",
        "4111",
        "cookie:",
        "authorization: basic ",
        "a_token",
    ],
)
def test_hostile_text_takes_time_in_proportion_to_its_length(piece: str) -> None:
    text = "password=x " + piece * (200_000 // len(piece))

    began = time.thread_time()
    redact_text(text)

    assert time.thread_time() - began < 1  # in proportion it is a tenth of that, squared it would be many seconds
