"""A rule tried out before it is stored: on ordinary facts of every kind, and on facts of recent decisions, under the
very limits that hold when it decides. What compiles may still be too much work for a decision, or fail whatever the
facts are; both are told at their place. Pure but for the clock of the processor.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Any

from orchestration.policies import cel, explain
from orchestration.policies.cel import Fault, Program
from orchestration.policies.syntax import Node
from orchestration.policies.vocabulary import FIELDS, OPEN, Type

RECENT = 50  # decisions that are tried
SLOW_S = 0.02  # of the processor, for one ask: hundreds of rules share the time of an answer
PATIENCE_S = 0.1  # for all of them
NUMBERS = (100.0, 0.0, 1e6)
TEXTS = ("some text", "100", "2026-01-01T00:00:00Z", "3600s")
FILLINGS: tuple[Any, ...] = (*TEXTS, 100.0, True, ["some", "texts"], datetime(2026, 1, 1, tzinfo=UTC))
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
_BUDGET = "budget exceeded"
_SOFT = re.compile(
    r"NOT_FOUND|[Nn]o such|[Nn]o matching overload|Index error|non-message"
)  # what a made-up fact may be to blame for
_STATUS = re.compile(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$")
_WORDS = (
    ("divide by zero", "This divides by zero whatever the facts are."),
    ("modulus by zero", "This divides by zero whatever the facts are."),
    ("invalid regular expression", "This is no pattern that can be matched: {}."),
    ("overflow", "This is beyond what numbers and times can hold, whatever the facts are."),
    ("Index error", "This asks for a place that the list does not have."),
    ("uration", "This is no length of time: {}."),
    ("imestamp", "This is no time: {}."),
)
TOO_MUCH = "This is more work than a decision may take. Compare with fewer things, or split it into several policies."

Facts = Mapping[str, Any]


def rehearse(program: Program, limits: Mapping[str, float], recent: Iterable[Facts] = ()) -> list[Fault]:
    """What is wrong with a rule that compiles; nothing for one that can decide."""
    ready = cel.fixed(program, limits)
    errors: list[str] = []
    decides = False
    for facts in _samples(program, limits):
        outcome, took = _timed(ready, facts)
        if _BUDGET in str(outcome) or took > SLOW_S:
            return [_fault(program, TOO_MUCH, _loop(program.tree))]
        decides = decides or isinstance(outcome, bool)
        errors += [outcome] if isinstance(outcome, str) else []
    if broken := _broken(program):
        return [_fault(program, _words(broken[1]), broken[0])]
    if not decides and (error := _hopeless(program, errors)):
        return [_fault(program, _words(error), None)]
    return _too_much(program, ready, recent)


def _too_much(program: Program, ready: Program, recent: Iterable[Facts]) -> list[Fault]:
    """On what was asked lately; as many of it as there is patience for."""
    begun = time.thread_time()
    for facts in recent:
        outcome, took = _timed(ready, facts)
        if _BUDGET in str(outcome) or took > SLOW_S:
            said = f"{TOO_MUCH} A recent ask took too long."
            return [_fault(program, said, _loop(program.tree))]
        if time.thread_time() - begun > PATIENCE_S:
            break
    return []


def _timed(ready: Program, facts: Facts) -> tuple[bool | str, float]:
    """The outcome and the seconds of the processor; what seems slow is tried once more, since other threads may have
    been at work in the engine."""
    activation = cel.activation({**facts, "known": sorted(facts)})
    took = 0.0
    for _ in range(2):
        begun = time.thread_time()
        outcome = ready.test(activation)
        took = time.thread_time() - begun
        if took <= SLOW_S:
            break
    return outcome, took


def _samples(program: Program, limits: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    """All facts known, numbers small, none and large; what agents may send of any type is there as each type."""
    free = [path for path in program.reads if path not in FIELDS]
    for number, filling in product(NUMBERS, FILLINGS if free else TEXTS):
        text = filling if isinstance(filling, str) else TEXTS[0]
        facts = {name: _ordinary(field.type, number, text) for name, field in FIELDS.items() if name != "known"}
        for path in free:
            _fill(facts, path, filling)
        facts["limits"] = {**facts["limits"], **limits}
        yield facts


def _ordinary(kind: Type, number: float, text: str) -> Any:
    if kind in (Type.NUMBER, Type.WHOLE):
        return number
    if kind == Type.FLAG:
        return number > 0
    return {Type.TEXT: text, Type.TIME: NOON, Type.TEXTS: ["some", "texts"]}.get(kind) or {}


def _fill(facts: dict[str, Any], path: str, filling: Any) -> None:
    head = next((name for name in OPEN if path.startswith(f"{name}.")), "")
    if not head or head == "limits":
        return
    inner = facts[head]
    *names, last = path[len(head) + 1 :].split(".")
    for name in names:
        inner = inner.setdefault(name, {})
        if not isinstance(inner, dict):
            return
    inner.setdefault(last, filling)


def _hopeless(program: Program, errors: Sequence[str]) -> str:
    """The error of a rule that came to no answer on any sample, unless the samples themselves may be to blame."""
    hard = [error for error in errors if not _SOFT.search(error)]
    typed = all(path in FIELDS for path in program.reads)
    return hard[0] if hard and (typed or len(hard) == len(errors)) else ""


def _words(error: str) -> str:
    plain = _STATUS.sub("", error).strip().rstrip(".")
    for mark, said in _WORDS:
        if mark in error:
            return said.format(plain.partition(": ")[2] or plain)
    return f"This fails whatever the facts are: {plain[:160]}."


def _loop(tree: Node) -> Node | None:
    return next((node for node in tree.walk() if node.kind == "loop"), None)


def _broken(program: Program) -> tuple[Node, str] | None:
    """The innermost part that fails whatever the facts are, though others may decide before it is reached."""
    nothing, begun = cel.activation({}), time.thread_time()
    for node in reversed(list(program.tree.walk())):
        if time.thread_time() - begun > PATIENCE_S:
            return None
        text = _alone(node)
        if text:
            outcome = cel.compiled(text).test(nothing)
            if isinstance(outcome, str):
                return node, outcome
    return None


def _alone(node: Node) -> str:
    """A condition that fails if this part always does; "" for one that depends on facts."""
    if node.kind != "call" or not node.parts:
        return ""
    last = node.parts[-1]
    if node.value == "matches" and last.kind == "const":
        return f"''.matches({explain.written(last)})"
    if node.value in ("_/_", "_%_") and last.kind == "const" and last.value == 0 and type(last.value) is int:
        return f"1 {node.value[1]} 0 == 1"
    text = explain.written(node)
    if "…" in text or any(part.kind in ("name", "select", "loop") for part in node.walk()):
        return ""
    try:
        return cel.compiled(f"({text}) == ({text})").text
    except cel.Invalid:
        return ""


def _fault(program: Program, message: str, node: Node | None) -> Fault:
    at = _origin(program.text, program.source, node.at) if node and node.at > 0 else 0
    return Fault(message, *cel.place(program.text, at))


def _origin(text: str, source: str, at: int) -> int:
    """The place in what was written of a place in what the engine has, where numerals were made fractions."""
    mine = 0
    for letter in source[:at]:
        mine += text[mine : mine + 1] == letter
    return mine
