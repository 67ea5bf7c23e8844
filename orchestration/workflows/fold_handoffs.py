"""Who handed work to whom. Rules from the strongest to the weakest; a transfer seen by several is kept once.

1. explicit   a span that says so, or `a2a`: a call to another program's agent
2. tools      an agent below a tool of another agent (`agent_below_tool`, needs no names); a tool whose name is a
              transfer's (`tool_name`); a tool given an agent's name, whose turn is next (`argument`)
3. requested  a model asked for an agent as its tool, and the agent's own span was lost
4. nesting    an agent directly inside another's turn (`agent_below_agent`)
5. graph      the producer names the previous agent (`graph_parent`)
6. sequence   turns side by side below one process, one after the other
A turn that one rule explains is left alone by the later ones.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from heapq import heappop, heappush
from zlib import crc32

from orchestration.telemetry.people import fitting
from orchestration.telemetry.spans import AGENT, HANDOFF, LLM, TOOL, WORKFLOW
from orchestration.workflows.fold_agents import Cast, Who
from orchestration.workflows.fold_tree import Tree
from orchestration.workflows.fold_turns import SLACK_NS, Timeline
from orchestration.workflows.story import Handoff, Rules

NOBODY = frozenset({"", "agent", "unknown", "end", "__end__", "user", "human"})


@dataclass(slots=True)
class Handing:
    tree: Tree
    cast: Cast
    line: Timeline
    rules: Rules
    kept: list[Handoff] = field(default_factory=list)
    keys: set[tuple[str, str, object]] = field(default_factory=set)
    explained: set[int] = field(default_factory=set)  # turns whose cause is known
    calls: dict[Who, list[int]] = field(default_factory=dict)  # when each agent called its model
    people: dict[str, Who] = field(default_factory=dict)  # normal name -> agent
    hashed: dict[int, Who] = field(default_factory=dict)
    starts: list[int] = field(default_factory=list)  # of all turns
    below: dict[int, int] = field(default_factory=dict)  # holder -> the first turn in it

    def keep(self, source: Who | None, target: Who, at: int, rule: str, step: int, turn: int | None = None) -> None:
        """Keep a transfer once: by the turn it led to, else by the model call that it follows."""
        if source is None or source == target:
            return
        if turn is None:
            turn = self.line.next_of(self.cast.norm(target[1]), at)
        cause = turn if turn is not None else ("call", bisect_right(self.calls.get(source, []), at))
        key = (self.cast.norm(source[1]), self.cast.norm(target[1]), cause)
        if turn is not None:
            self.explained.add(turn)
        if key not in self.keys:
            self.keys.add(key)
            self.kept.append(Handoff(*source, *target, at, rule, self.tree.steps[step].span_id))

    def known(self, name: str) -> Who | None:
        return self.people.get(self.cast.norm(name)) if name else None

    def named(self, step: int) -> Who | None:
        """The agent, other than the caller, whose name or id is among a call's arguments."""
        hints = self.tree.steps[step].hints
        for value in hints.get("names", ()) if hints else ():
            who = self.hashed.get(value)
            if who is not None and who != self.cast.who[step]:
                return who
        return None

    def next_turn(self, step: int) -> int | None:
        """The next turn of another agent, if the caller did nothing of its own in between."""
        who, at = self.cast.who[step], self.tree.steps[step].start_ns
        number = bisect_right(self.starts, at - 1)
        if number == len(self.line.turns) or self.line.turns[number].who == who:
            return None
        calls = self.calls.get(who, []) if who else []
        idle = bisect_right(calls, at) == bisect_right(calls, self.line.turns[number].start)
        return number if idle else None


def handoffs(tree: Tree, cast: Cast, line: Timeline, rules: Rules) -> list[Handoff]:
    """All transfers in order of time. Tools that turn out to be transfers change their kind in `tree`."""
    turns = line.turns
    if not turns and not any(kind is HANDOFF for kind in tree.kind):
        return []
    handing = Handing(tree, cast, line, rules)
    handing.starts = [turn.start for turn in turns]
    for number, turn in enumerate(turns):
        handing.people.setdefault(cast.norm(turn.who[1]), turn.who)
        handing.below.setdefault(turn.holder, number)
    _listen(handing)
    _explicit(handing)
    _tools(handing)
    for request in line.requests:
        handing.keep(request.by, request.to, request.at, "requested", request.step)
    _nested(handing)
    _graph(handing)
    _sequence(handing)
    handing.kept.sort(key=lambda handoff: handoff.at_ns)
    return handing.kept


def _listen(handing: Handing) -> None:
    cast, steps = handing.cast, handing.tree.steps
    for i, kind in enumerate(handing.tree.kind):
        who = cast.who[i]
        if who is None:
            continue
        if kind is LLM:
            handing.calls.setdefault(who, []).append(steps[i].start_ns)
        elif kind is AGENT:
            for name in steps[i].hints.get("team", ()) if steps[i].hints else ():
                handing.people.setdefault(cast.norm(name), (steps[i].application, name))
    handing.hashed = {crc32(name.encode()): who for name, who in handing.people.items()}


def _explicit(handing: Handing) -> None:
    tree, cast = handing.tree, handing.cast
    for i, step in enumerate(tree.steps):
        hints = step.hints
        if not hints or "to" not in hints or tree.kind[i] is TOOL:
            continue
        is_handoff = tree.kind[i] is HANDOFF
        source = handing.known(hints.get("from", "")) or cast.who[i] or _before(handing, step.start_ns)
        target = handing.known(hints["to"])
        if "a2a" in hints:
            _remote(handing, i, source, target)
        elif target is not None:
            at = step.start_ns if is_handoff else step.end_ns or step.start_ns
            handing.keep(source, target, at, "explicit", i)
        elif is_handoff and "soft" not in hints:
            number = handing.next_turn(i)
            if number is not None:
                handing.keep(source, handing.line.turns[number].who, step.start_ns, "explicit", i, number)
            elif cast.norm(hints["to"]) not in NOBODY:
                handing.keep(source, (step.application, hints["to"]), step.start_ns, "explicit", i)


def _remote(handing: Handing, i: int, source: Who | None, target: Who | None) -> None:
    """A call by A2A goes to the agent whose spans lie below it, else to whom it names."""
    step = handing.tree.steps[i]
    number = handing.below.get(i)
    if number is not None:
        handing.keep(source, handing.line.turns[number].who, step.start_ns, "a2a", i, number)
        return
    if target is None and step.hints["to"]:
        target = (step.application, step.hints["to"])
    if target is not None:
        handing.keep(source, target, step.start_ns, "a2a", i)


def _before(handing: Handing, at: int) -> Who | None:
    place = bisect_right(handing.starts, at) - 1
    return handing.line.turns[place].who if place >= 0 else None


def _tools(handing: Handing) -> None:
    tree = handing.tree
    below: dict[int, list[int]] = {}
    for number, turn in enumerate(handing.line.turns):
        holder, around = turn.holder, False
        while holder >= 0 and tree.kind[holder] is WORKFLOW:
            holder, around = handing.cast.holder[holder], True
        if holder >= 0 and tree.kind[holder] is TOOL and not (around and holder in below):
            below.setdefault(holder, []).append(number)  # of a process inside a tool only the first turn
    asks, transfers = fitting(handing.rules.escalations), fitting(handing.rules.transfers)
    for i, kind in enumerate(tree.kind):
        if kind is TOOL:
            step = tree.steps[i]
            tells = transfers[step.subject] or (step.hints and "names" in step.hints)
            if i in below or (tells and not asks[step.subject]):
                _tool(handing, i, below.get(i, ()), is_transfer=transfers[step.subject])


def _tool(handing: Handing, i: int, below: list[int] | tuple[()], *, is_transfer: bool) -> None:
    tree, step, source = handing.tree, handing.tree.steps[i], handing.cast.who[i]
    if below:
        tree.kind[i] = HANDOFF
        for inner in below:
            handing.keep(source, handing.line.turns[inner].who, step.start_ns, "agent_below_tool", i, inner)
        return
    if is_transfer:
        tree.kind[i] = HANDOFF
        meant, number = _target(handing, i)
        if meant is not None:
            handing.keep(source, meant, step.start_ns, "tool_name", i, number)
        return
    target = handing.named(i)
    if target is not None:
        number = handing.next_turn(i)
        if number is not None and handing.line.turns[number].who == target:
            tree.kind[i] = HANDOFF
            handing.keep(source, target, step.start_ns, "argument", i, number)


def _target(handing: Handing, i: int) -> tuple[Who | None, int | None]:
    """Whom a transfer tool means: a known agent by its arguments or name, else whoever comes next, else its words."""
    step = handing.tree.steps[i]
    said = step.hints.get("to", "") if step.hints else ""
    suffix = _suffix(step.subject) or _after_agent(step.subject)
    for known in (handing.named(i), handing.known(said), handing.known(suffix), handing.known(_bare(suffix))):
        if known is not None and known != handing.cast.who[i]:
            return known, None
    number = handing.next_turn(i)
    if number is not None:
        return handing.line.turns[number].who, number
    for words in (suffix, said):
        if handing.cast.norm(words) not in NOBODY:
            return (step.application, words), None
    return None, None


def _suffix(tool: str) -> str:
    lower = tool.lower()
    for middle in ("_to_", "-to-", " to "):
        if middle in lower:
            return tool[lower.rindex(middle) + len(middle) :]
    return ""


def _after_agent(tool: str) -> str:
    """`agent-billing` calls billing."""
    return tool[6:] if tool[:6].lower() in ("agent-", "agent_") else ""


def _bare(name: str) -> str:
    for ending in ("_agent", "-agent", " agent"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return f"{name}_agent" if name else ""


def _nested(handing: Handing) -> None:
    for number, turn in enumerate(handing.line.turns):
        if number in handing.explained or turn.inside < 0 or turn.holder < 0:
            continue
        if handing.tree.kind[turn.holder] is AGENT:
            handing.keep(handing.cast.who[turn.inside], turn.who, turn.start, "agent_below_agent", turn.step, number)


def _graph(handing: Handing) -> None:
    steps = handing.tree.steps
    nodes: dict[str, Who] = {}
    above: list[tuple[int, str]] = []
    for number, turn in enumerate(handing.line.turns):
        hints = steps[turn.step].hints
        if hints and turn.real:
            if "node" in hints:
                nodes.setdefault(hints["node"], turn.who)
            if "above" in hints and number not in handing.explained:
                above.append((number, hints["above"]))
    for number, name in above:
        turn = handing.line.turns[number]
        source = nodes.get(name) or handing.known(name)
        handing.keep(source, turn.who, turn.start, "graph_parent", turn.step, number)


def _sequence(handing: Handing) -> None:
    """Turns below the same process, each after the latest that had ended when it began. In one trace: another one is
    a run that goes on, where nobody needs to have handed over."""
    groups: dict[tuple[bytes, int], list[int]] = {}
    steps, kinds = handing.tree.steps, handing.tree.kind
    for number, turn in enumerate(handing.line.turns):
        if turn.inside < 0 and (turn.holder < 0 or kinds[turn.holder] is WORKFLOW):
            groups.setdefault((steps[turn.step].trace_id, -1), []).append(number)
        elif turn.holder >= 0 and kinds[turn.holder] is WORKFLOW:
            groups.setdefault((steps[turn.step].trace_id, turn.holder), []).append(number)
    for (_, holder), numbers in groups.items():
        _side_by_side(handing, holder, numbers)


def _side_by_side(handing: Handing, holder: int, numbers: list[int]) -> None:
    running: list[tuple[int, int]] = []
    last = -1
    told = frozenset(handing.keys)
    turns = handing.line.turns
    for number in numbers:
        turn = turns[number]
        while running and running[0][0] <= turn.start + SLACK_NS:
            last = heappop(running)[1]
        heappush(running, (turn.end, number))
        if number in handing.explained:
            continue
        if last >= 0:
            back = handing.cast.norm(turn.who[1]), handing.cast.norm(turns[last].who[1]), last
            if back not in told:  # else the work returns to who had handed it out
                handing.keep(turns[last].who, turn.who, turn.start, "sequence", turn.step, number)
        elif holder >= 0 and turn.inside >= 0:
            source = handing.cast.who[turn.inside]
            handing.keep(source, turn.who, turn.start, "agent_below_agent", turn.step, number)
