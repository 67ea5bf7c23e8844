"""The doors' connections while there is no server."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from orchestration.api import pool
from orchestration.api.pool import Connection, Pool, Unavailable
from tests.waiting import allowed

LIMIT_S = 1.0


@pytest.fixture(autouse=True)
def away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pool, "LIMIT_S", LIMIT_S)
    monkeypatch.setattr(pool, "_arguments", lambda: {"host": str(tmp_path), "connect_timeout": 2})


async def look(connection: Connection) -> None:
    await connection.execute("select 1")


def test_once_a_server_has_refused_connections_nobody_waits_for_it() -> None:
    async def ask() -> tuple[list[object], float]:
        doors = Pool()
        await doors.open()
        try:
            first = await asyncio.gather(doors.run(look), return_exceptions=True)
            began = time.monotonic()
            others = await asyncio.gather(*(doors.run(look) for _ in range(20)), return_exceptions=True)
            return [*first, *others], time.monotonic() - began
        finally:
            await doors.close()

    answers, took = asyncio.run(ask())

    assert [type(answer) for answer in answers] == [Unavailable] * 21
    assert took < allowed(LIMIT_S / 2)
