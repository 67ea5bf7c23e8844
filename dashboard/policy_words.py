"""Policies in plain words, and the difference between two versions. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from dashboard.policy_forms import plain, rows_of
from orchestration.lib.templatetags.baton import duration, percent, plural
from orchestration.policies import forms
from orchestration.policies.effects import WORDS, Effect, Kind
from orchestration.policies.forms import ANY, BARE, OPS, Row

LONGEST = 160
TONES = {Kind.DENY: "crit", Kind.HOLD: "human", Kind.EVIDENCE: "human", Kind.ALLOW: "accent"}
NAMES = {
    "action.amount": "the amount",
    "action.rate": "the exchange rate",
    "action.type": "the act",
    "action.system": "the system",
    "action.currency": "the currency",
    "agent.name": "the agent",
    "agent.kind": "the kind of agent",
    "agent.vouched": "the agent is vouched for",
    "agent.trust": "trust in the agent",
    "agent.reliability": "reliability of the agent",
    "agent.failure_rate": "failure rate of the agent",
    "run.workflow": "the workflow",
    "now.hour": "the local hour",
    "now.weekday": "the weekday",
    "now.weekend": "it is the weekend",
    "evidence.count": "the number of pieces of evidence",
    "evidence.kinds": "the evidence",
    "limit": "the limit",
    "signal.one_in": "the outcomes in which an agent that is as ever looks like this once",
    "signal.usual": "its usual share that fails",
    "signal.by": "who tells",
    "signal.surely": "the share that surely fails",
    "signal.rate": "the share that fails",
    "signal.calls": "the number of calls",
    "signal.failures": "the number of failures",
    "signal.minutes": "the time in minutes",
    "signal.usual_minutes": "its usual longest gap in minutes",
    "signal.state": "the breaker",
    "signal.opens": "how often it opened in a row",
    "signal.status": "the run's status",
    "signal.repeats": "the number of equal calls",
    "signal.cost": "the cost",
    "signal.tokens": "the number of tokens",
    "signal.open": "the number of questions",
    "signal.late": "the number of late questions",
    "target.name": "its name",
    "target.application": "its program",
    "target.workflow": "its workflow",
}
SCOPE = {"types": "acts", "workflows": "workflows", "agents": "agents", "systems": "systems", "kinds": "kinds of agent"}
_PAST = re.compile(r"past\.(count|amount|agents)_(\w+)_(\w+)")
_SPAN = re.compile(r"_(\d+)([hdwmy])$")  # what was counted over a time, as `refunds_1y`
_WORD = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    mark: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """`sign`: + - or nothing; `pieces` mark the words that differ."""

    sign: str
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


# ---- in words


def in_words(body: Mapping[str, Any]) -> str:
    """What a version says, in a sentence or two."""
    then, otherwise = effect_words(Effect.of(body["then"])), body.get("otherwise")
    when = condition_words(body["condition"], body["limits"])
    if not when:
        return f"In every case: {lower(then)}."
    said = f"When {when}: {lower(then)}."
    return f"{said} Otherwise {lower(effect_words(Effect.of(otherwise)))}." if otherwise else said


def condition_words(condition: str, limits: Mapping[str, float], subject: str = "ask") -> str:
    """ "" for always; the rule itself where it is more than rows can say."""
    rows = rows_of(condition, subject)
    if rows is None:
        text = " ".join(condition.split())
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    outer, inner = (" or ", " and ") if rows.joiner == ANY else (" and ", " or ")
    groups = [inner.join(row_words(row, limits) for row in group) for group in rows.groups]
    return outer.join(f"({each})" if inner in each and len(groups) > 1 else each for each in groups)


def row_words(row: Row, limits: Mapping[str, float]) -> str:
    name = fact_words(row.field)
    if row.op in ("so", "yes"):
        return name if row.field in NAMES else f"{name} is yes"
    if row.op in ("not_so", "no"):
        return name.replace(" is ", " is not ", 1) if row.field in NAMES else f"{name} is no"
    if row.op in BARE:
        return f"{name} {OPS[row.op]}"
    value = value_words(row.value, limits)
    if row.op == "between":
        return f"{name} is between {value} and {value_words(row.second, limits)}"
    return f"{name} {OPS[row.op]} {value}"


def value_words(value: str, limits: Mapping[str, float]) -> str:
    limit = limits.get(value.removeprefix("limits."))
    if limit is not None and (value == "limit" or value.startswith("limits.")):
        return grouped(limit)
    return fact_words(value) if value in NAMES or _PAST.fullmatch(value) else value


def fact_words(path: str) -> str:
    if path in NAMES:
        return NAMES[path]
    if past := _PAST.fullmatch(path):
        what = {"count": "earlier asks", "amount": "the sum of earlier asks", "agents": "agents that asked"}[past[1]]
        return f"{what} of this {past[2]} in {past[3][:-1]} {past[3][-1]}"
    head, _, last = path.rpartition(".")
    said = _SPAN.sub(r" in \1 \2", last).replace("_", " ")
    return f"{head.split('.')[0]} {said}" if head.split(".")[0] in ("customer", "run", "agent", "step") else said


def effect_words(effect: Effect) -> str:
    """`Ask a person who knows refunds, due in 30 m`"""
    said = WORDS[effect.kind]
    return f"{said}{_more(effect)}"


def _more(effect: Effect) -> str:
    if effect.kind == Kind.HOLD:
        return hold_words(effect)
    if effect.kind in (Kind.PEER, Kind.ROUTE):
        return f": {effect.to}" if effect.kind == Kind.PEER else f" to {effect.to}"
    if effect.kind == Kind.EVIDENCE:
        return f": {', '.join(effect.evidence)}"
    if effect.kind == Kind.AMEND:
        return " to the limit" if effect.amount is None else f" to {grouped(effect.amount)}"
    if effect.kind == Kind.DELAY:
        return f" by {duration(effect.seconds * 1000)}"
    return f", {percent(effect.check_share)} checked afterwards" if effect.check_share else ""


def hold_words(effect: Effect) -> str:
    parts = [f" who knows {effect.skill}"] if effect.skill else [""]
    if effect.people == 2:
        parts.append("two people")
    parts.append(f"due in {duration(effect.due_s * 1000)}")
    if effect.on_timeout == "reject":
        parts.append("rejected when late")
    if effect.precedents:
        parts.append("answered by kept verdicts where it can be undone")
    return ", ".join(parts)


def scope_words(scope: Mapping[str, Any]) -> str:
    """`refund, refund.part by refund-bot in Refund request`; every act where it is not narrowed."""
    said = some(scope.get("types")) or "every act"
    said += f" on {some(scope['systems'])}" if scope.get("systems") else ""
    said += f" by {some(scope['agents'])}" if scope.get("agents") else ""
    said += f" by agents of kind {some(scope['kinds'])}" if scope.get("kinds") else ""
    return said + (f" in {some(scope['workflows'])}" if scope.get("workflows") else "")


def some(names: Any) -> str:
    names = list(names or ())
    more = f" and {plural(len(names) - 3, 'other,others')}" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def grouped(value: float) -> str:
    """1,000 and 12.5"""
    whole, _, part = plain(value).partition(".")
    return f"{int(whole):,}" + (f".{part}" if part else "")


# ---- as lines, and what differs


def as_lines(body: Mapping[str, Any]) -> list[str]:
    """A version as text, a line for each thing that can be changed."""
    lines = laid_out(body["condition"])
    lines.append(f"then {effect_words(Effect.of(body['then']))}")
    for part in ("then", "otherwise"):
        if body.get(part) and part == "otherwise":
            lines.append(f"otherwise {effect_words(Effect.of(body[part]))}")
        if body.get(part) and body[part].get("words"):
            lines.append(f"{part} says “{body[part]['words']}”")
    lines += [f"{name} = {grouped(value)}" for name, value in body["limits"].items()]
    lines += [f"{SCOPE[part]}: {', '.join(names)}" for part, names in body["scope"].items()]
    if body["fail_mode"] == "open":
        lines.append("when it cannot be told, it passes")
    lines += [f"example {each['name']}: {WORDS[Kind(each['effect'])].lower()}" for each in body["examples"]]
    return lines


def laid_out(condition: str, subject: str = "ask") -> list[str]:
    """A rule as lines: what stands on one as the form would write it, so that only what is meant differs."""
    rows = rows_of(condition, subject) if "\n" not in condition.strip() else None
    return [line.rstrip() for line in (forms.write(rows) if rows else condition).splitlines()]


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Line]:
    return compared(as_lines(before), as_lines(after))


def compared(old: Sequence[str], new: Sequence[str]) -> list[Line]:
    """Line by line, with the words that differ marked within lines that were changed."""
    made: list[Line] = []
    for tag, a1, a2, b1, b2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            made += [Line("", (Piece(line),)) for line in old[a1:a2]]
        elif tag == "replace" and a2 - a1 == b2 - b1:
            pairs = [words(left, right) for left, right in zip(old[a1:a2], new[b1:b2], strict=True)]
            made += [Line("-", left) for left, _ in pairs] + [Line("+", right) for _, right in pairs]
        else:
            made += [Line("-", (Piece(line),)) for line in old[a1:a2]]
            made += [Line("+", (Piece(line),)) for line in new[b1:b2]]
    return made


def words(left: str, right: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both lines in pieces; lines with little in common are marked as wholes, which is as nothing marked."""
    one, other = _WORD.findall(left), _WORD.findall(right)
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    if matcher.ratio() < 0.4:
        return (Piece(left),), (Piece(right),)
    olds, news = [], []
    for tag, a1, a2, b1, b2 in matcher.get_opcodes():
        olds.append(Piece("".join(one[a1:a2]), tag != "equal"))
        news.append(Piece("".join(other[b1:b2]), tag != "equal"))
    return tuple(piece for piece in olds if piece.text), tuple(piece for piece in news if piece.text)
