"""Know your customer: one agent checks names against sanctions lists. Since its last release it drifts: its prompts
grow, it asks people more often, and more of its look-ups fail."""

from __future__ import annotations

import json

from orchestration.client import Span
from orchestration.demo import agents, matters
from orchestration.demo.asking import Asked, may, verdict
from orchestration.demo.emit import Actor
from orchestration.demo.matters import clearing
from orchestration.demo.scene import Act, Scene, reviewed, think, use
from orchestration.demo.stage import Story

KYC_REFRESH = "KYC refresh"


def clear_refresh(scene: Scene) -> Story:
    """Nobody of that name is on a list."""
    yield from refresh(scene, near=False)


def doubtful_refresh(scene: Scene) -> Story:
    """A name is much like one on a list: the agent may not clear it alone, and a person looks."""
    yield from refresh(scene, near=True)


def refresh(scene: Scene, *, near: bool) -> Story:
    actor = scene.actors[agents.KYC.name]
    root = actor.workflow(KYC_REFRESH, scene.conversation)
    turn = actor.turn(root, scene.conversation, KYC_REFRESH)
    answer = None
    if (yield from screen(scene, actor, turn)):
        yield from think(scene, actor, turn, "Is any of the hits our customer?", size=1 + grown(scene))
        answer = yield from cleared(scene, actor, turn, near=near)
    else:
        turn.fail("SanctionsUnavailable", "the sanctions list could not be searched")
        root.fail("ScreeningFailed", "the customer was not screened")
    turn.finish()
    root.finish()
    said = (yield from verdict(scene, answer, 45.0)) if answer and answer.effect == "hold" else ""
    if answer and said:
        again = actor.resume("Compliance review", KYC_REFRESH, scene.conversation)
        yield from reviewed(scene, actor, again, 9.0, live=answer.live)
        turn = actor.turn(again, scene.conversation, KYC_REFRESH)
        other = said in ("approve", "amend")
        word, then = ("another person", "Cleared.") if other else ("our customer", "Blocked.")
        yield from think(scene, actor, turn, f"Compliance has answered: {word}.", then, 0.5)
        turn.finish()
        again.finish()


def cleared(scene: Scene, actor: Actor, turn: Span, *, near: bool) -> Asked:
    """Ask whether the customer may be cleared; where a document is wanted, fetch it and ask again."""
    documented = near or matters.chance(scene, "documents").random() < 0.7
    answer = yield from may(scene, clearing(scene, near=near, documented=documented), turn.context.trace_id)
    if answer.effect == "evidence":
        yield from use(scene, actor, turn, agents.FETCH, {"customer_id": scene.customer})
        answer = yield from may(scene, clearing(scene, near=near, documented=True), turn.context.trace_id, 2)
    if answer.effect == "hold":
        call = actor.call(turn, "request_approval", {"question": answer.ask.question})
        yield 0.04
        call.set(actor.role.speech.returned("sent to compliance")).finish()
    return answer


def screen(scene: Scene, actor: Actor, turn: Span) -> Act:
    yield from use(scene, actor, turn, agents.LOOKUP, {"customer_id": scene.customer})
    yield from think(scene, actor, turn, "Which spellings of the name should be searched?", size=1 + grown(scene))
    yield from use(scene, actor, turn, agents.PRESS, {"name": scene.customer, "years": 7})
    for _ in range(2):
        lost = scene.likely(0.015 + 0.12 * grown(scene))
        error = "SanctionsTimeout" if lost else ""
        found = json.dumps({"hits": scene.rng.randrange(4), "list": "EU consolidated"})
        arguments = {"name": scene.customer, "fuzzy": 0.8}
        yield from use(scene, actor, turn, agents.MATCH, arguments, error=error, answer=found if not error else "")
        if not error:
            return True
    return False


def grown(scene: Scene) -> float:
    return scene.rhythm.drift(scene.now)
