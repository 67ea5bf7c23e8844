"""Know your customer: one agent checks names against sanctions lists. Since its last release it drifts: its prompts
grow, it asks people more often, and more of its look-ups fail."""

from __future__ import annotations

import json

from orchestration.client import Span
from orchestration.demo import agents
from orchestration.demo.emit import Actor
from orchestration.demo.scene import Act, Scene, reviewed, think, use
from orchestration.demo.stage import Story

KYC_REFRESH = "KYC refresh"


def clear_refresh(scene: Scene) -> Story:
    """Nobody of that name is on a list."""
    actor = scene.actors[agents.KYC.name]
    root = actor.workflow(KYC_REFRESH, scene.conversation)
    turn = actor.turn(root, scene.conversation, KYC_REFRESH)
    done = yield from screen(scene, actor, turn)
    if done:
        yield from think(scene, actor, turn, "Is any of the hits our customer?", "No. Cleared.", 1 + grown(scene))
    else:
        turn.fail("SanctionsUnavailable", "the sanctions list could not be searched")
        root.fail("ScreeningFailed", "the customer was not screened")
    turn.finish()
    root.finish()


def doubtful_refresh(scene: Scene) -> Story:
    """A name is much like one on a list: the agent stops, and a person looks."""
    actor = scene.actors[agents.KYC.name]
    root = actor.workflow(KYC_REFRESH, scene.conversation)
    turn = actor.turn(root, scene.conversation, KYC_REFRESH)
    done = yield from screen(scene, actor, turn)
    if done:
        yield from think(scene, actor, turn, "Is any of the hits our customer?", "One may be.", 1 + grown(scene))
        question = f"Name mismatch: is {scene.customer} the person on the list?"
        call = actor.call(turn, "request_approval", {"question": question})
        yield 0.04
        call.set(actor.role.speech.returned("sent to compliance")).finish()
    turn.finish()
    root.finish()
    if done:
        yield scene.desk(75.0)
        again = actor.resume("Compliance review", KYC_REFRESH, scene.conversation)
        yield from reviewed(scene, actor, again, 9.0)
        turn = actor.turn(again, scene.conversation, KYC_REFRESH)
        yield from think(scene, actor, turn, "Compliance has answered: another person.", "Cleared.", 0.5)
        turn.finish()
        again.finish()


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
