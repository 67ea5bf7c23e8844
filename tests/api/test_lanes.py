"""Statements that many ask at once: each is answered after its own commit, and a bad one takes no other with it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from orchestration.api.lanes import SIZE, TOGETHER, Lanes
from orchestration.api.pool import Unavailable, connect

Answers = list[Any]
INSERT = """
with one as (
    insert into {} values (%(n)s, %(small)s, %(twin)s) on conflict (n) do nothing
) select %(n)s::int
"""
END = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and strpos(query, %s) > 0"


@pytest.fixture
def table(transactional_db: None) -> Iterator[str]:
    """With a constraint that is looked at when it is asked, and one that is looked at when it is committed."""
    name = f"lanes_{secrets.token_hex(4)}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"create table {name} (n int primary key, small int check (small < 100), "
            f"twin int unique deferrable initially deferred)"
        )
    yield name
    with connection.cursor() as cursor:
        cursor.execute(f"drop table {name}")


def with_lanes(table: str, work: Callable[[Lanes], Awaitable[Any]], statement: str = "") -> Any:
    async def run() -> Any:
        lanes = Lanes(statement or INSERT.format(table))
        await lanes.open()
        try:
            return await work(lanes)
        finally:
            await lanes.close()

    return asyncio.run(run())


def row(n: int, small: int | str = 1, twin: int | None = None) -> dict[str, Any]:
    return {"n": n, "small": small, "twin": twin}


async def together(lanes: Lanes, rows: list[dict[str, Any]]) -> Answers:
    return await asyncio.gather(*(lanes.ask(each, str(each["n"])) for each in rows), return_exceptions=True)


def stored(table: str) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(f"select n from {table}")
        return {n for (n,) in cursor}


def test_everybody_gets_the_answer_to_his_own(table: str) -> None:
    rows = [row(n) for n in range(5 * TOGETHER)]

    answers = with_lanes(table, lambda lanes: together(lanes, rows))

    assert answers == [(b"%d" % n,) for n in range(5 * TOGETHER)]
    assert stored(table) == set(range(5 * TOGETHER))


def test_another_statement_goes_the_same_way(table: str) -> None:
    async def both() -> Answers:
        lanes = Lanes(INSERT.format(table), double="select 2 * %(n)s::int")
        await lanes.open()
        try:
            asked = (lanes.ask(row(1)), lanes.ask({"n": 21}, name="double"), lanes.ask(row(2)))
            return list(await asyncio.gather(*asked))
        finally:
            await lanes.close()

    assert asyncio.run(both()) == [(b"1",), (b"42",), (b"2",)]


def test_those_who_gather_are_committed_together(table: str) -> None:
    rows = [row(n) for n in range(SIZE + SIZE * TOGETHER)]

    with_lanes(table, lambda lanes: together(lanes, rows))

    with connection.cursor() as cursor:
        cursor.execute(f"select count(distinct xmin::text) from {table}")
        assert cursor.fetchone()[0] <= 2 * SIZE


@pytest.mark.parametrize("bad", [row(7, 100), row(7, "many"), row(7, 1, 50)])
def test_a_bad_one_hurts_no_neighbour(table: str, bad: dict[str, Any]) -> None:
    """Refused when it is carried out, when it is read, or only when it is committed."""
    rows = [row(50, 1, 50), *(bad if n == 7 else row(n) for n in range(30))]

    async def work(lanes: Lanes) -> Answers:
        await lanes.ask(rows[0])
        return await together(lanes, rows[1:])

    answers = with_lanes(table, work)

    assert [n for n, answer in enumerate(answers) if isinstance(answer, Exception)] == [7]
    assert isinstance(answers[7], Unavailable)
    assert stored(table) == {50, *range(30)} - {7}


def test_two_that_lock_the_same_keys_do_not_stop_each_other(table: str) -> None:
    rows = [row(n) for _ in range(8) for n in (*range(20), *reversed(range(20)))]

    answers = with_lanes(table, lambda lanes: together(lanes, rows))

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert len([answer for answer in answers if answer]) == len(rows)
    assert stored(table) == set(range(20))


def test_a_connection_that_broke_is_replaced_without_anybody_noticing(table: str) -> None:
    async def work(lanes: Lanes) -> Answers:
        await together(lanes, [row(n) for n in range(4)])
        async with await connect() as other:
            await other.execute(END, [f"insert into {table}"])
        return await together(lanes, [row(n) for n in range(4, 40)])

    answers = with_lanes(table, work)

    assert answers == [(b"%d" % n,) for n in range(4, 40)]


def test_a_value_larger_than_a_socket_takes_arrives(table: str) -> None:
    """And its neighbours behind it."""
    length = "select length(%(text)s::text)"

    async def work(lanes: Lanes) -> Answers:
        return await asyncio.gather(*(lanes.ask({"text": "x" * (n << 20)}) for n in (8, 0, 4, 0, 2)))

    assert with_lanes(table, work, length) == [(b"%d" % (n << 20),) for n in (8, 0, 4, 0, 2)]


def test_who_waits_too_long_is_told_so_and_the_next_is_served(table: str) -> None:
    slow = "select pg_sleep(%(seconds)s::float8) is null"

    async def work(lanes: Lanes) -> Answers:
        first = await asyncio.gather(*(lanes.ask({"seconds": 60}) for _ in range(6)), return_exceptions=True)
        return [*first, await lanes.ask({"seconds": 0})]

    answers = with_lanes(table, work, slow)

    assert [type(answer) for answer in answers] == [Unavailable] * 6 + [tuple]


def test_without_a_server_nobody_is_kept_waiting(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused() -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("orchestration.api.lanes.connect", refused)

    answers = with_lanes(table, lambda lanes: together(lanes, [row(n) for n in range(5)]))

    assert [type(answer) for answer in answers] == [Unavailable] * 5
