"""Bodies that were good once: cut, flipped, repeated and mixed, reproducibly."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from orchestration.telemetry.wire import Frame
from tests.api.door import JSON, PROTOBUF, good
from tests.telemetry.test_otlp import as_json

NASTY = (
    b"\x00",
    b"\xff" * 9,
    b"\\ud800",
    b"\\u0000",
    b"NaN",
    b"1e999",
    b"-1",
    b'"',
    b"[[[[",
    b"}",
    b"\x12\x00",
    b"9" * 40,
)
Change = Callable[[random.Random, bytes], bytes]


def _flip(rng: random.Random, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _cut(rng: random.Random, body: bytes) -> bytes:
    return body[: rng.randrange(len(body))]


def _remove(rng: random.Random, body: bytes) -> bytes:
    at = rng.randrange(len(body))
    return body[:at] + body[at + rng.randint(1, 30) :]


def _insert(rng: random.Random, body: bytes) -> bytes:
    at = rng.randrange(len(body))
    return body[:at] + rng.choice(NASTY) + body[at:]


def _repeat(rng: random.Random, body: bytes) -> bytes:
    at = rng.randrange(len(body))
    part = body[at : at + rng.randint(1, 200)]
    return body[:at] + part * rng.randint(2, 50) + body[at:]


CHANGES: tuple[Change, ...] = (_flip, _cut, _remove, _insert, _repeat)


def mutated(count: int, seed: int) -> Iterator[tuple[bytes, str]]:
    """Bodies and their content types."""
    rng = random.Random(seed)
    originals = [(good(9).SerializeToString(), PROTOBUF), (as_json(good(9)), JSON)]
    for _ in range(count):
        body, content_type = rng.choice(originals)
        for _ in range(rng.randint(1, 3)):
            body = rng.choice(CHANGES)(rng, body) or b"\x00"
        yield body, content_type


def with_one_bad(count: int, seed: int) -> Iterator[bytes]:
    """Requests of ten spans of which one was changed, its length told rightly."""
    rng = random.Random(seed)
    for _ in range(count):
        frame = Frame.FromString(good(10).SerializeToString())
        items = frame.groups[0].scopes[0].items
        at = rng.randrange(10)
        items[at] = rng.choice(CHANGES)(rng, items[at])
        yield frame.SerializeToString()
