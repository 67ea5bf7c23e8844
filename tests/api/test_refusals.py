"""What is wrong with a request is told in one shape at every door, lean or Django's; what is said twice is refused."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from orchestration.api import parsed
from orchestration.api.refusals import Refused
from orchestration.policies.models import Decision
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Workspace
from tests.api.door import JSON, Door

ASK = {"agent": "refund-bot", "action": {"type": "refund", "amount": 5000}}


@pytest.fixture
def door(served: int, tenant: Workspace) -> Door:
    return Door(served, create_key(tenant, "all", ["decide", "work", "read", "admin"])[1])


def send(door: Door, path: str, body: bytes, **more: Any) -> tuple[int, Any]:
    reply = door.send(f"/api/v1/{path}", body, JSON, **more)
    return reply.status, reply.json()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "decisions", {}),
        ("POST", "decisions", {"items": 7}),
        ("POST", "decisions?dry=1", ASK),
        ("POST", "holds", {}),
        ("POST", "holds?wait=5", {}),
        ("GET", "holds/01890000-0000-7000-8000-000000000000?wait=long", {}),
        ("GET", "holds/01890000-0000-7000-8000-000000000000?for=5", {}),
        ("POST", "leases", {}),
        ("POST", "leases?wait=soon", {"agent": "a"}),
        ("POST", "leases?most=2", {"agent": "a"}),
        ("POST", "claims", {}),
        ("POST", "handoffs", {}),
        ("POST", "route", {}),
        ("POST", "route", {"risk": "none"}),
        ("POST", "route?dry=1", {"task": "pay"}),
        ("POST", "runs", {}),
        ("POST", "runs", {"workflow": "Nothing"}),
        ("POST", "workflows", {"definition": {}}),
        ("POST", "actions", {"kind": "dance"}),
        ("GET", "runs?limit=0", {}),
        ("GET", "runs?colour=red", {}),
        ("GET", "runs?cursor=x", {}),
    ],
)
def test_a_fault_is_named_in_the_same_shape_at_every_door(door: Door, method: str, path: str, body: Any) -> None:
    status, told = send(door, path, orjson.dumps(body) if method == "POST" else b"", method=method)

    assert (status, told["status"], bool(told["detail"])) == (422, 422, True), told
    assert told["errors"]
    for each in told["errors"]:
        assert set(each) == {"field", "type", "message", "detail"}
        assert each["message"]
        assert each["detail"] == each["message"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("decisions", b'{"agent":"a","action":{"type":"refund","amount":5,"amount":5000}}', "action.amount"),
        ("decisions", b'{"agent":"a","action":{"type":"refund"},"agent":"b"}', "agent"),
        ("decisions", b'{"items":[],"items":[]}', "items"),
        ("holds", b'{"agent":"a","question":"Pay 5?","question":"Pay 5000?"}', "question"),
        ("leases", b'{"agent":"a","agent":"b"}', "agent"),
        ("claims", b'{"run":"r","key":"k","key":"l","agent":"a"}', "key"),
        ("handoffs", b'{"to":"a","to":"b"}', "to"),
        ("route", b'{"task":"pay","amount":5,"amount":5000}', "amount"),
        ("runs", b'{"workflow":"Refund","input":{"amount":5,"amount":5000}}', "input.amount"),
    ],
)
def test_what_is_said_twice_is_refused(door: Door, tenant: Workspace, path: str, body: bytes, field: str) -> None:
    status, told = send(door, path, body)

    assert (status, [each["field"] for each in told["errors"]]) == (422, [field]), told
    assert {each["type"] for each in told["errors"]} == {"repeated"}
    assert not Decision.objects.filter(workspace=tenant).exists()


@pytest.mark.parametrize("number", [b"1e30", b"-1E+19", b"12345678901234567890123", b"1.5e300"])
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("decisions", b'{"agent":"a","action":{"type":"refund","arguments":{"of":[1,%b]}}}', "action.arguments.of[1]"),
        ("holds", b'{"agent":"a","question":"Pay?","facts":{"amount": %b}}', "facts.amount"),
        ("handoffs", b'{"to":"a","data":{"x":%b}}', "data.x"),
        ("runs", b'{"workflow":"Refund","input":{"amount":%b}}', "input.amount"),
    ],
)
def test_a_number_that_nobody_could_read_again_is_refused(
    door: Door, tenant: Workspace, path: str, body: bytes, field: str, number: bytes
) -> None:
    status, told = send(door, path, body % number)

    assert (status, [each["field"] for each in told["errors"]]) == (422, [field]), told
    assert {each["type"] for each in told["errors"]} == {"too_large"}


@pytest.mark.parametrize("value", [b"9223372036854775807", b"-9223372036854775808", b"1e18", b'"1e30, 1e30"', b"1e-30"])
def test_a_number_of_64_bits_is_taken(value: bytes) -> None:
    given = b'{"a": [%b], "b":%b}' % (value, value)

    assert parsed.parsed(given) == orjson.loads(given)


def test_of_a_list_only_the_ask_that_says_it_twice_is_refused(door: Door) -> None:
    good = orjson.dumps(ASK)
    twice = b'{"agent":"a","action":{"type":"refund","amount":5,"amount":5000}}'

    status, told = send(door, "decisions", b'{"items":[%b,%b,%b]}' % (good, twice, good))

    assert (status, [each.get("effect") for each in told["items"]]) == (200, ["allow", None, "allow"])
    assert told["items"][1]["error"]["errors"][0]["field"] == "action.amount"


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ('{"a": {"b": [1, {"c": 1, "d": {"c": 2}}]}, "b": "x:y"}', []),
        (r'{"a": "\u003a", "b": {"a": 1}, "\u003a": ":"}', []),
        ('{"a": 123456789012345678901234567890, "b": 1e5}', []),
        ('{"a": 1, "a": 1}', ["a"]),
        (r'{"amount": 1, "amo\u0075nt": 2}', ["amount"]),
        (r'{"a": 1, "a": "\u003a"}', ["a"]),
        (r'[{"x": "\u003a\u003A"}, {"a": {"b": 1, "b": [{"c": 1, "c": 2}]}}]', ["[1].a.b", "[1].a.b[0].c"]),
        ('{"a": {"x": 1}, "a": {"x": 1}}', ["a"]),
        ("[" + '{"a":' * 200 + '{"b": 1, "b": 2}' + "}" * 200 + "]", ["[0]" + ".a" * 200 + ".b"]),
    ],
)
def test_what_is_said_twice_is_found_wherever_it_stands(text: str, places: list[str]) -> None:
    given, ills = parsed.read(text.encode())

    assert given == orjson.loads(text)
    assert [parsed.named(ill.place) for ill in ills if ill.kind == "repeated"] == places


@pytest.mark.parametrize("body", [b"", b"{", b"nothing", b'{"a": NaN}', b'"\xff"', b'{"a":' * 2000])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        parsed.parsed(body)

    assert refused.value.status == 400


def test_text_of_colons_and_escapes_is_never_taken_for_a_repetition() -> None:
    """Whatever a program writes with escapes or without, each name once, is read."""
    given = {
        f"k:{n}": {"t": "12:30:00", "z": ["\u003a", "ä:", "\n", "\\:", '"a": 1, "a": 2', "\\u003a"]} for n in range(9)
    }

    for text in (orjson.dumps(given), json.dumps(given).encode(), json.dumps(given, indent=1).encode()):
        assert parsed.parsed(text) == given
