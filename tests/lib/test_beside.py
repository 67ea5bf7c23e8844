"""One thread beside the work: woken, asked again when it says so, and begun anew after a fork."""

from __future__ import annotations

import os
import threading

from orchestration.lib.beside import Beside
from tests.waiting import LONG_S


def test_it_works_when_it_is_woken_and_not_before() -> None:
    done = threading.Event()
    beside = Beside("tried", done.set)

    assert not done.wait(0.05)
    beside.wake()
    assert done.wait(LONG_S)


def test_what_asks_for_more_is_called_again() -> None:
    waits, done = [0.01, 0.01, None], threading.Event()

    def work() -> float | None:
        wait = waits.pop(0)
        if not waits:
            done.set()
        return wait

    Beside("tried", work).wake()

    assert done.wait(LONG_S)


def test_one_thread_serves_all_who_wake_it() -> None:
    names: set[int] = set()
    came = threading.Semaphore(0)

    def work() -> None:
        names.add(threading.get_ident())
        came.release()

    beside = Beside("tried", work)
    for _ in range(5):
        beside.wake()
        assert came.acquire(timeout=LONG_S)

    assert len(names) == 1
    assert threading.get_ident() not in names


def test_after_a_fork_the_child_has_a_thread_of_its_own() -> None:
    seen, told = os.pipe()
    beside = Beside("tried", lambda: os.write(told, b"%d " % os.getpid()) and None)
    beside.wake()
    parent = os.read(seen, 20)

    child = os.fork()
    if child == 0:
        beside.wake()
        threading.Event().wait(LONG_S)
        os._exit(1)
    try:
        assert int(os.read(seen, 20)) == child != int(parent)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
