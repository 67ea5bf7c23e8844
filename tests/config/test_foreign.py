"""DATABASE_URL and REDIS_URL: a whole Baton on servers that are not its own, and what it does when they die."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.door import Door, good
from tests.config.foreign import Server, a_postgresql, a_valkey
from tests.config.running import Running
from tests.waiting import came_true


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="baton-foreign-"))
    folder.chmod(0o711)
    for name in ("database", "broker"):
        (folder / name).mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def database(folder: Path) -> Iterator[Server]:
    server = a_postgresql(folder / "database")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def broker(folder: Path) -> Iterator[Server]:
    server = a_valkey(folder / "broker")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def baton(folder: Path, database: Server, broker: Server) -> Iterator[Running]:
    running = Running(folder / "state", DATABASE_URL=database.url, REDIS_URL=broker.url)
    yield running.start()
    running.end()


@pytest.fixture(scope="module")
def door(baton: Running) -> Door:
    made = baton.command("create_key", "--workspace", "default", "--name", "test", "--scopes", "ingest,read")
    return Door(baton.port, made.stdout.strip())


def spans_told(door: Door) -> int:
    answer = door.send("/api/v1/overview?window=1h", method="GET")
    return int(answer.json()["spans"]["digested"]) if answer.status == 200 else -1  # type: ignore[index]


def sent_and_told(door: Door) -> bool:
    """Whether spans are taken, and then told by the figures, sooner or later."""
    before = spans_told(door)
    return (
        before >= 0
        and came_true(lambda: door.traces(good()).status == 200)
        and came_true(lambda: spans_told(door) > before)
    )


def test_no_engine_is_started_beside_those_that_are_named(baton: Running, door: Door) -> None:
    assert sent_and_told(door)

    assert (baton.pid("postgres"), baton.pid("valkey")) == (0, 0)
    assert not (baton.state / "postgres").exists()


@pytest.mark.parametrize("which", ["database", "broker"])
def test_a_server_that_was_killed_and_comes_back_is_used_again(
    which: str, door: Door, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(which)

    server.kill()
    assert came_true(lambda: door.send("/readyz", method="GET").status == 503)
    server.start()

    assert came_true(lambda: door.send("/readyz", method="GET").status == 200)
    assert sent_and_told(door)


def test_a_start_without_the_server_says_which_one_is_away(folder: Path, database: Server, broker: Server) -> None:
    nowhere = Running(folder / "other", DATABASE_URL="postgresql://baton@127.0.0.1:1/baton", REDIS_URL=broker.url)

    refused = nowhere.command("up")

    assert refused.returncode != 0
    assert "DATABASE_URL" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_programs_of_postgresql_work_on_the_named_server(baton: Running) -> None:
    counted = baton.command("postgres", "psql", "-Atc", "select count(*) from workspaces_workspace")

    assert (counted.stdout.strip(), baton.pid("postgres")) == ("1", 0), counted.stderr
