from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard

from orchestration.telemetry.admission import Undecodable
from orchestration.telemetry.packing import TooLarge, pack, unpack

LIMIT = 1 << 20
BODY = b"telemetry " * 1000


def streamed(data: bytes) -> bytes:
    """A zstd frame that does not tell its length, as writers of streams make it."""
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(data) + packer.flush()


ways = pytest.mark.parametrize(
    ("compression", "compress"),
    [
        ("", bytes),
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("zstd", zstandard.compress),
        ("zstd", streamed),
        ("zstd", pack),
    ],
)


@ways
def test_what_was_packed_is_unpacked(compression: str, compress: Callable[[bytes], bytes]) -> None:
    assert unpack(compress(BODY), compression, LIMIT) == BODY
    assert unpack(compress(bytes(LIMIT)), compression, LIMIT) == bytes(LIMIT)


@ways
def test_more_than_the_limit_is_never_made(compression: str, compress: Callable[[bytes], bytes]) -> None:
    for size in (LIMIT + 1, 50 * LIMIT):
        with pytest.raises(TooLarge):
            unpack(compress(bytes(size)), compression, LIMIT)


@ways
@pytest.mark.parametrize(
    "damage", [lambda data: data[:-3], lambda data: data + b"more", lambda data: b"", lambda data: BODY]
)
def test_what_is_damaged_is_undecodable(
    compression: str, compress: Callable[[bytes], bytes], damage: Callable[[bytes], bytes]
) -> None:
    if compression:
        with pytest.raises(Undecodable):
            unpack(damage(compress(BODY)), compression, LIMIT)


def test_a_gzip_file_of_several_parts_is_one_body() -> None:
    assert unpack(gzip.compress(b"a") + gzip.compress(b"b"), "gzip", LIMIT) == b"ab"


def test_a_gzip_file_of_a_million_empty_parts_costs_nothing() -> None:
    with pytest.raises(Undecodable):
        unpack(gzip.compress(b"") * 50_000, "gzip", LIMIT)


def test_threads_pack_at_the_same_time() -> None:
    bodies = [bytes([n]) * 300_000 + random.Random(n).randbytes(300_000) for n in range(40)]

    with ThreadPoolExecutor(4) as pool:
        packed = list(pool.map(pack, bodies))

    assert [unpack(data, "zstd", LIMIT) for data in packed] == bodies
