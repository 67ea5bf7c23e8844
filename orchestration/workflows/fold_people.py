"""Where a run met people and policies: escalations, pauses, guardrails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from orchestration.telemetry.people import fitting, matches
from orchestration.telemetry.spans import AGENT, ERROR, GUARDRAIL, HUMAN, LLM, OK, RETRIEVAL, STEP, TOOL
from orchestration.workflows.fold_agents import WORK, Cast, Who
from orchestration.workflows.fold_tree import Tree
from orchestration.workflows.fold_turns import SLACK_NS, ended
from orchestration.workflows.story import Escalation, GuardrailHit, Rules, Step

MOST_CHECKS = 64
ACTS = frozenset({AGENT, TOOL, RETRIEVAL})
UNNAMED = "refused"  # by what, nobody said
# after a mark any word is a name; after a space only what looks like one, since "policy says no" names none
_POLICY = re.compile(
    r"\b(?:policy|guardrail|rule)(?:\s*[:=(\"']+\s*([\w][\w.-]*)|\s+([a-z\d]+(?:[-_.][a-z\d]+)+|[a-z]*\d[a-z\d]*))",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Asked:
    """An escalation, with the moment from which the run waits for its answer."""

    escalation: Escalation
    step: int
    at: int
    pauses: bool  # the program stopped to wait: what goes on in its own trace is no answer


def asked(tree: Tree, cast: Cast, rules: Rules) -> list[Asked]:
    found = []
    stopped = _left(tree, rules) | _stopped(tree)
    people = fitting(rules.escalations)
    for i, kind in enumerate(tree.kind):
        if not (kind is TOOL or kind is HUMAN or i in stopped):
            continue
        step, asks = tree.steps[i], ""
        if kind is TOOL and people[step.subject]:
            if any(matches(around.subject, rules.escalations) for around in _around(tree, cast, i)):
                continue
            rule, pauses = "tool_name", False
        elif kind is HUMAN and "person" not in step.hints:
            rule, pauses = "human_step", False
        elif i in stopped:
            rule, asks = stopped[i]
            pauses = rule != "a2a"
            tree.kind[i] = HUMAN if rule == "interrupt" and kind is STEP else kind
        else:
            continue
        application, agent = cast.who[i] or (step.application, "")
        question = step.hints.get("asks") or asks or step.subject or step.name
        escalation = Escalation(application, agent, question, step.start_ns, "open", rule, step.span_id)
        found.append(Asked(escalation, i, ended(tree, i), pauses))
    _answers(tree, cast, found, rules)
    return found


def _around(tree: Tree, cast: Cast, i: int) -> Iterator[Step]:
    """The calls around a tool call, without an agent in between: if they tell the same, they are the same one, seen at
    its other end."""
    held = cast.holder[i]
    while held >= 0 and tree.kind[held] is TOOL:
        yield tree.steps[held]
        held = cast.holder[held]


def _left(tree: Tree, rules: Rules) -> dict[int, tuple[str, str]]:
    """Turns that ended by asking for a tool which nobody called: they wait until somebody allows the call, or makes it.
    In a run of several traces one that goes on with the call is the answer."""
    first: dict[bytes, int] = {}
    last: dict[bytes, int] = {}
    steps = tree.steps
    for i in [i for i, kind in enumerate(tree.kind) if kind in WORK]:
        trace = steps[i].trace_id
        last[trace] = i
        if trace not in first:
            first[trace] = i
    newest = max(last.values(), default=-1)
    found = {}
    for i in last.values():
        if tree.kind[i] is LLM and _asks(tree, i, rules):
            goes_on = any(begin > i and tree.kind[begin] is TOOL for begin in first.values())
            if i == newest or goes_on:
                wanted = ", ".join(tree.steps[i].hints.get("wants", ())) or "a tool call"
                found[tree.parent[i]] = "approval", f"Approve {wanted[:200]}?"
    return found


def _asks(tree: Tree, i: int, rules: Rules) -> bool:
    """Whether a model call ends its agent's turn by asking for a tool that is not how the agent gives its answer."""
    at = tree.parent[i]
    if at < 0 or tree.kind[at] is not AGENT or not tree.steps[at].end_ns:
        return False
    call, turn = tree.steps[i], tree.steps[at]
    if ERROR in (call.outcome, turn.outcome):
        return False
    return "left" in turn.hints or any(not matches(tool, rules.outputs) for tool in call.hints.get("wants", ()))


def _stopped(tree: Tree) -> dict[int, tuple[str, str]]:
    """Steps that stopped for a person. A pause climbs like an error: the deepest is where it was asked for."""
    waits = [i for i, step in enumerate(tree.steps) if step.hints and "wait" in step.hints]
    above: set[int] = set()
    for i in waits:
        at = tree.parent[i]
        while at >= 0 and at not in above:
            above.add(at)
            at = tree.parent[at]
    return {i: (tree.steps[i].hints["wait"], "") for i in waits if i not in above}


def _answers(tree: Tree, cast: Cast, found: list[Asked], rules: Rules) -> None:
    """A finished human step has its answer, and a run that goes on in another trace has one. Of a question put by a
    tool the answer may come within the trace: then its agent acts on it. Words alone are no act: it may have told that
    it asked."""
    if not found:
        return
    starts: dict[bytes, int] = {}
    for step in tree.steps:
        starts.setdefault(step.trace_id, step.start_ns)
    latest = sorted(starts.items(), key=lambda item: item[1])[-2:]
    acted = _acts(tree, cast, rules)
    for item in found:
        step, rule = tree.steps[item.step], item.escalation.rule
        answered = any(trace != step.trace_id and start >= item.at - SLACK_NS for trace, start in latest)
        if rule == "human_step":
            answered = answered or (step.end_ns != 0 and step.outcome == OK)
        elif rule == "tool_name":
            answered = answered or acted.get((step.trace_id, cast.who[item.step]), 0) >= item.at
        elif rule == "a2a":
            answered = tree.steps[-1].start_ns >= item.at
        item.escalation.state = "answered" if answered else "open"


def _acts(tree: Tree, cast: Cast, rules: Rules) -> dict[tuple[bytes, Who | None], int]:
    """When an agent last began a turn or called a tool, in each trace, other than to ask."""
    last = {}
    for i, kind in enumerate(tree.kind):
        if kind in ACTS and cast.who[i] is not None and not matches(tree.steps[i].subject, rules.escalations):
            last[tree.steps[i].trace_id, cast.who[i]] = tree.steps[i].start_ns
    return last


def waits(tree: Tree, found: list[Asked], root_came: bool) -> bool:
    """Whether the run stands still until somebody answers: nothing began after the question was put."""
    for item in found:
        if item.escalation.state != "open":
            continue
        if item.escalation.rule == "human_step" and tree.steps[item.step].end_ns == 0:
            return True
        if root_came and (item.pauses or tree.steps[-1].start_ns < item.at):
            return True
    return False


def hits(tree: Tree, cast: Cast, rules: Rules) -> list[GuardrailHit]:
    found = []
    steps = tree.steps
    told = [i for i, step in enumerate(steps) if step.hints and ("hit" in step.hints or "said" in step.hints)]
    for i in sorted({*told, *[i for i, kind in enumerate(tree.kind) if kind is GUARDRAIL]}):
        step = steps[i]
        name = _hit(tree, i, rules)
        if name and not (tree.kind[i] is TOOL and any("said" in call.hints for call in _around(tree, cast, i))):
            application, agent = cast.who[i] or (step.application, "")
            found.append(GuardrailHit(application, agent, name, step.start_ns, step.span_id))
    return found


def _hit(tree: Tree, i: int, rules: Rules) -> str:
    """The name of the guardrail that this step tells was hit, "" for none."""
    step, hints = tree.steps[i], tree.steps[i].hints
    if tree.kind[i] is GUARDRAIL:
        name = step.subject or step.name
        bad = step.outcome is ERROR or str(hints.get("verdict", "")).lower() in rules.hits
        return name if bad else ""
    if "said" in hints and tree.kind[i] is TOOL:
        return _denied(hints["said"], rules.denials)
    if "hit" not in hints:
        return ""
    checks = range(i + 1, min(i + 1 + MOST_CHECKS, len(tree.steps)))
    guards = [c for c in checks if tree.parent[c] == i and tree.kind[c] is GUARDRAIL]
    if any(_hit(tree, c, rules) for c in guards):
        return ""  # told by the check itself
    last = tree.steps[guards[-1]] if guards else None
    return hints["hit"] or (last.subject or last.name if last else "guardrail")


@lru_cache(maxsize=1024)
def _denied(answer: str, denials: tuple[str, ...]) -> str:
    for pattern in denials:
        if _compiled(pattern).search(answer):
            named = _POLICY.search(answer)
            return (named[1] or named[2]) if named else UNNAMED
    return ""


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)
