"""A whole Baton: what dies is started again, and the end is the end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from orchestration.config import supervise
from orchestration.config.state import State
from tests.waiting import LONG_S, came_true

from .running import PARTS, Running


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="baton-up-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def baton(folder: Path) -> Iterator[Running]:
    running = Running(folder / "state")
    yield running
    if running.process:
        running.end()


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_process_is_started_again(baton: Running, part: str) -> None:
    baton.start()
    killed = baton.pid(part)

    os.kill(killed, signal.SIGKILL)

    assert came_true(lambda: baton.pid(part) not in {0, killed})
    assert came_true(baton.answers)


def test_a_client_waits_while_web_is_started_again(baton: Running) -> None:
    baton.start()
    killed = baton.pid("web")

    os.kill(killed, signal.SIGKILL)

    assert baton.answers(LONG_S)
    assert baton.pid("web") != killed


def test_a_second_start_tells_where_the_first_one_is(baton: Running) -> None:
    baton.start()

    second = baton.command("up")

    assert second.returncode == 0
    assert baton.address in second.stdout
    assert baton.answers()


def test_a_command_attaches_to_what_runs_and_leaves_it_running(baton: Running) -> None:
    baton.start()
    served_by = baton.pid("postgres")

    made = baton.command("create_workspace", "another")

    assert made.returncode == 0, made.stderr
    assert baton.pid("postgres") == served_by
    assert baton.answers()


def test_workers_and_clock_give_signs_of_life(baton: Running) -> None:
    baton.start()

    for part in ("beat", "digest", "worker"):
        assert came_true((baton.state / "pids" / f"{part}.sign").exists), part


def test_however_it_ends_it_leaves_no_process_and_starts_again(baton: Running) -> None:
    """One test, since each of these ends wants a start of its own before it."""
    baton.start()

    baton.end(signal.SIGKILL)

    assert came_true(lambda: baton.left() == []), "killed, its children end"
    baton.start()  # its first process answers, and others are yet to come
    assert "Stop" in baton.end(signal.SIGINT)
    assert baton.left() == [], "Ctrl-C is heeded while processes are still forked"
    baton.start()
    assert came_true(lambda: all(baton.runs(part) for part in PARTS))
    baton.end(signal.SIGINT)
    assert baton.process is not None
    assert baton.process.returncode == 0
    assert baton.left() == [], "Ctrl-C leaves no process"


def test_a_command_starts_the_engines_for_its_own_time(folder: Path) -> None:
    alone = Running(folder / "alone")

    counted = alone.command("postgres", "psql", "-Atc", "select 6 * 7")

    assert counted.stdout.strip() == "42", counted.stderr
    assert alone.left() == []


def test_a_folder_of_another_postgresql_is_refused_with_a_sentence(folder: Path) -> None:
    other = Running(folder / "other")
    (other.state / "postgres").mkdir(parents=True)
    (other.state / "postgres" / "PG_VERSION").write_text("14\n")

    refused = other.command("up")

    assert refused.returncode != 0
    assert "was made by PostgreSQL 14" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_taken_port_means_the_next_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        server, found = supervise.listen("127.0.0.1", port)

        server.close()
        assert port < found < port + 100


def test_a_log_stays_bounded(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_bytes(b"x" * (supervise.LOG_BYTES + 1))

    supervise.bound_logs(tmp_path)

    assert (tmp_path / "web.log").stat().st_size == 0
    assert (tmp_path / "web.log.1").stat().st_size == supervise.LOG_BYTES + 1


def test_a_part_that_keeps_dying_is_given_longer_pauses() -> None:
    part = supervise.Part("web", lambda: pytest.fail("not started here"))
    pauses = []
    for failures in range(8):
        part.failures = failures
        pauses.append(part.pause)

    assert pauses == sorted(pauses)
    assert pauses[0] == 0
    assert pauses[-1] == supervise.LONGEST_PAUSE


@pytest.fixture
def quiet(tmp_path: Path) -> supervise.Part:
    """A process that was heard of for the last time long ago."""
    part = supervise.Part("digest", lambda: pytest.fail("not started here"), sign=tmp_path / "digest.sign")
    part.heard = time.time() - supervise.SILENCE - 1
    return part


def test_a_process_without_a_sign_of_life_is_silent(quiet: supervise.Part, engines: None) -> None:
    assert quiet.silent()


def test_a_process_that_gave_a_sign_is_not_silent(quiet: supervise.Part, engines: None) -> None:
    assert quiet.sign is not None
    quiet.sign.touch()

    assert not quiet.silent()


def test_without_a_broker_silence_is_nobodys_fault(quiet: supervise.Part, settings: Settings) -> None:
    settings.REDIS_URL = "unix:///nowhere"

    assert not quiet.silent()


def test_what_an_earlier_supervisor_left_is_ended(tmp_path: Path) -> None:
    state = State(tmp_path)
    supervisor = supervise.Supervisor(state)
    supervisor.add("sleeper", signal.pause)
    left = supervisor.parts[0].process
    assert left is not None

    supervise.end_old([state.pids / "sleeper"])

    assert not left.alive
