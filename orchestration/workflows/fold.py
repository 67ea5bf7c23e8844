"""A run as its spans tell it: pure, in any order, from as many spans as have come so far.

Read this file first; each stage has its own:
1. tree       (`fold_tree`)      who is below whom
2. agents     (`fold_agents`)    turns, and whose every step is
3. turns      (`fold_turns`)     turns in time
4. handoffs   (`fold_handoffs`)  transfers; turns the tools that were transfers into handoffs
5. calls      (`fold_calls`)     tools, attempts, tokens, cost
6. failures   (`fold_failures`)  counted once, made up for or not
7. people     (`fold_people`)    escalations, guardrails
8. times      (`fold_times`)     work, waiting, shares
Of a run that Baton moves on its own word counts, also where a failed attempt was made up for by another agent, or
where it was cancelled: such a run is in no figure of how runs end (nor is one that was cancelled on a page, which no
span tells: `control.run_rows` knows of it). Else status by these rules, first that holds: a
root in error; the last turn in error, or a failure that nothing made up for: failed. A question to a person that
nothing followed: waiting. No root yet: running. Else completed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.telemetry.spans import AGENT, ERROR, MESSAGING, WORKFLOW
from orchestration.workflows.fold_agents import Cast, Who, cast
from orchestration.workflows.fold_calls import Calls, calls
from orchestration.workflows.fold_failures import Failures, failures
from orchestration.workflows.fold_handoffs import handoffs
from orchestration.workflows.fold_people import Asked, asked, hits, waits
from orchestration.workflows.fold_times import times
from orchestration.workflows.fold_tree import Tree, plant
from orchestration.workflows.fold_turns import Timeline, ended, timeline
from orchestration.workflows.story import CANCELLED, DEFAULT_RULES, Placed, Rules, Step, Story


@dataclass(slots=True)
class Roots:
    first: int  # place of the first step without a parent, -1 before it came
    came: bool  # every trace of the run has its root, and it ended
    failed: bool  # the one that ended last, in error
    sure: bool = False  # Baton moves this run on, and says itself how it ends
    cancelled: bool = False  # … by a person or a rule


def fold(steps: Sequence[Step], rules: Rules = DEFAULT_RULES) -> Story:
    tree = plant(steps)
    people = cast(tree)
    line = timeline(tree, people)
    handed = handoffs(tree, people, line, rules)
    called = calls(tree, people, rules)
    failing = failures(tree, people, line.adopted)
    asks = asked(tree, people, rules)
    spent = times(tree, people, failing.failed, asks, called.attempt)
    roots = _roots(tree)
    workflow = _workflow(tree, people, roots)
    started = tree.steps[0].start_ns if tree.steps else 0
    return Story(
        workflow=workflow,
        title=_title(tree, roots, workflow),
        status=_status(tree, line, failing, asks, roots),
        root_said_ok=roots.came and not roots.failed,
        root_came=roots.came,
        conversation=_conversation(tree, roots),
        started_ns=started,
        ended_ns=max(tree.steps[-1].start_ns, *[step.end_ns for step in tree.steps]) if tree.steps else 0,
        active_ns=spent.active_ns,
        agents=_agents(tree, people),
        placed=_placed(tree, people, called, failing),
        tool_calls=called.tools,
        handoffs=handed,
        escalations=[item.escalation for item in asks],
        guardrail_hits=hits(tree, people, rules),
        errors=len(failing.failed),
        retries=len(called.attempt),
        tokens_in=called.tokens_in,
        tokens_out=called.tokens_out,
        cost=called.cost,
        orphans=sum(tree.orphan),
        agents_ns=spent.agents_ns,
        people_ns=spent.people_ns,
        waiting_ns=spent.waiting_ns,
        steps=spent.steps,
        agent_tokens=called.by_agent,
        read_systems=called.read,
    )


def _roots(tree: Tree) -> Roots:
    """A trace has its root when a step without a parent id ended; the run has its when all traces do."""
    first, last = -1, -1
    over: set[bytes] = set()  # traces whose root ended
    for i in [i for i, above in enumerate(tree.parent) if above < 0 and not tree.orphan[i]]:
        step = tree.steps[i]
        if tree.kind[i] is WORKFLOW and step.hints.get("engine"):
            failed = step.outcome is ERROR
            return Roots(i, bool(step.end_ns), failed, sure=True, cancelled=failed and step.error == CANCELLED)
        if first < 0 or (tree.kind[first] is MESSAGING and tree.kind[i] is not MESSAGING):
            first = i
        if last < 0 or ended(tree, i) >= ended(tree, last):
            last = i
        if step.end_ns:
            over.add(step.trace_id)
    failed = last >= 0 and tree.steps[last].outcome is ERROR
    return Roots(first, bool(over) and over >= {step.trace_id for step in tree.steps}, failed)


def _status(tree: Tree, line: Timeline, failing: Failures, asks: list[Asked], roots: Roots) -> str:
    lasting = not roots.sure and (failing.lasting or _last_turn_failed(tree, line))
    if roots.came and (roots.failed or lasting):
        return CANCELLED if roots.cancelled else "failed"
    if asks and waits(tree, asks, roots.came):
        return "waiting"
    return "completed" if roots.came else "running"


def _last_turn_failed(tree: Tree, line: Timeline) -> bool:
    real = [turn for turn in line.turns if turn.real]
    if not real:
        return False
    last = max(turn.end for turn in real)
    return any(tree.steps[turn.step].outcome is ERROR for turn in real if turn.end == last)


def _workflow(tree: Tree, people: Cast, roots: Roots) -> str:
    """What the process calls itself, else the agent or the name of its root, else the application."""
    steps = tree.steps
    if roots.first >= 0:
        root = steps[roots.first]
        if root.workflow:
            return root.workflow
    for step in steps:
        if step.workflow:
            return step.workflow
    if roots.first < 0:
        return steps[0].application if steps else ""
    if people.own[roots.first] and tree.kind[roots.first] in (AGENT, WORKFLOW):
        return people.own[roots.first]
    if tree.kind[roots.first] is MESSAGING:
        return root.application
    return root.name or root.application


def _title(tree: Tree, roots: Roots, workflow: str) -> str:
    if roots.first < 0 or tree.kind[roots.first] in (MESSAGING, AGENT):
        return workflow
    root = tree.steps[roots.first]
    if tree.kind[roots.first] is WORKFLOW:
        return root.subject or workflow  # what the events API calls this very run: a case, an application
    return root.name or workflow


def _conversation(tree: Tree, roots: Roots) -> str:
    """That of the root: agents that were called may have been given one of their own."""
    if roots.first >= 0 and tree.steps[roots.first].conversation:
        return tree.steps[roots.first].conversation
    return next((step.conversation for step in tree.steps if step.conversation), "")


def _agents(tree: Tree, people: Cast) -> list[Who]:
    found: dict[Who, None] = {}
    for i, who in enumerate(people.who):
        if who is not None and who not in found and tree.kind[i] is not WORKFLOW:
            found[who] = None
    return list(found)


def _placed(tree: Tree, people: Cast, called: Calls, failing: Failures) -> list[Placed]:
    steps, parent, orphan, depth, kinds, who = tree.steps, tree.parent, tree.orphan, tree.depth, tree.kind, people.who
    attempt, failed, repeats = called.attempt, failing.failed, called.repeats
    placed = []
    for i, step in enumerate(steps):
        above = parent[i]
        application, agent = who[i] or (step.application, "")
        placed.append(
            Placed(
                step,
                steps[above].span_id if above >= 0 else b"",
                orphan[i],
                depth[i],
                kinds[i],
                application,
                agent,
                attempt.get(i, 1),
                i in failed,
                i in repeats,
            )
        )
    return placed
