"""Stories are played at their moments, and a stop ends them."""

from __future__ import annotations

from random import Random

from orchestration.demo.stage import Stage, Story

S = 1_000_000_000


def test_stories_take_turns_at_the_moments_they_asked_for() -> None:
    stage, seen = Stage(clock=lambda: 0), []

    def story(name: str, wait: float) -> Story:
        for _ in range(3):
            seen.append((stage.now() // S, name))
            yield wait

    stage.begin(story("slow", 5.0), ids=Random(1))
    stage.begin(story("quick", 2.0), ids=Random(2))
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

    stage.begin(story(), ids=Random(1))
    slept = stage.play(pause)

    assert not slept
    assert told == [10 * S]


def test_a_stop_may_leave_what_is_under_way_as_it_is() -> None:
    told: list[int] = []
    stage = Stage(clock=lambda: 0)

    def story() -> Story:
        yield 10.0
        told.append(stage.now())

    stage.begin(story(), ids=Random(1))
    stage.play(lambda seconds: True, to_the_end=False)

    assert told == []


def test_who_goes_on_for_ever_does_not_hinder_a_stop() -> None:
    stage = Stage(clock=lambda: 0)

    def story() -> Story:
        while True:
            yield 1.0

    stage.begin(story())

    assert not stage.play(lambda seconds: True)


def test_what_would_come_later_does_not_come_at_a_stop() -> None:
    told: list[str] = []
    stage = Stage(clock=lambda: 0)

    def story() -> Story:
        told.append("came")
        yield 1.0

    stage.begin(story(), at_ns=60 * S, ids=Random(1))
    stage.play(lambda seconds: True)

    assert told == []


def test_ids_come_from_the_chance_of_the_story_that_is_played() -> None:
    drawn: dict[str, list[bytes]] = {"alone": [], "among others": []}

    def story(stage: Stage, into: list[bytes]) -> Story:
        for _ in range(3):
            into.append(stage.entropy(8))
            yield 1.0

    for name, others in (("alone", 0), ("among others", 5)):
        stage = Stage(clock=lambda: 0)
        for number in range(others):
            stage.begin(story(stage, []), ids=Random(number))
        stage.begin(story(stage, drawn[name]), ids=Random(99))
        stage.rush(60 * S)

    assert drawn["alone"] == drawn["among others"]
    assert len(set(drawn["alone"])) == 3


def test_a_machine_that_slept_is_told_from_one_that_is_late() -> None:
    now, ticks = [0], []
    stage = Stage(clock=lambda: now[0])

    def story() -> Story:
        while True:
            ticks.append(stage.now() // S)
            yield 1.0

    def pause(seconds: float) -> bool:
        now[0] += int(seconds * S) + (60 * S if len(ticks) == 2 else 3600 * S if len(ticks) > 70 else 0)
        return False

    stage.begin(story())

    assert stage.play(pause)
    assert ticks[:70] == list(range(70))  # a minute late: made up for
