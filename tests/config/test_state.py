"""The state folder."""

from __future__ import annotations

import os
import pwd
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from orchestration.config import engines, state
from orchestration.config.state import State


def test_a_secret_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    first = State(tmp_path).keep_secret("secret_key")

    assert State(tmp_path).keep_secret("secret_key") == first
    assert len(first) >= 50
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_a_secret_is_the_same_for_all_who_look_first_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        for name in (f"key-{number}" for number in range(20)):
            found = set(threads.map(State(tmp_path).keep_secret, [name] * 8))
            assert len(found) == 1
            assert len(found.pop()) >= 50

    assert len(list(tmp_path.iterdir())) == 20, "no halves are left"


def test_a_folder_may_be_made_by_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadPoolExecutor(8) as threads:
        for number in range(20):
            monkeypatch.setenv("BATON_STATE", str(tmp_path / str(number) / "var" / "run"))
            found = {each.folder for each in threads.map(lambda _: state.open_state(), range(8))}
            assert found == {tmp_path / str(number) / "var" / "run"}


def test_sockets_of_a_deep_folder_lie_where_their_path_is_short(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir(mode=0o711)
    path = State(deep).sockets

    assert len(str(path)) < state.SOCKET_PATH
    assert path != State(tmp_path).sockets


def test_a_sockets_folder_that_others_may_enter_is_closed(tmp_path: Path) -> None:
    here = State(tmp_path)
    engines.own_folder(here)
    here.sockets.chmod(0o777)

    engines.own_folder(here)

    assert stat.S_IMODE(here.sockets.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes folders of others")
def test_a_sockets_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    here = State(tmp_path)
    here.sockets.mkdir(parents=True)
    os.chown(here.sockets, 12345, 12345)

    with pytest.raises(ImproperlyConfigured, match="belongs to another user"):
        engines.own_folder(here)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends an account")
def test_as_root_a_folder_that_the_account_cannot_reach_gets_its_data_elsewhere(
    tmp_path: Path, nothing_outside: Path
) -> None:
    closed = tmp_path / "closed" / "state"
    closed.mkdir(parents=True)
    closed.parent.chmod(0o700)

    place = State(closed).place

    assert place.parent == nothing_outside
    assert (closed / "place").read_text().splitlines()[0] == str(place)
    assert State(closed).place == place


def test_a_copy_of_a_folder_whose_data_lie_elsewhere_is_refused(tmp_path: Path) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    for folder in (original, copy):
        folder.mkdir()
        (folder / "place").write_text(f"{tmp_path / 'data'}\n{original}\n")

    with pytest.raises(ImproperlyConfigured, match="is a copy of"):
        State(copy).place  # noqa: B018  looking is what refuses


def test_a_folder_that_was_moved_keeps_its_place(tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / "place").write_text(f"{tmp_path / 'data'}\n{tmp_path / 'gone'}\n")

    assert State(moved).place == tmp_path / "data"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another")
def test_the_account_is_asked_whether_it_reaches_a_folder(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    (tmp_path / "closed").mkdir(mode=0o700)

    assert state.reaches(nobody, Path("/"))
    assert not state.reaches(nobody, tmp_path / "closed")


def test_root_is_no_account_to_lend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_ACCOUNT", "root")

    with pytest.raises(ImproperlyConfigured, match="BATON_ACCOUNT must be another"):
        state.spare_account()


def test_a_lock_is_taken_once(tmp_path: Path) -> None:
    here = State(tmp_path)
    with here.lock("up.lock") as held:
        assert state.locked(held)
        child = os.fork()
        if child == 0:
            os._exit(0 if state.locked(here.lock("up.lock")) else 1)
        refused = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert refused == 1
