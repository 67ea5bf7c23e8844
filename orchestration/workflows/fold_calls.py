"""Calls of tools and models: which count, how often they were tried, which system they touched, what they cost."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestration.lib.names import forms
from orchestration.telemetry.people import fitting
from orchestration.telemetry.spans import EMBEDDING, ERROR, LLM, OTHER, RETRIEVAL, STEP, TOOL
from orchestration.workflows.fold_agents import Cast, Who
from orchestration.workflows.fold_tree import Tree
from orchestration.workflows.fold_turns import ended
from orchestration.workflows.story import Rules, Step, ToolCall


@dataclass(slots=True)
class Calls:
    tools: list[ToolCall] = field(default_factory=list)
    of_tool: dict[int, ToolCall] = field(default_factory=dict)  # by place
    read: dict[bytes, str] = field(default_factory=dict)  # systems that retrievals touched below them, by span
    attempt: dict[int, int] = field(default_factory=dict)  # only those above 1
    repeats: set[int] = field(default_factory=set)  # model calls whose tokens are counted below
    tokens_in: int = 0
    tokens_out: int = 0
    cost: int | None = None
    by_agent: dict[Who, tuple[int, int]] = field(default_factory=dict)


def calls(tree: Tree, cast: Cast, rules: Rules) -> Calls:
    found = Calls()
    _tools(tree, cast, rules, found)
    _attempts(tree, cast, found)
    _tokens(tree, cast, found)
    return found


def _tools(tree: Tree, cast: Cast, rules: Rules, found: Calls) -> None:
    """A call inside a call of the same tool is the same call seen from further inside: it only adds what it knows."""
    steps, kinds, holder = tree.steps, tree.kind, cast.holder
    same_as: dict[int, int] = {}
    outputs = fitting(rules.outputs)
    for i, kind in enumerate(kinds):
        if kind is TOOL:
            held = holder[i]
            if held >= 0 and kinds[held] is TOOL and _is_same(cast, steps[i], steps[held]):
                same_as[i] = outer = same_as.get(held, held)
                _see_inside(steps[i], found.of_tool.get(outer))
            elif not outputs[steps[i].subject] and not steps[i].subject.startswith("("):
                found.of_tool[i] = _call(tree, cast, rules, i)
        elif kind is OTHER and steps[i].system:
            outer = same_as.get(holder[i], holder[i])
            _see_inside(steps[i], found.of_tool.get(outer))
            _see_read(tree, cast, rules, found, i)
    for i in sorted(found.of_tool):
        call = found.of_tool[i]
        call.system = _named(call.tool, rules) or call.system or call.tool
        found.tools.append(call)


def _call(tree: Tree, cast: Cast, rules: Rules, i: int) -> ToolCall:
    step = tree.steps[i]
    application, agent = cast.who[i] or (step.application, "")
    tool = step.subject or step.name
    system = "" if cast.same(step.system, tool) else step.system
    good = step.outcome is not ERROR
    duration = ended(tree, i) - step.start_ns
    return ToolCall(application, agent, tool, system, good, 1, step.start_ns, duration, step.span_id, step.error)


def _named(tool: str, rules: Rules) -> str:
    """The system that an admin says a tool touches, with or without the tool's prefix."""
    if not rules.systems:
        return ""
    spelled = (tool.casefold(), *forms(tool))
    return next((rules.systems[form] for form in spelled if form in rules.systems), "")


def _see_inside(step: Step, outer: ToolCall | None) -> None:
    if outer is None:
        return
    if not outer.system and step.system and step.system != step.subject:
        outer.system = step.system
    if step.kind is TOOL and outer.ok and step.outcome is ERROR:
        outer.ok, outer.error = False, step.error


def _see_read(tree: Tree, cast: Cast, rules: Rules, found: Calls, i: int) -> None:
    """A request below a retrieval tells which system it read from, unless that says so itself."""
    at = tree.parent[i]
    if at >= 0 and tree.kind[at] is RETRIEVAL:
        step = tree.steps[at]
        known = step.system and not cast.same(step.system, step.subject)
        if not known and not _named(step.subject, rules):
            found.read.setdefault(step.span_id, tree.steps[i].system)


def _is_same(cast: Cast, inner: Step, outer: Step) -> bool:
    one, other = cast.norm(inner.subject), cast.norm(outer.subject)
    return one == other or (one != "" and other.endswith(one)) or (other != "" and one.endswith(other))


def _attempts(tree: Tree, cast: Cast, found: Calls) -> None:
    """Attempt n+1 follows a failed attempt n of the same tool, with the same arguments, in the same turn."""
    steps, kinds = tree.steps, tree.kind
    tools = {cast.norm(call.tool) for call in found.of_tool.values() if not call.ok}
    asked = any(steps[i].outcome is ERROR for i, kind in enumerate(kinds) if kind is LLM)
    last: dict[object, tuple[int, bool]] = {}
    for i, kind in enumerate(kinds if tools or asked else ()):
        key: object
        if kind is TOOL and i in found.of_tool:
            tool = cast.norm(found.of_tool[i].tool)
            if tool not in tools:
                continue
            step = steps[i]
            key = (_turn(tree, cast, i), tool, step.hints.get("call") if step.hints else None)
            good = found.of_tool[i].ok
        elif kind is LLM and asked and not _is_inner(tree, i):
            key = (_turn(tree, cast, i), "")
            good = steps[i].outcome is not ERROR
        else:
            continue
        number, was_good = last.get(key, (0, True))
        number = 1 if was_good else number + 1
        last[key] = number, good
        if number > 1:
            found.attempt[i] = number
            if i in found.of_tool:
                found.of_tool[i].attempt = number


def _is_inner(tree: Tree, i: int) -> bool:
    above = tree.parent[i]
    return above >= 0 and tree.kind[above] is LLM


def _turn(tree: Tree, cast: Cast, i: int) -> object:
    at = cast.turn[i]
    if at >= 0 and cast.who[at] is cast.who[i]:
        return at
    return cast.who[i] or tree.steps[i].trace_id


def _tokens(tree: Tree, cast: Cast, found: Calls) -> None:
    """Over model calls only. Of a call inside a call the inner one counts. A trace whose model calls tell nothing is
    counted by the sums of its agents."""
    steps, kinds, repeats = tree.steps, tree.kind, found.repeats
    told: set[bytes] = set()
    for i in reversed([i for i in tree.topo if kinds[i] is LLM or kinds[i] is EMBEDDING]):
        step = steps[i]
        tells = kinds[i] is LLM and (step.tokens_in or step.tokens_out)
        if tells:
            told.add(step.trace_id)
        if i in repeats:
            continue
        if step.cost is not None:
            found.cost = (found.cost or 0) + step.cost
        if tells:
            _add(found, cast.who[i], step.tokens_in, step.tokens_out)
            _mark_above(tree, i, repeats)
    silent = {step.trace_id for step in steps} - told
    if silent:
        _sums(tree, cast, found, silent)


def _mark_above(tree: Tree, i: int, repeats: set[int]) -> None:
    """Model calls around this one repeat what it says: wrappers and clients. An agent or tool in between ends that."""
    at = tree.parent[i]
    while at >= 0 and at not in repeats and tree.kind[at] in (LLM, STEP, OTHER):
        if tree.kind[at] is LLM:
            repeats.add(at)
        at = tree.parent[at]


def _sums(tree: Tree, cast: Cast, found: Calls, silent: set[bytes]) -> None:
    """Sums of agents and processes, top-most once; all of them where those below say more than the one above."""
    steps, parent = tree.steps, tree.parent
    above: dict[int, int] = {}
    own: dict[int, tuple[int, int]] = {}
    inner: dict[int, list[int]] = {}
    for i in tree.topo:
        up = above.get(parent[i], -1)
        hints = steps[i].hints
        if steps[i].trace_id in silent and hints and "sum" in hints and cast.turn[i] in (i, -1):
            own[i] = hints["sum"][0], hints["sum"][1]
            inner.setdefault(up, []).append(i)
            up = i
        if up >= 0:
            above[i] = up
    pending = inner.get(-1, [])
    while pending:
        i = pending.pop()
        below = inner.get(i, [])
        if any(sum(own[b][side] for b in below) > own[i][side] for side in (0, 1)):
            pending.extend(below)  # its own share only
        _add(found, cast.who[i], *own[i])


def _add(found: Calls, who: Who | None, given: int, made: int) -> None:
    found.tokens_in += given
    found.tokens_out += made
    if who is not None:
        before = found.by_agent.get(who, (0, 0))
        found.by_agent[who] = before[0] + given, before[1] + made
