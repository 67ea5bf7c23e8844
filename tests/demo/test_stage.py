"""Stories are played at their moments, and a stop ends them."""

from __future__ import annotations

from orchestration.demo.stage import Stage, Story

S = 1_000_000_000


def test_stories_take_turns_at_the_moments_they_asked_for() -> None:
    stage, seen = Stage(clock=lambda: 0), []

    def story(name: str, wait: float) -> Story:
        for _ in range(3):
            seen.append((stage.now() // S, name))
            yield wait

    stage.begin(story("slow", 5.0))
    stage.begin(story("quick", 2.0))
    stage.rush(60 * S)

    assert seen == [(0, "slow"), (0, "quick"), (2, "quick"), (4, "quick"), (5, "slow"), (10, "slow")]


def test_a_stop_brings_what_is_under_way_to_its_end_at_once() -> None:
    now, told = [0], []
    stage = Stage(clock=lambda: now[0])

    def story() -> Story:
        yield 10.0
        yield 3600.0
        told.append(stage.now())

    def pause(seconds: float) -> bool:
        now[0] += int(seconds * S)
        return now[0] >= 10 * S

    stage.begin(story())
    stage.play(pause)

    assert told == [10 * S]


def test_a_machine_that_slept_does_not_make_up_for_lost_time() -> None:
    now, ticks = [0], []
    stage = Stage(clock=lambda: now[0])

    def story() -> Story:
        for _ in range(3):
            ticks.append(stage.now() // S)
            yield 1.0

    def pause(seconds: float) -> bool:
        now[0] += int(seconds * S) + (3600 * S if len(ticks) == 1 else 0)
        return False

    stage.begin(story())
    stage.play(pause)

    assert ticks == [0, 3601, 3602]
