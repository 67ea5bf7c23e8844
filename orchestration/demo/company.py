"""Opens the company: an exporter for each program, and everybody at work."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from orchestration.client import Baton, Sending
from orchestration.demo.agents import ROBOTS, ROLES
from orchestration.demo.arrivals import KINDS, SLOT, Arrival, Kind, Plan
from orchestration.demo.asking import Asking
from orchestration.demo.emit import Actor
from orchestration.demo.line import Line
from orchestration.demo.rhythm import S
from orchestration.demo.robots import beats
from orchestration.demo.scene import Scene
from orchestration.demo.stage import Stage, Story

ENVIRONMENT = "production"
BREATH = 1000  # items
# small queues: all exporters live in one process, and each sends a few spans a second
LIVE = Sending(batch=128, queue=2048, linger_s=0.7, timeout_s=10.0)


@dataclass
class Sight:
    """Which moments of the company's life are told: after `after_ns`, until `until_ns`. `signs`: also that robots
    live, which is no news later."""

    stage: Stage
    after_ns: int = 0
    until_ns: int = 1 << 62
    signs: bool = True
    spans: int = 0
    events: int = 0
    breathe: Callable[[], None] | None = None  # called now and then between what is told

    def shows(self, item: dict[str, Any]) -> bool:
        if not self.after_ns < self.stage.now() <= self.until_ns:
            return False
        if "traceId" in item:
            self.spans += 1
        elif not self.signs and item["type"] == "heartbeat":
            return False
        else:
            self.events += 1
        if self.breathe and (self.spans + self.events) % BREATH == 0:
            self.breathe()
        return True


@dataclass
class Company:
    """The programs and their exporters."""

    plan: Plan
    stage: Stage
    sight: Sight
    actors: Mapping[str, Actor]
    robots: Mapping[str, Baton]
    asking: Asking = field(default_factory=Asking)
    exporters: list[Baton] = field(default_factory=list)

    def __post_init__(self) -> None:
        archive = [self.asking.archive] if self.asking.archive else []
        self.exporters = [actor.baton for actor in self.actors.values()] + list(self.robots.values()) + archive

    def start(self, arrival: Arrival) -> None:
        """Begin a matter at its moment. Its course and its ids come from chances of their own."""
        scene = Scene(self.actors, self.plan.rhythm, Random(arrival.seed), self.asking)  # noqa: S311
        story = arrival.kind.story(scene, self.robots)
        self.stage.begin(story, arrival.at_ns, Random(f"{arrival.seed} ids"))  # noqa: S311

    def remember(self, since_ns: int, until_ns: int) -> None:
        """What came between these moments, as far as it may not be over at the second one."""
        for kind in KINDS:
            for arrival in self.plan.between(kind, max(since_ns, until_ns - kind.longest_ns), until_ns):
                self.start(arrival)

    def open(self, since_ns: int) -> None:
        """Go on from a moment: with what is under way then, what comes later, and signs of life."""
        since_ns = max(since_ns, self.plan.rhythm.opened_ns)
        self.asking.since_ns = since_ns
        self.remember(0, since_ns)
        for kind in KINDS:
            self.stage.begin(self._doors(kind, since_ns), since_ns)
        for robot in ROBOTS:
            self.stage.begin(beats(self.plan.rhythm, robot, self.robots[robot.name]), since_ns)

    def _doors(self, kind: Kind, since_ns: int) -> Story:
        """Lets in what comes, a slot at a time."""
        while True:
            until = (since_ns // SLOT + 1) * SLOT
            for arrival in self.plan.between(kind, since_ns, until):
                self.start(arrival)
            yield (until - self.stage.now()) / S
            since_ns = until

    def flush(self, timeout_s: float = 30.0) -> bool:
        return all(baton.flush(timeout_s) for baton in self.exporters)

    def counts(self) -> dict[str, int]:
        counts = [baton.counts() for baton in self.exporters]
        return {name: sum(one[name] for one in counts) for name in counts[0]}

    def close(self, timeout_s: float = 5.0) -> dict[str, int]:
        """Send what waits and say how it went."""
        until = time.monotonic() + timeout_s
        for baton in self.exporters:
            baton.close(max(0.0, until - time.monotonic()))
        return self.counts()


def found(
    url: str, key: str, plan: Plan, stage: Stage, sending: Sending = LIVE, *, past_key: str = "", asks: bool = False
) -> Company:
    """Everybody at their desks, and nothing begun. `past_key`: may tell of decisions of the past, which without it are
    not told. `asks`: what is new is asked of Baton."""
    sight = Sight(stage)
    sending = replace(sending, sampler=sight.shows)
    exporter = exporters(url, key, stage, sending)
    actors = {role.name: Actor(role, exporter(role.service, role.version)) for role in ROLES}
    robots = {robot.name: exporter(robot.service, "1.0") for robot in ROBOTS}
    seldom = replace(sending, linger_s=30.0)  # each delivery of it is an entry of the ledger
    archive = exporters(url, past_key, stage, seldom)("archive", "1.0") if past_key else None
    line = Line(url, key) if asks else None
    asking = Asking(line, archive, clock=time.time_ns if asks else lambda: 0, ending=lambda: stage.ending)
    return Company(plan, stage, sight, actors, robots, asking)


def exporters(url: str, key: str, stage: Stage, sending: Sending) -> Callable[[str, str], Baton]:
    def exporter(service: str, version: str) -> Baton:
        return Baton(
            url,
            key,
            service=service,
            environment=ENVIRONMENT,
            version=version,
            clock=stage.now,
            entropy=stage.entropy,
            sending=sending,
        )

    return exporter
