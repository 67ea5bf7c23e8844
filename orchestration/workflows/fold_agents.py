"""Whose each step is: the turns of agents, and the agent of steps that name none.

A turn is one span of an agent. Not every span that calls itself an agent is one:
- the same agent directly inside itself is one turn seen twice (a node and its graph, a client and its server);
- an agent that does nothing itself and only has other agents below it is the process around them.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from orchestration.lib.names import known_normal, normal
from orchestration.telemetry.spans import (
    AGENT,
    BARE,
    EMBEDDING,
    HANDOFF,
    HUMAN,
    LLM,
    OTHER,
    RETRIEVAL,
    STEP,
    TOOL,
    WORKFLOW,
)
from orchestration.workflows.fold_tree import Tree
from orchestration.workflows.story import Step

Who = tuple[str, str]  # application, name
WORK = frozenset({LLM, TOOL, RETRIEVAL, EMBEDDING, HANDOFF, HUMAN})
MOST_BACK = 200
AROUND = frozenset({STEP, OTHER, WORKFLOW})
HOLDERS = frozenset({AGENT, TOOL, WORKFLOW, HANDOFF})


@dataclass(slots=True)
class Cast:
    """`turn`: the place of the agent span that a step belongs to, -1 for none. `holder`: the nearest agent, tool,
    workflow or handoff above it. `who`: its agent."""

    turn: list[int]
    holder: list[int]
    who: list[Who | None]
    turns: list[int]
    own: list[str]  # the agent each step names, of a nameless agent what it is known by
    processes: set[str] = field(default_factory=set)  # normal names of agents that turned out to be processes

    norm = staticmethod(known_normal)

    def same(self, one: str, other: str) -> bool:
        return one == other or self.norm(one) == self.norm(other)


def cast(tree: Tree) -> Cast:
    """1. nearest agents and holders, top down; 2. processes told from agents; 3. the agent of each step."""
    n = len(tree.steps)
    found = Cast([-1] * n, [-1] * n, [None] * n, [], [step.agent for step in tree.steps])
    _stations(tree)
    works, leads = _place(tree, found)
    processes = leads - works
    if processes:
        _demote(tree, found, processes)
    _name(tree, found)
    return found


def _place(tree: Tree, found: Cast) -> tuple[set[int], set[int]]:
    """Fills `turn` and `holder`; returns the turns that do work of their own, and those with agents right below."""
    steps, parent, kinds, turn, holder = tree.steps, tree.parent, tree.kind, found.turn, found.holder
    works: set[int] = set()
    leads: set[int] = set()
    voice = [""] * len(steps)  # the agent's name by the nearest step that gives one
    for i in tree.topo:
        above = parent[i]
        at = -1
        voice[i] = found.own[i]
        if above >= 0:
            at = turn[above]
            voice[i] = voice[i] or voice[above]
            holder[i] = above if kinds[above] in HOLDERS else holder[above]
            if kinds[i] is STEP and _is_twin(steps[i], steps[above]):
                kinds[i] = AGENT
        turn[i] = at
        if kinds[i] is AGENT:
            _begin(tree, found, i, leads)
        elif at >= 0 and at not in works and kinds[i] in WORK and _speaks(found, voice[i], at):
            works.add(at)
    return works, leads


def _speaks(found: Cast, voice: str, at: int) -> bool:
    return not voice or found.same(voice, found.own[at])


def _begin(tree: Tree, found: Cast, i: int, leads: set[int]) -> None:
    """A turn begins, unless it is the one around it seen once more."""
    at, held = found.turn[i], found.holder[i]
    found.own[i] = found.own[i] or _known_as(tree, i, held)
    if at >= 0 and _again(tree, found, i, at):
        return
    found.turn[i] = i
    found.turns.append(i)
    if at >= 0 and tree.kind[held] not in (TOOL, HANDOFF):
        leads.add(at)


def _known_as(tree: Tree, i: int, held: int) -> str:
    """What an agent without a name is known by: the tool or the component that it stands in, else its program."""
    step, above = tree.steps[i], tree.parent[i]
    asked = _asked_for(tree, i, above)
    if asked:
        return asked
    if step.kind in (STEP, WORKFLOW):  # a graph or a node of it that turned out to be an agent
        return step.hints.get("twin") or step.workflow or step.name
    if held >= 0 and tree.kind[held] is TOOL:
        return tree.steps[held].subject or tree.steps[held].name
    if above >= 0 and tree.kind[above] is STEP and tree.steps[above].subject:
        return tree.steps[above].subject
    return step.application or step.name


def _asked_for(tree: Tree, i: int, above: int) -> str:
    """The tool that the model of the agent around asked for just before, where the call left no span of its own."""
    for before in range(i - 1, max(above, i - MOST_BACK), -1) if above >= 0 else ():
        if tree.parent[before] == above:
            wants = tree.steps[before].hints.get("wants", [])
            return wants[0] if len(wants) == 1 else ""
    return ""


def _stations(tree: Tree) -> None:
    """Where nobody names agents, a graph's node in which a model is called is one, of the node's name. A node that is
    only called `model` or the like is part of the agent around it: another node, else the graph."""
    steps, parent, kinds = tree.steps, tree.parent, tree.kind
    passed: set[int] = set()
    for i, kind in enumerate(kinds):
        if kind is not LLM or steps[i].agent:
            continue
        at, bare = parent[i], False
        while at >= 0 and at not in passed and kinds[at] in AROUND and not steps[at].agent:
            passed.add(at)
            node = steps[at].hints.get("twin") or ""
            whole = bare and parent[at] < 0 and not tree.orphan[at]
            if (node or whole) and normal(str(node) if node else steps[at].name) not in BARE:
                kinds[at] = AGENT
                break
            bare = bare or node != ""
            at = parent[at]


def _is_twin(step: Step, above: Step) -> bool:
    """LangGraph before it told agents' names: a node and the graph inside it share one."""
    return "twin" in step.hints and "twin" in above.hints and step.name == above.name


def _again(tree: Tree, found: Cast, i: int, at: int) -> bool:
    """The agent above once more, with no call in between by which it might have called itself."""
    held = found.holder[i]
    if tree.kind[held] in (TOOL, HANDOFF) and found.turn[held] == at:
        return False
    return found.same(found.own[i], found.own[at])


def _demote(tree: Tree, found: Cast, processes: set[int]) -> None:
    turn, parent = found.turn, tree.parent
    for i in tree.topo:
        at = turn[i]
        if at in processes:
            turn[i] = turn[parent[at]] if parent[at] >= 0 else -1
            if i == at:
                tree.kind[i] = WORKFLOW
                found.processes.add(found.norm(found.own[i]))
            elif tree.kind[i] is AGENT:
                tree.kind[i] = WORKFLOW
    found.turns = [i for i in found.turns if i not in processes]
    working = {found.norm(found.own[i]) for i in found.turns}
    found.processes -= working


def _name(tree: Tree, found: Cast) -> None:
    """Own name, else that of the nearest step above which has one. One agent has one spelling: the first that was
    seen, a turn's before others'."""
    steps, turn, who = tree.steps, found.turn, found.who
    spelled: dict[Who, Who] = {}
    of_turn: dict[int, Who] = {}
    for i in sorted(found.turns):
        step = steps[i]
        name = found.own[i]
        of_turn[i] = spelled.setdefault((step.application, found.norm(name)), (step.application, name))
    for i in tree.topo:
        own = found.own[i]
        above = tree.parent[i]
        if i in of_turn:
            who[i] = of_turn[i]
        elif own and tree.kind[i] is not WORKFLOW and found.norm(own) not in found.processes:
            at = who[turn[i]] if turn[i] >= 0 else None
            mine = (steps[i].application, found.norm(own))
            who[i] = at if at and found.same(own, at[1]) else spelled.setdefault(mine, (mine[0], own))
        elif above >= 0:
            who[i] = who[above]
    if spelled:
        _lend(tree, found)


def _lend(tree: Tree, found: Cast) -> None:
    """A tool call beside the agents, as LlamaIndex has it, is that of the agent whose model asked for the tool."""
    steps = tree.steps
    strays = [i for i, kind in enumerate(tree.kind) if kind is TOOL and found.who[i] is None]
    if not strays:
        return
    asked: dict[str, list[tuple[int, Who]]] = {}
    for i, who in enumerate(found.who):
        if who is not None and tree.kind[i] is LLM and steps[i].hints:
            for tool in steps[i].hints.get("wants", ()):
                asked.setdefault(tool, []).append((steps[i].start_ns, who))
    for i in strays:
        calls = asked.get(steps[i].subject, [])
        place = bisect_left(calls, (steps[i].start_ns,)) - 1
        if place >= 0:
            found.who[i] = calls[place][1]
