"""A loan: seventeen steps over hours and days, by people, agents, a rules engine and the loan desk's own process.

The process tells its steps by events. The agents it calls trace themselves, and name the loan in `baton.run.id`, which
makes their traces part of the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from orchestration.client import Baton, Span
from orchestration.demo import agents, matters
from orchestration.demo.agents import HISTORY, LIMITS_ENGINE, LOAN_PROCESS, Role
from orchestration.demo.asking import may, verdict
from orchestration.demo.emit import Actor
from orchestration.demo.rhythm import HOUR, S
from orchestration.demo.scene import Act, Scene, think, use, waits
from orchestration.demo.stage import Story

LOAN_APPROVAL = "Loan approval"
Work = Callable[[Scene, Actor, Span], Act]


@dataclass(frozen=True, slots=True)
class Step:
    """One of the seventeen. Done by the process itself, by the rules engine, by an agent (`work`), by people at the
    desk (`minutes` of their hours) or by the customer (`hours` of theirs)."""

    name: str
    system: str = ""
    seconds: float = 0.0
    rules: bool = False
    role: Role | None = None
    work: Work | None = None
    minutes: float = 0.0
    hours: float = 0.0

    @property
    def kind(self) -> str:
        if self.minutes or self.hours:
            return "human"
        return "tool" if self.system else "other"


def read_documents(scene: Scene, actor: Actor, turn: Span) -> Act:
    yield from use(scene, actor, turn, agents.FETCH, {"customer_id": scene.customer})
    yield from use(scene, actor, turn, agents.READ, {"pages": scene.rng.randrange(3, 14)})
    return (yield from think(scene, actor, turn, "Which income do the pages prove?", size=2.5))


def verify_identity(scene: Scene, actor: Actor, turn: Span) -> Act:
    yield from use(scene, actor, turn, agents.LOOKUP, {"customer_id": scene.customer})
    yield from use(scene, actor, turn, agents.MATCH, {"name": scene.customer, "fuzzy": 0.8})
    return (yield from think(scene, actor, turn, "Is the applicant who they say they are?"))


def assess(scene: Scene, actor: Actor, turn: Span) -> Act:
    yield from think(scene, actor, turn, "Which bookings tell what is left each month?", size=1.6)
    yield from use(scene, actor, turn, HISTORY, {"account": scene.account, "months": 12})
    return (yield from think(scene, actor, turn, "Can the customer afford the rate?", size=3.0))


def propose(scene: Scene, actor: Actor, turn: Span) -> Act:
    return (yield from think(scene, actor, turn, "Write the proposal for the credit desk.", size=4.0))


def prepare(scene: Scene, actor: Actor, turn: Span) -> Act:
    yield from think(scene, actor, turn, "Fill in the contract.", size=2.0)
    return (yield from use(scene, actor, turn, agents.FILE, {"customer_id": scene.customer}))


STEPS = (
    Step("Receive application", system="mailbox", seconds=1.2),
    Step("Read documents", role=agents.READER, work=read_documents),
    Step("Check completeness", rules=True, seconds=0.4),
    Step("Customer confirms figures", hours=1.5),
    Step("Verify identity", role=agents.KYC, work=verify_identity),
    Step("Screen sanctions", system="sanctions-list", rules=True, seconds=0.9),
    Step("Fetch credit report", system="credit-bureau", seconds=150.0),
    Step("Fetch account history", system="core-banking", seconds=45.0),
    Step("Assess affordability", role=agents.ANALYST, work=assess),
    Step("Price the loan", system="rates", rules=True, seconds=0.6),
    Step("Write proposal", role=agents.ANALYST, work=propose),
    Step("Check against policy", rules=True, seconds=0.5),
    Step("Credit judgment", minutes=150.0),
    Step("Prepare contract", role=agents.READER, work=prepare),
    Step("Customer signs", hours=2.6),
    Step("Final sign-off", minutes=35.0),
    Step("Pay out", system="payments", seconds=1.5),
)


@dataclass
class Loan:
    """One application, and who tells of it."""

    scene: Scene
    run: str
    amount: int
    process: Baton
    rules: Baton

    def tell(self, type: str, **fields: str) -> None:
        self.process.event(type, run=self.run, workflow=LOAN_APPROVAL, agent=LOAN_PROCESS.agent, **fields)

    def tell_step(self, how: str, key: str, step: Step, error: str = "") -> None:
        """Of its own steps the rules engine tells itself. People are no agents, and agents tell theirs by spans."""
        by, agent = (self.rules, LIMITS_ENGINE.agent) if step.rules else (self.process, LOAN_PROCESS.agent)
        about = {"run": self.run, "step": key, "workflow": LOAN_APPROVAL, "name": step.name, "kind": step.kind}
        agent = agent if step.rules or step.system else ""
        by.event(f"step.{how}", **about, agent=agent, system=step.system, error=error)


def loan(scene: Scene, process: Baton, rules: Baton) -> Story:
    amount = scene.rng.randrange(4, 120) * 500
    one = Loan(scene, f"loan-{scene.conversation[5:]}", amount, process, rules)
    one.tell("run.started", name=f"Loan of {amount:,} for {scene.customer}")
    for number, step in enumerate(STEPS, 1):
        error = yield from take(one, f"{number:02}", step)
        if error:
            one.tell("run.failed", error=f"{step.name}: {error}")
            return
        if step.name == "Credit judgment" and scene.likely(0.13):
            break  # declined: an end as good as any
        if step.name == "Check against policy":
            offered = yield from may_offer(one)
            if offered == "":
                return
            if offered == "no":
                break
        yield scene.takes(100.0, 0.6)  # the desk's process looks every few minutes
    one.tell("run.finished")


def may_offer(loan: Loan) -> Generator[float, None, str]:
    """Whether the loan may be offered: yes, no, or "" where the story goes on elsewhere."""
    scene, number = loan.scene, 1
    answer = yield from may(scene, matters.offer(scene, loan.amount), loan.run)
    while answer.effect == "delay" and number < 3:
        number += 1
        yield max(float(answer.told("retry_after_s") or 0), matters.until_open(scene))
        answer = yield from may(scene, matters.offer(scene, loan.amount), loan.run, number)
    if answer.effect == "hold":
        said = yield from verdict(scene, answer, 28.0)
        return said and ("yes" if said in ("approve", "amend") else "no")
    if answer.effect == "route":
        yield scene.desk(60.0)  # the senior desk takes its time
    return "no" if answer.effect == "deny" else "yes"


def take(loan: Loan, key: str, step: Step) -> Generator[float, None, str]:
    """A step from start to end; one that failed is mostly tried again. Returns what went wrong for good."""
    scene = loan.scene
    loan.tell_step("started", key, step)
    yield wait_of(scene, step)
    if step.role and step.work:
        yield from traced(loan, step.role, step.work)
    error = broken(scene, step)
    if error and scene.likely(0.8):
        loan.tell_step("failed", key, step, error)
        key, error = f"{key} again", ""
        yield 30.0
        loan.tell_step("started", key, step)
        yield wait_of(scene, step)
    loan.tell_step("failed" if error else "finished", key, step, error)
    return error


def wait_of(scene: Scene, step: Step) -> float:
    if step.minutes:
        return scene.desk(step.minutes)
    if step.hours:
        return awake(scene, step.hours)
    if step.system == "core-banking":
        return waits(scene, agents.CORE) + scene.takes(step.seconds)
    return scene.takes(step.seconds) if step.seconds else 0.2


def awake(scene: Scene, hours: float) -> float:
    """Customers answer in the evening as well, and never at night."""
    done = scene.now + int(scene.about(hours, 0.9) * HOUR)
    hour = scene.rhythm.hour(done)
    if not 7 <= hour < 23:
        done += int((7 - hour) % 24 * HOUR) + int(scene.rng.uniform(0, 3) * HOUR)
    return (done - scene.now) / S


def broken(scene: Scene, step: Step) -> str:
    if step.system == "payments" and scene.likely(scene.rhythm.payments_fail(scene.now)):
        return "payments did not answer in 60 s"
    if step.system == "credit-bureau" and scene.likely(0.05):
        return "credit-bureau: no file under this name"
    return ""


def traced(loan: Loan, role: Role, work: Work) -> Act:
    """An agent's part, in a trace of its own."""
    actor = loan.scene.actors[role.name]
    turn = actor.turn(None, loan.scene.conversation, LOAN_APPROVAL).set({"baton.run.id": loan.run})
    done = yield from work(loan.scene, actor, turn)
    turn.finish()
    return done
