"""What happens: customers who ask, and payments that are looked for. Refunds, screening, loans and robots have files of
their own.

Each story is a generator that yields the seconds it waits (`stage`). An agent's work is nested generators, so a story
reads from top to bottom as it happened. Spans are finished explicitly: an agent's turn goes on while others work.
"""

from __future__ import annotations

import json

from orchestration.client import Span
from orchestration.demo import agents, matters
from orchestration.demo.asking import may, verdict
from orchestration.demo.scene import Scene, passed_on, reviewed, think, use
from orchestration.demo.stage import Story

PAYMENT_TRACE = "Payment trace"
BILLING_QUESTION, ACCOUNT_QUESTION = "Billing question", "Account question"
ADDRESS_CHANGE = "Address change"
QUESTIONS = (
    "Where do I find my statement for October?",
    "How long does a refund take until it is on my account?",
    "Can I change the address of my account in the app?",
    "My card 4111 1111 1111 1111 was charged twice. Please look into it.",
    "What does a payment in dollars cost me?",
)


def billing_question(scene: Scene) -> Story:
    """A question about a charge: one agent asks another and answers. Now and then what it tells the customer is not
    what the other one found."""
    question = scene.rng.choice(QUESTIONS)
    root = scene.service.workflow(BILLING_QUESTION, scene.conversation)
    turn = scene.service.turn(root, scene.conversation, BILLING_QUESTION)
    yield from think(scene, scene.service, turn, question)
    yield from use(scene, scene.service, turn, agents.LOOKUP, {"customer_id": scene.customer})
    asked = scene.service.call(turn, "ask_billing", {"question": question})
    below = scene.billing.turn(passed_on(asked), scene.conversation, BILLING_QUESTION)
    bookings = {"account": scene.account, "days": 30}
    if scene.faults.unknown_account:
        yield from use(scene, scene.billing, below, agents.BOOKINGS, bookings, error="AccountNotFound")
        bookings = {"account": f"A-{scene.rng.randrange(200_000, 999_999)}", "days": 30}
    fee = scene.rng.choice((1.5, 1.75, 2.0))
    found = json.dumps({"fee_percent": fee, "fee": round(fee * scene.about(1.2, 0.6), 2)})
    yield from use(scene, scene.billing, below, agents.BOOKINGS, bookings, answer=found)
    yield from think(scene, scene.billing, below, question, f"The fee is {fee} % of the amount.")
    below.finish()
    asked.set(scene.service.role.speech.returned(f"The fee is {fee} % of the amount.")).finish()
    yield from goodwill(scene, asked)
    told = fee + 0.25 if scene.faults.contradicts else fee
    yield from think(scene, scene.service, turn, "Answer the customer.", f"You pay a fee of {told} %.", 0.7)
    turn.finish()
    root.finish()


def goodwill(scene: Scene, below: Span) -> Story:
    """Now and then billing gives a fee back, as much of it as it may."""
    rng = matters.chance(scene, "goodwill")
    if rng.random() < 0.14:
        amount = round(rng.lognormvariate(2.9, 0.6), 2)
        yield from may(scene, matters.waiver(scene, amount), below.context.trace_id)


def payment_trace(scene: Scene) -> Story:
    """A payment that has not arrived: the agent asks the network again and again, for minutes."""
    actor = scene.actors[agents.TRACER.name]
    root = actor.workflow(PAYMENT_TRACE, scene.conversation)
    turn = actor.turn(root, scene.conversation, PAYMENT_TRACE)
    yield from think(scene, actor, turn, f"Where is the payment of {scene.account}?")
    for _ in range(scene.rng.randrange(2, 7)):
        error = "TrackerTimeout" if scene.likely(0.03) else ""
        yield from use(scene, actor, turn, agents.TRACE, {"account": scene.account}, error=error)
        yield scene.takes(45.0)
    yield from think(scene, actor, turn, "Tell the customer where the money is.")
    turn.finish()
    root.finish()


def address_change(scene: Scene) -> Story:
    yield from move(scene, abroad=False)


def address_abroad(scene: Scene) -> Story:
    yield from move(scene, abroad=True)


def move(scene: Scene, *, abroad: bool) -> Story:
    """A customer has moved. Abroad a person makes sure first that it is the customer."""
    root = scene.service.workflow(ADDRESS_CHANGE, scene.conversation)
    turn = scene.service.turn(root, scene.conversation, ADDRESS_CHANGE)
    yield from think(scene, scene.service, turn, "I have moved. Please change my address.")
    yield from use(scene, scene.service, turn, agents.LOOKUP, {"customer_id": scene.customer})
    answer = yield from may(scene, matters.address(scene, abroad=abroad), turn.context.trace_id)
    if answer.effect == "hold":
        call = scene.service.call(turn, "request_approval", {"question": answer.ask.question})
        yield 0.04
        call.set(scene.service.role.speech.returned("sent to the identity desk")).finish()
    elif answer.effect == "allow":
        yield from use(scene, scene.service, turn, agents.MOVE, {"customer_id": scene.customer})
    turn.finish()
    root.finish()
    said = (yield from verdict(scene, answer, 22.0)) if answer.effect == "hold" else ""
    if not said:
        return
    again = scene.service.resume("Identity check", ADDRESS_CHANGE, scene.conversation)
    yield from reviewed(scene, scene.service, again, 4.0, live=answer.live)
    turn = scene.service.turn(again, scene.conversation, ADDRESS_CHANGE)
    if said in ("approve", "amend"):
        yield from use(scene, scene.service, turn, agents.MOVE, {"customer_id": scene.customer})
    yield from think(scene, scene.service, turn, "Tell the customer what was decided.", size=0.5)
    turn.finish()
    again.finish()


def account_question(scene: Scene) -> Story:
    """A question that the help pages answer."""
    question = scene.rng.choice(QUESTIONS)
    root = scene.service.workflow(ACCOUNT_QUESTION, scene.conversation)
    turn = scene.service.turn(root, scene.conversation, ACCOUNT_QUESTION)
    yield from use(scene, scene.service, turn, agents.SEARCH, {"query": question})
    yield from think(scene, scene.service, turn, question)
    turn.finish()
    root.finish()
