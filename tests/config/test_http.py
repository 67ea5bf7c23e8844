"""Answers go out in one piece, and nothing of them stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from orchestration.config.http import Together


class Sent(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def close(self) -> None:
        self.pieces.append(b"closed")

    def is_closing(self) -> bool:
        return b"closed" in self.pieces


def head_and_body(through: Together) -> None:
    through.write(b"head")
    through.write(b"body")


def head_alone(through: Together) -> None:
    through.write(b"head")


def an_end(through: Together) -> None:
    through.write(b"head")
    through.close()


def nothing_and_more(through: Together) -> None:
    for piece in (b"", b"head", b"", b"body"):
        through.write(piece)


def two_answers(through: Together) -> None:
    head_and_body(through)
    head_and_body(through)


@pytest.mark.parametrize(
    ("act", "pieces"),
    [
        (head_and_body, [b"headbody"]),
        (head_alone, [b"head"]),
        (an_end, [b"head", b"closed"]),
        (nothing_and_more, [b"head", b"body"]),
        (two_answers, [b"headbody", b"headbody"]),
    ],
)
def test_what_is_written_goes_in_order_and_as_few_pieces(act: Callable[[Together], None], pieces: list[bytes]) -> None:
    async def played() -> list[bytes]:
        sent = Sent()
        act(Together(sent, asyncio.get_running_loop()))
        await asyncio.sleep(0)
        return sent.pieces

    assert asyncio.run(played()) == pieces


def test_what_else_is_asked_of_it_is_asked_of_the_transport() -> None:
    async def played() -> bool:
        sent = Sent()
        through = Together(sent, asyncio.get_running_loop())
        sent.close()
        return bool(through.is_closing())

    assert asyncio.run(played())
