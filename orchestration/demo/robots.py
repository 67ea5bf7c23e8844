"""What knows no tracing: a bot that types invoices, a rules engine, a script that compares accounts. They tell
their runs by events."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

from orchestration.client import Baton, Run
from orchestration.demo.agents import ENTRY_BOT, LIMITS_ENGINE, PAYOUT_SCRIPT, Robot
from orchestration.demo.asking import Answer, may, verdict
from orchestration.demo.bank import PAYOUT_LIMIT
from orchestration.demo.matters import Ask, chance, payout
from orchestration.demo.rhythm import MINUTE, Rhythm, S
from orchestration.demo.scene import Act, Scene
from orchestration.demo.stage import Story


@dataclass(frozen=True, slots=True)
class Errand:
    """One run of a robot: steps as (name, system, usual seconds); after which of them it asks whether it may go on, and
    what the step of people is called where it may not."""

    workflow: str
    robot: Robot
    steps: tuple[tuple[str, str, float], ...]
    fails: float = 0.01
    people: str = ""
    asks_after: int = 0
    asks: Callable[[Scene], Ask] | None = None
    minutes: float = 30.0

    def asking(self, asks: Callable[[Scene], Ask]) -> Errand:
        return replace(self, asks=asks)


INVOICES = Errand(
    "Invoice matching",
    ENTRY_BOT,
    (("Read mail", "mailbox", 2.0), ("Read invoice", "ocr", 6.0), ("Find order", "erp", 3.0), ("Book", "erp", 14.0)),
    fails=0.012,
    people="Approve payment",
    asks_after=3,
    minutes=35.0,
)
LIMITS = Errand(
    "Card limit change",
    LIMITS_ENGINE,
    (("Read request", "crm", 0.3), ("Sum exposure", "core-banking", 1.4), ("Apply rules", "", 0.2)),
    fails=0.004,
    people="Approve limit",
    asks_after=3,
    minutes=20.0,
)
PAYOUTS = Errand(
    "Payout reconciliation",
    PAYOUT_SCRIPT,
    (("Fetch payouts", "payments", 9.0), ("Compare with bookings", "core-banking", 22.0), ("Write report", "files", 1)),
    fails=0.015,
)


def small_invoice(scene: Scene) -> Ask:
    amount = min(0.98 * PAYOUT_LIMIT, chance(scene, "invoice").lognormvariate(6.9, 1.0))
    return payout(scene, round(amount, 2), matched=True)


def large_invoice(scene: Scene) -> Ask:
    amount = PAYOUT_LIMIT * (1.02 + chance(scene, "invoice").expovariate(1.4))
    return payout(scene, round(amount, 2), matched=True)


def strange_invoice(scene: Scene) -> Ask:
    amount = min(0.98 * PAYOUT_LIMIT, chance(scene, "invoice").lognormvariate(7.3, 0.8))
    return payout(scene, round(amount, 2), matched=False)


def errand(scene: Scene, baton: Baton, what: Errand) -> Story:
    """Steps one after the other, with heartbeats between; now and then one fails for good."""
    yield back_in(scene, what.robot, 2 * MINUTE)
    run = baton.run(f"{what.robot.name}-{scene.conversation[5:]}", workflow=what.workflow, agent=what.robot.agent)
    for number, (name, system, seconds) in enumerate(what.steps, 1):
        if not (yield from one_step(scene, run, what, (name, system, seconds))):
            return
        if what.asks and number == what.asks_after:
            answer = yield from may(scene, what.asks(scene), run.id)
            said = (yield from decision(scene, baton, run, what, answer)) if answer.effect == "hold" else "approve"
            if not said:
                return
            if said == "reject" or answer.effect not in ("allow", "hold"):
                break
    run.finish()


def one_step(scene: Scene, run: Run, what: Errand, about: tuple[str, str, float]) -> Act:
    name, system, seconds = about
    yield back_in(scene, what.robot)
    step = run.step(name, system=system, kind="tool" if system else "other")
    factor = scene.rhythm.core_factor(scene.now) if system == "core-banking" else 1.0
    left = scene.takes(seconds * factor)
    while left > 0:
        yield min(left, what.robot.beats_s)
        left -= what.robot.beats_s
        if not hangs(scene, what.robot):
            run.heartbeat()
    yield back_in(scene, what.robot)
    payments = scene.rhythm.payments_fail(scene.now) if system == "payments" else 0.0
    if scene.likely(max(what.fails, payments)):
        step.fail("payments did not answer" if payments else f"{system or 'rules'} is locked by another user")
        run.fail(f"{name} failed")
        return False
    step.finish()
    return True


def decision(scene: Scene, baton: Baton, run: Run, what: Errand, answer: Answer) -> Generator[float, None, str]:
    """A step of people: it has no agent, since people are none. Returns what they said."""
    ids = {"run": run.id, "step": "decision", "workflow": what.workflow}
    baton.event("step.started", name=what.people, kind="human", **ids)
    said = yield from verdict(scene, answer, what.minutes)
    if said:
        baton.event("step.finished", **ids)
    return said


def hangs(scene: Scene, robot: Robot) -> bool:
    return robot.falters and scene.rhythm.silent_until(scene.now) > scene.now


def back_in(scene: Scene, robot: Robot, soon: int = 0) -> float:
    """Seconds until a robot that hangs, or will soon, goes on; none for one that does not. It falls silent between two
    runs: inside one it would be taken for still at work."""
    for moment in (scene.now, scene.now + soon):
        back = scene.rhythm.silent_until(moment)
        if robot.falters and back > moment:
            return (back - scene.now) / S + scene.takes(4.0)
    return 0.0


def beats(rhythm: Rhythm, robot: Robot, baton: Baton) -> Story:
    """A robot says that it is alive, also when it has nothing to do."""
    while True:
        now = baton.clock()
        back = rhythm.silent_until(now) if robot.falters else now
        if back == now:
            baton.heartbeat(robot.agent)
        yield max(robot.beats_s, (back - now) / S)
