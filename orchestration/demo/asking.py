"""May I? How the agents of a story ask, obey, and wait for people.

What is new is asked of Baton (`line`), and its answer is obeyed. What is past is told as it was (`archive`): what the
bank's rules said, and what its people decided. Which of the two a moment is, is fixed by when somebody lived it, so
that nothing is both asked and told; and a story takes the same course whenever it is played again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import TYPE_CHECKING, Any

from orchestration.client import Baton
from orchestration.demo.line import Line, Ticket
from orchestration.demo.matters import Ask, expected
from orchestration.demo.rhythm import DAY, HOUR, MINUTE, S

if TYPE_CHECKING:
    from orchestration.demo.scene import Scene

ASKING_S = 0.3  # what an answer takes; one that takes longer is waited for
LOOKS_S = 1.5
HURRIED_NS = 30 * S  # whoever plays so far behind the clock takes the expected answer
REMEMBERED_NS = 2 * HOUR  # what was asked before a restart and may still wait for a person
KNOWN_AFTER_NS = 4 * DAY  # so long it takes until it shows whether something went wrong
MOST_OPEN = 56
REVIEWERS = ("Priya Nair", "Jonas Weber", "Lucía Ortega", "Tom Becker")
WENT_WRONG = {"refund": ("chargeback", "reversed", "chargeback"), "payout": ("reversed",), "loan.offer": ("default",)}


class Way(Enum):
    TOLD = "told"  # of the past
    LIVE = "live"
    EARLIER = "earlier"  # asked live, before the last start


@dataclass
class Asking:
    """`since_ns`: what happens later is asked. `lived`: stretches in which it was asked before. `archive`: takes what
    is past, None to tell none of it."""

    line: Line | None = None
    archive: Baton | None = None
    since_ns: int = 1 << 62
    lived: list[list[int]] = field(default_factory=list)
    clock: Callable[[], int] = lambda: 0
    ending: Callable[[], bool] = lambda: False

    @property
    def is_full(self) -> bool:
        return self.line is not None and self.line.open >= MOST_OPEN and not self.ending()

    def way(self, ns: int) -> Way:
        if any(begin < ns <= end for begin, end in self.lived):
            return Way.EARLIER
        return Way.LIVE if self.line and self.line.works and ns > self.since_ns else Way.TOLD

    def together(self, ns: int) -> Line | None:
        """By which agents that live now may tell each other what they do."""
        return self.line if self.way(ns) is not Way.TOLD else None


@dataclass(slots=True)
class Answer:
    """`wrong`: it would be a mistake, which people mostly notice. `chance`: for what they say and when it shows."""

    ask: Ask
    key: str
    at_ns: int
    effect: str
    way: Way
    wrong: bool
    chance: Random
    ticket: Ticket | None = None

    @property
    def live(self) -> bool:
        """A person decides it in Baton, or has."""
        return self.way is not Way.TOLD

    def told(self, name: str) -> Any:
        """What Baton answered; None in the past."""
        return self.ticket.told.get(name) if self.ticket else None

    @property
    def words(self) -> str:
        reasons = self.told("reasons") or ()
        return " ".join(str(reason.get("words", "")) for reason in reasons) or f"policy says {self.effect}"


Asked = Generator[float, None, Answer]


def may(scene: Scene, ask: Ask, run: str, number: int = 1) -> Asked:
    """Ask, and wait for the answer: mostly as long as in the past, so that what comes is at the same moments."""
    asking, effect = scene.asking, expected(ask)
    while effect == "hold" and asking.way(scene.now) is Way.LIVE and asking.is_full and not late(scene):
        yield 20.0  # so many wait already that an agent does not add to them
    key = f"{scene.conversation} {ask.type} {number}"
    rng = Random(key)  # noqa: S311
    answer = Answer(ask, key, scene.now, effect, asking.way(scene.now), rng.random() < ask.wrong, rng)
    if answer.way is Way.TOLD:
        _record(scene, answer, run)
    elif asking.line and scene.now > asking.clock() - REMEMBERED_NS:
        answer.ticket = asking.line.ask(key, ask.body(run))
    yield ASKING_S
    if ticket := answer.ticket:
        while not (ticket.answered or late(scene) or asking.ending()):
            yield 0.5
        answer.effect = str(ticket.told.get("effect") or effect)
    return answer


def verdict(scene: Scene, answer: Answer, minutes: float) -> Generator[float, None, str]:
    """Wait for the person who was asked: usually so many minutes of their hours in the past. Returns approve, reject,
    amend or more; "" where nothing follows, since it was told before or we end."""
    wait, asking, ticket = scene.desk(minutes), scene.asking, answer.ticket
    if answer.way is Way.TOLD:
        yield wait
        return _decided(scene, answer)
    if ticket is None:
        return ""
    while not ticket.over:
        if asking.ending():
            return ""
        yield max(LOOKS_S, (asking.clock() - scene.now) / S)
    return "" if ticket.applied_ns <= asking.since_ns else ticket.verdict


def late(scene: Scene) -> bool:
    """Whether what has happened is only being caught up with."""
    return scene.asking.clock() - scene.now > HURRIED_NS


def joined(lived: Iterable[list[int]], oldest_ns: int) -> list[list[int]]:
    """Stretches of time, those together that touch, without what is older."""
    found: list[list[int]] = []
    for begin, end in sorted(lived):
        if found and begin <= found[-1][1]:
            found[-1][1] = max(found[-1][1], end)
        elif end > oldest_ns:
            found.append([begin, end])
    return found


def _record(scene: Scene, answer: Answer, run: str) -> None:
    if archive := scene.asking.archive:
        outcome = "" if answer.effect == "hold" else _outcome(scene, answer, 0.3)
        about = {"agent": answer.ask.agent, "run": run, "decision": answer.key, "outcome": outcome}
        archive.event("decision.recorded", facts=answer.ask.facts(), effect=answer.effect, **about)


def _decided(scene: Scene, answer: Answer) -> str:
    said = "reject" if answer.chance.random() < (0.86 if answer.wrong else 0.02) else "approve"
    if archive := scene.asking.archive:
        archive.event(
            "hold.decided",
            agent=answer.ask.agent,
            decision=answer.key,
            verdict=said,
            reviewer=answer.chance.choice(REVIEWERS),
            minutes=round((scene.now - answer.at_ns) / MINUTE, 1),
            outcome=_outcome(scene, answer, 0.5) if said == "approve" else "",
        )
    return said


def _outcome(scene: Scene, answer: Answer, known: float) -> str:
    """What came of it, as far as that was known when the company was founded."""
    if answer.at_ns > scene.rhythm.founded_ns - KNOWN_AFTER_NS:
        return ""
    if answer.wrong:
        return answer.chance.choice(WENT_WRONG.get(answer.ask.type, ("complaint",)))
    return "good" if answer.chance.random() < known else ""
