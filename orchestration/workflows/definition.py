"""What a declared workflow says, read from JSON and checked. Pure: no database, no clock, no CEL.

    {"name": "Refund",                          what its runs are called by; needed
     "words": "",                               what it is for
     "triggers": [{"on": "api"}],               what starts it: always the API, and what `triggers` tells of
     "retry_budget": 20,                        retries that all steps of a run share
     "if_fails": "stop" | "undo",               once a step has failed for good: end there, or roll back
     "steps": [{
        "id": "pay",                            small letters, digits, . _ -; needed, once
        "name": "Pay it back",
        "owner": {"agent": "payer"},            or {"skill": "payments"}, {"human": "approvals"}, {"webhook": "7"}: one
        "after": ["check"],                     steps that have to end first; none: it begins the run
        "guard": "context.steps.check.ok == true",   CEL over the run's data; not true: the step is skipped
        "time_limit_s": 600,                    for one attempt; for a person, until the answer
        "wait_limit_s": 0,                      how long it may wait for somebody to take it; 0: for ever
        "lease_s": 30,                          silence after which whoever has it has lost it
        "idempotent": true,                     doing it twice is as doing it once
        "keyed": false,                         the owner passes Baton's key on, so that a second time has no effect
        "if_fails": "fail" | "go_on",           what its failing means for the run
        "retry": {"budget": 5,                  retries of this step in one run, over all classes
                  "rules": [{"on": ["timeout"], "attempts": 3, "wait_s": 1, "factor": 2, "most_wait_s": 300,
                             "jitter": 0.2}]},  `on` empty: every class; the first that fits counts
        "ask": {"question": "", "proposal": "", "why": "", "cost_of_waiting": "", "reversible": true},   of a person
        "compensation": {"owner": {…}, "name": "", "time_limit_s": 600, "lease_s": 30, "idempotent": true,
                         "keyed": true, "retry": {…}}   who takes back what the step did, when the run is rolled back
     }]}

A guard reads `context.input` (what the run was started with) and `context.steps.<id>` (what each step gave).
A step runs when all that it comes after has ended and something of it was done; where all of it was skipped, it is too.
Error classes are names that the owner chooses; Baton's own are in `CLASSES`.
"""

from __future__ import annotations

from typing import Any

from orchestration.workflows import triggers
from orchestration.workflows.fields import Fault, Fields
from orchestration.workflows.plans import OWNERS, Ask, Compensation, Definition, Owner, Retry, Rule, StepPlan
from orchestration.workflows.precedence import cycle

MOST_STEPS = 100
MOST_TRIGGERS = 10
DAY_S = 86_400
CLASSES = {
    "timeout": "It took longer than its time limit",
    "lost": "Whoever had it fell silent",
    "unclaimed": "Nobody took it in time",
    "rejected": "A person said no",
    "more": "A person wants to know more",
    "undelivered": "The address that does it did not take it",
    "guard": "Its guard could not be told",
    "error": "Whatever has no class of its own",
}


__all__ = ["BadDefinition", "Definition", "parse"]


class BadDefinition(ValueError):
    """Every fault, by path."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{fault.path}: {fault.message}" for fault in faults))


def parse(body: Any) -> Definition:
    """The definition. Raises BadDefinition with all faults."""
    faults: list[Fault] = []
    fields = Fields.of(body, "", faults)
    steps = tuple(
        _step(Fields.of(each, f"steps[{place}]", faults)) for place, each in enumerate(fields.list("steps", MOST_STEPS))
    )
    name = fields.text("name", 120, needed=True)
    others = [
        triggers.read(Fields.of(each, f"triggers[{place}]", faults), name)
        for place, each in enumerate(fields.list("triggers", MOST_TRIGGERS))
    ]
    made = Definition(
        name=name,
        words=fields.text("words", 2000),
        triggers=(triggers.API, *{each.digest: each for each in others if each.on != "api"}.values()),
        retry_budget=fields.whole("retry_budget", 20, 0, 1000),
        if_fails=fields.choice("if_fails", "stop", ("stop", "undo")),
        steps=steps,
    )
    fields.done()
    faults += _of_steps(made)
    if faults:
        raise BadDefinition(*faults)
    return made


def _step(fields: Fields) -> StepPlan:
    step_id = fields.name("id")
    owner = fields.inner("owner", _owner)
    if owner is None:
        fields.wrong("owner", "Say who does it: an agent, a skill, a human or a webhook.")
        owner = Owner("skill", "")
    made = StepPlan(
        id=step_id,
        name=fields.text("name", 120) or step_id,
        owner=owner,
        after=fields.names("after", MOST_STEPS),
        guard=fields.text("guard", 2048),
        time_limit_s=fields.number("time_limit_s", 7 * DAY_S if owner.kind == "human" else 600, 1, 90 * DAY_S),
        wait_limit_s=fields.number("wait_limit_s", 0, 0, 90 * DAY_S),
        lease_s=fields.number("lease_s", 30, 1, 3600),
        idempotent=fields.flag("idempotent", True),
        keyed=fields.flag("keyed", False),
        if_fails=fields.choice("if_fails", "fail", ("fail", "go_on")),
        retry=fields.inner("retry", _retry) or Retry(),
        ask=fields.inner("ask", _ask),
        compensation=fields.inner("compensation", _compensation),
    )
    _belongs(fields, made)
    fields.done()
    return made


def _belongs(fields: Fields, made: StepPlan) -> None:
    if made.owner.kind == "human" and made.ask is None:
        fields.wrong("ask", "A person needs a question, a proposal and why.")
    if made.owner.kind != "human" and made.ask is not None:
        fields.wrong("ask", "Only a person is asked.")
    if made.retry.rules and not (made.idempotent or made.keyed):
        fields.wrong("retry", "What is not idempotent and carries no key is never tried again.")


def _owner(fields: Fields) -> Owner:
    named = [kind for kind in OWNERS if fields.given.get(kind) is not None]
    if len(named) != 1:
        fields.faults.append(Fault(fields.path, f"Exactly one of {', '.join(OWNERS)}."))
        return Owner("skill", "")
    name = fields.text(named[0], 200, needed=named[0] != "human")
    fields.done()
    return Owner(named[0], name)


def _retry(fields: Fields) -> Retry:
    rules = fields.list("rules", 20)
    made = Retry(
        budget=fields.whole("budget", 5, 0, 100),
        rules=tuple(_rule(Fields.of(each, fields.at(f"rules[{n}]"), fields.faults)) for n, each in enumerate(rules)),
    )
    fields.done()
    return made


def _rule(fields: Fields) -> Rule:
    made = Rule(
        on=fields.names("on", 20),
        attempts=fields.whole("attempts", 3, 1, 100),
        wait_s=fields.number("wait_s", 1, 0, DAY_S),
        factor=fields.number("factor", 2, 1, 10),
        most_wait_s=fields.number("most_wait_s", 300, 0, DAY_S),
        jitter=fields.number("jitter", 0.2, 0, 1),
    )
    fields.done()
    return made


def _ask(fields: Fields) -> Ask:
    made = Ask(
        question=fields.text("question", 500, needed=True),
        proposal=fields.text("proposal", 2000, needed=True),
        why=fields.text("why", 2000, needed=True),
        cost_of_waiting=fields.text("cost_of_waiting", 500),
        reversible=fields.flag("reversible", False),
    )
    fields.done()
    return made


def _compensation(fields: Fields) -> Compensation:
    owner = fields.inner("owner", _owner)
    if owner is None or owner.kind == "human":
        fields.wrong("owner", "Say who takes it back: an agent, a skill or a webhook.")
    made = Compensation(
        owner=owner or Owner("skill", ""),
        name=fields.text("name", 120),
        time_limit_s=fields.number("time_limit_s", 600, 1, 90 * DAY_S),
        lease_s=fields.number("lease_s", 30, 1, 3600),
        idempotent=fields.flag("idempotent", True),
        keyed=fields.flag("keyed", True),
        retry=fields.inner("retry", _retry) or Retry(),
    )
    fields.done()
    return made


def _of_steps(made: Definition) -> list[Fault]:
    """What is wrong between steps."""
    if not made.steps:
        return [Fault("steps", "A workflow has at least one step.")]
    faults: list[Fault] = []
    ids = [step.id for step in made.steps]
    for place, step in enumerate(made.steps):
        if step.id and ids.index(step.id) != place:
            faults.append(Fault(f"steps[{place}].id", f"steps[{ids.index(step.id)}] is called {step.id} too."))
        for n, before in enumerate(step.after):
            if before not in ids:
                faults.append(Fault(f"steps[{place}].after[{n}]", f"There is no step {before}."))
    if not faults and (found := cycle({step.id: step.after for step in made.steps})):
        place = ids.index(found[0])
        faults.append(Fault(f"steps[{place}].after", f"This goes in a circle: {' after '.join(found)}."))
    return faults
