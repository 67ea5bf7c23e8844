"""One matter, and what agents do in it again and again: think, call a tool, answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from orchestration.client import Context, Span
from orchestration.demo import agents
from orchestration.demo.agents import System, Tool
from orchestration.demo.asking import Asking
from orchestration.demo.emit import Actor
from orchestration.demo.faults import Faults, Mess, draw, mess
from orchestration.demo.matters import chance
from orchestration.demo.rhythm import Rhythm, S
from orchestration.demo.shared import Shared

Act = Generator[float, None, bool]  # a part of a story: whether it went well
PATIENCE = 60  # how often an agent looks whether another one is done


@dataclass
class Scene:
    """Who may act, what will go wrong, and the chance that decides the rest."""

    actors: Mapping[str, Actor]
    rhythm: Rhythm
    rng: Random
    asking: Asking = field(default_factory=Asking)
    faults: Faults = field(init=False)
    mess: Mess = field(init=False)
    shared: Shared | None = None  # what the agents of its run tell each other, where they are to
    customer: str = field(init=False)
    account: str = field(init=False)
    conversation: str = field(init=False)

    def __post_init__(self) -> None:
        self.faults = draw(self.rng)
        self.customer = f"C-{self.rng.randrange(10_000, 99_999)}"
        self.account = f"A-{self.rng.randrange(200_000, 999_999)}"
        self.conversation = f"conv-{self.rng.getrandbits(48):012x}"
        self.mess = mess(chance(self, "mess"))

    @property
    def service(self) -> Actor:
        return self.actors[agents.CUSTOMER_SERVICE.name]

    @property
    def billing(self) -> Actor:
        return self.actors[agents.BILLING.name]

    @property
    def refunds(self) -> Actor:
        return self.actors[agents.REFUNDS.name]

    @property
    def now(self) -> int:
        return self.service.baton.clock()

    def about(self, usual: float, spread: float) -> float:
        """A size as work has it: mostly near the usual, with a long tail."""
        return usual * self.rng.lognormvariate(0.0, spread)

    def takes(self, seconds: float, spread: float = 0.4) -> float:
        return min(max(90.0, 2.5 * seconds), self.about(seconds, spread))

    def desk(self, minutes: float) -> float:
        """Seconds until people have decided what waits for them now: usually so many minutes of their hours."""
        return (self.rhythm.served(self.now, self.about(minutes, 0.7)) - self.now) / S

    def likely(self, chance: float) -> bool:
        return self.rng.random() < chance


def think(scene: Scene, actor: Actor, turn: Span, said: str, answer: str = "Done as asked.", size: float = 1.0) -> Act:
    """A call of the model; an overloaded one is asked again."""
    role = actor.role
    if scene.faults.overloaded and scene.likely(0.3):
        refused = actor.ask(turn, said)
        yield scene.takes(0.3)
        refused.fail("RateLimitError", f"429: {role.model} is overloaded, try again later").finish()
        yield 1.0
    call = actor.ask(turn, said)
    tokens = int(scene.about(900 * size, 0.5)) + len(said), int(scene.about(110 * size, 0.5)) + 1
    yield scene.takes(role.thinks_s * 0.3) + tokens[1] / 90
    call.set(role.speech.answered(role, tokens, answer)).finish()
    return True


def use(
    scene: Scene,
    actor: Actor,
    turn: Span,
    tool: Tool,
    arguments: dict[str, Any],
    *,
    error: str = "",
    answer: str = "",
) -> Act:
    """A tool call, and below it the request to the system behind the tool."""
    call = actor.call(turn, tool.name, arguments, reads=tool.reads)
    yield 0.01
    request = actor.reach(call, tool)
    yield 10.0 if error.endswith("Timeout") else waits(scene, tool.system)
    if error:
        silent = error.endswith("Timeout")
        message = f"{tool.system.name} did not answer in 10 s" if silent else f"{tool.system.name} knows no such row"
        request.fail(error, message)
        call.fail(error, message)
    elif tool.system.protocol == "http":
        request.set({"http.response.status_code": 200})
    request.finish()
    call.set(actor.role.speech.returned(answer or json.dumps({"ok": not error}))).finish()
    return not error


def fetch(scene: Scene, actor: Actor, turn: Span, tool: Tool, arguments: dict[str, Any]) -> Act:
    """A look-up; where agents coordinate, one that another of them has made is not made again."""
    work = key_of(tool, arguments)
    return (yield from once(scene, actor, work, lambda: use(scene, actor, turn, tool, arguments)))


def key_of(tool: Tool, arguments: dict[str, Any]) -> str:
    """The same for all who would make the same call."""
    return " ".join((tool.name, *(f"{name}={value}" for name, value in sorted(arguments.items()))))


def once(scene: Scene, actor: Actor, key: str, work: Callable[[], Act]) -> Act:
    """Work that one agent does for all who coordinate: whoever wants the same waits for the result of the first. Where
    they do not, or Baton does not answer, each does it itself."""
    shared = scene.shared
    if shared is None:
        return (yield from work())
    if key in shared.facts():
        return True
    claim = shared.claim(key, actor.role.name)
    for _ in range(PATIENCE):
        if claim.get("state") != "held" or claim.get("granted"):
            break
        yield 0.5
        claim = shared.claim(key, actor.role.name)
    if claim.get("state") == "done" and not claim.get("granted"):
        return True
    went_well = yield from work()
    if claim.get("granted"):
        shared.settle(claim, {"by": actor.role.name} if went_well else None)
    return went_well


def reviewed(scene: Scene, actor: Actor, root: Span, minutes: float, *, live: bool = False) -> Act:
    """A person takes the case from the desk and works on it; one who has decided in Baton (`live`) is done with it."""
    person = actor.person(root)
    seconds = scene.about(minutes * 60, 0.5)
    yield 1.0 if live else seconds
    person.finish()
    return True


def waits(scene: Scene, system: System) -> float:
    factor = 1.0
    if system is agents.CORE:
        factor = scene.rhythm.core_factor(scene.now) * (6 if scene.faults.slow_core else 1)
    return scene.takes(system.seconds * factor, system.spread)


def passed_on(span: Span) -> Context:
    """The context as the next program gets it: out of the header that this one sends."""
    context = Context.parse(span.context.traceparent)
    assert context is not None  # noqa: S101  ours is well formed
    return context
