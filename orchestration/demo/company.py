"""Opens the company: an exporter for each program, and everybody at work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from orchestration.client import Baton, Sending
from orchestration.demo.agents import ROBOTS, ROLES
from orchestration.demo.emit import Actor
from orchestration.demo.robots import rounds
from orchestration.demo.scenarios import Scene, billing_question, customer_refund, help_question
from orchestration.demo.stage import Stage, Story

PER_MINUTE = 12.0
# small queues: all exporters live in one process, and each sends a few spans a second
SENDING = Sending(batch=128, queue=2048, linger_s=0.7, timeout_s=10.0)


@dataclass
class Company:
    """The programs and their exporters."""

    stage: Stage
    exporters: list[Baton]

    def close(self, timeout_s: float = 5.0) -> dict[str, int]:
        """Send what waits and say how it went."""
        for baton in self.exporters:
            baton.close(timeout_s / len(self.exporters))
        counts = [baton.counts() for baton in self.exporters]
        return {name: sum(one[name] for one in counts) for name in counts[0]}


def found(url: str, key: str, *, seed: int, per_minute: float = PER_MINUTE, stage: Stage | None = None) -> Company:
    """Everybody at their desks, with the first stories begun; `stage.play` makes them work."""
    stage = stage or Stage()
    exporter = exporters(url, key, stage.now)
    programs = {role.name: exporter(role.service, role.version) for role in ROLES}
    machines = {robot.name: exporter(robot.service, "1.0") for robot in ROBOTS}
    actors = {role.name: Actor(role, programs[role.name]) for role in ROLES}
    stage.begin(arrivals(stage, actors, Random(f"{seed} customers"), per_minute))  # noqa: S311
    for robot in ROBOTS:
        stage.begin(rounds(stage, robot, machines[robot.name], Random(f"{seed} {robot.name}")))  # noqa: S311
    return Company(stage, [*programs.values(), *machines.values()])


def exporters(url: str, key: str, clock: Callable[[], int]) -> Callable[[str, str], Baton]:
    def exporter(service: str, version: str) -> Baton:
        return Baton(url, key, service=service, environment="demo", version=version, clock=clock, sending=SENDING)

    return exporter


def arrivals(stage: Stage, actors: Mapping[str, Actor], rng: Random, per_minute: float) -> Story:
    """Customers come at random, without end."""
    stories = (customer_refund, billing_question, help_question)
    while not stage.ending:
        yield rng.expovariate(per_minute / 60)
        story = rng.choices(stories, (6, 3, 2))[0]
        if not stage.ending:
            stage.begin(story(Scene(actors, Random(rng.getrandbits(64)))))  # noqa: S311
