"""What is remembered for some seconds."""

from __future__ import annotations

from itertools import count

from orchestration.lib.remembering import Remembered


def test_it_is_looked_up_once_while_it_is_fresh_and_again_after() -> None:
    fresh, stale, looked = Remembered[str, int](60.0), Remembered[str, int](0.0), count()

    assert [fresh.of("a", lambda: next(looked)) for _ in range(3)] == [0, 0, 0]
    assert [stale.of("a", lambda: next(looked)) for _ in range(2)] == [1, 2]


def test_what_was_dropped_is_looked_up_again() -> None:
    known, looked = Remembered[str, int](60.0), count()
    known.of("a", lambda: next(looked))

    known.drop("a")
    known.drop("never there")

    assert known.of("a", lambda: next(looked)) == 1


def test_ever_new_things_fill_nothing() -> None:
    known = Remembered[int, int](60.0, most=3)

    for n in range(10):
        known.of(n, lambda n=n: n)  # type: ignore[misc]

    assert len(known._known) <= 3


def test_what_fails_is_not_remembered() -> None:
    known = Remembered[str, int](60.0)

    for said in ("x", "7"):
        try:
            found = known.of("a", lambda said=said: int(said))  # type: ignore[misc]
        except ValueError:
            found = -1
        assert found == (7 if said == "7" else -1)
