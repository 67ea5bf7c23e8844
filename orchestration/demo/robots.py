"""What knows no tracing: a bot that types invoices, a script that compares accounts. They tell their runs by events."""

from __future__ import annotations

from random import Random
from secrets import token_hex

from orchestration.client import Baton
from orchestration.demo.agents import Robot
from orchestration.demo.stage import Stage, Story


def work_of(robot: Robot, baton: Baton, rng: Random) -> Story:
    """One run of a bot or a script: steps with heartbeats between, and now and then a step that fails for good."""
    agent = f"{robot.service}/{robot.name}"
    run = baton.run(f"{robot.name}-{token_hex(6)}", workflow=robot.workflow, agent=agent)
    for name, system, seconds in robot.steps:
        step = run.step(name, system=system, kind="tool")
        left = seconds * rng.lognormvariate(0.0, 0.4)
        while left > robot.beats_s:
            yield robot.beats_s
            left -= robot.beats_s
            run.heartbeat()
        yield left
        if rng.random() < 0.02:
            step.fail(f"{system} is locked by another user")
            run.fail(f"{name} failed")
            return
        step.finish()
    run.finish()


def rounds(stage: Stage, robot: Robot, baton: Baton, rng: Random) -> Story:
    """A robot does one run after the other; between them it says that it is alive."""
    yield rng.uniform(0.0, robot.every_s / 10)
    while not stage.ending:
        yield from work_of(robot, baton, rng)
        rest = robot.every_s * rng.uniform(0.8, 1.2)
        while rest > 0 and not stage.ending:
            yield min(rest, robot.beats_s)
            rest -= robot.beats_s
            baton.heartbeat(f"{robot.service}/{robot.name}")
