"""Rules and facts to an answer. Pure: plain values in, a frozen answer out; the same for live, shadow and replay.

1. scope      rules that speak of this act
2. condition  true: the rule's `then`; false: its `otherwise`, if it has one; an error: its fail mode
3. strictest  the strictest effect wins, and every match is told
4. nothing    no rule spoke: the workspace's default, as the last policy
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from orchestration.lib.canonical import plain
from orchestration.policies import cel, explain
from orchestration.policies.effects import STRICTNESS, WORDS, Effect, Kind
from orchestration.policies.scopes import Scope
from orchestration.policies.syntax import Node, resolve
from orchestration.policies.vocabulary import needs_of

DEFAULT = "default"
TOLD = 20  # matches that an answer goes into


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy's version, ready to run, its limits set into it. `needs`: what must be looked up for it."""

    policy: UUID
    slug: str
    name: str
    version: int
    scope: Scope
    program: cel.Program
    then: Effect
    otherwise: Effect | None
    limits: Mapping[str, float]
    closed: bool = True
    needs: frozenset[str] = frozenset()

    @classmethod
    def of(cls, policy: UUID, slug: str, name: str, version: int, body: Mapping[str, Any]) -> Rule:
        """Out of a version's stored body. Raises cel.Invalid, BadScope, BadEffect."""
        limits = {str(key): float(value) for key, value in (body.get("limits") or {}).items()}
        program = cel.fixed(cel.compiled(body["condition"]), limits)
        return cls(
            policy,
            slug,
            name,
            version,
            Scope.of(body.get("scope") or {}),
            program,
            Effect.of(body["then"]),
            Effect.of(body["otherwise"]) if body.get("otherwise") else None,
            limits,
            body.get("fail_mode", "closed") != "open",
            needs_of(program.reads),
        )


class Match(NamedTuple):
    """What one rule said: `outcome` is true, false or, as a text, why it could not be told."""

    rule: Rule
    outcome: bool | str
    effect: Effect
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """`matches`: strictest first. `degraded`: a rule could not be told, so its fail mode spoke for it. One answer may
    be given again and again (`ready`), so what follows from it alone is kept with it."""

    effect: Effect
    matches: tuple[Match, ...]
    missing: tuple[str, ...] = ()
    degraded: bool = False
    shares: tuple[tuple[Rule, float], ...] = field(default=())  # to be looked at afterwards

    @property
    def winner(self) -> Match | None:
        return self.matches[0] if self.matches else None

    @cached_property
    def by_effect(self) -> dict[str, Any]:
        """Which versions said what, strictest first: `{"hold": ["refund-limit@7"]}`."""
        found: dict[str, list[str]] = {}
        for rule, _, effect, _ in self.matches:
            found.setdefault(effect.kind.value, []).append(f"{rule.slug}@{rule.version}")
        return plain(found)

    @cached_property
    def reasons(self) -> Sequence[dict[str, Any]]:
        """As a caller is told the first of the matches, without the values that decided."""
        return [_reason(match) for match in self.matches[:TOLD]]


def evaluate(rules: Sequence[Rule], facts: Mapping[str, Any], default: Effect) -> Answer:
    """Facts by the names of `vocabulary`; one that is not known is absent."""
    mine = [rule for rule in rules if rule.scope.takes(facts)]
    activation = bound(facts) if mine else None
    return concluded([match for rule in mine if (match := judge(rule, facts, activation))], default)


def concluded(found: list[Match], default: Effect) -> Answer:
    """What follows from what each rule said, in the order of the rules."""
    if not found:
        return Answer(default, ())
    found.sort(key=lambda match: -STRICTNESS[match.effect.kind])  # stable: among equals the order of the rules
    missing = tuple(dict.fromkeys(name for match in found for name in match.missing))
    shares = tuple((match.rule, match.effect.check_share) for match in found if match.effect.check_share)
    degraded = any(isinstance(match.outcome, str) for match in found)
    return Answer(found[0].effect, tuple(found), missing, degraded, shares)


def bound(facts: Mapping[str, Any]) -> Any:
    """Facts as the engine takes them, once for all rules."""
    return cel.activation({**facts, "known": sorted(facts)})


def judge(rule: Rule, facts: Mapping[str, Any], activation: Any) -> Match | None:
    """What a rule in whose scope the act lies says of it; None: nothing."""
    outcome = rule.program.test(activation)
    effect = said(rule, outcome)
    if effect is None:
        return None
    return Match(rule, outcome, effect, missing(rule, facts) if isinstance(outcome, str) else ())


def said(rule: Rule, outcome: bool | str) -> Effect | None:
    """The effect that follows from how the condition came out."""
    if outcome is True:
        return rule.then
    return rule.otherwise if outcome is False else _failing(rule)


def missing(rule: Rule, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """What a condition that could not be told reads and nobody knows."""
    known = with_limits(rule, facts)
    return tuple(sorted(path for path in rule.program.reads if not resolve(known, path)))


def with_limits(rule: Rule, facts: Mapping[str, Any]) -> dict[str, Any]:
    more: dict[str, Any] = {"limits": rule.limits, "known": sorted(facts)}
    if "limit" in rule.limits:
        more["limit"] = rule.limits["limit"]
    return {**facts, **more}


def words(match: Match, facts: Mapping[str, Any]) -> str:
    """Why, in words: the admin's own if there are any, then what decided, with its values."""
    rule = match.rule
    if isinstance(match.outcome, str):
        lacks = f"not known: {', '.join(_lacking(match.missing, facts))}" if match.missing else match.outcome
        mode = "so a person is asked" if rule.closed else "and this policy lets such cases pass"
        return f"{rule.name} could not be told ({lacks}), {mode}."
    known = with_limits(rule, facts)
    activation = cel.activation(known)

    def holds(node: Node) -> bool | None:
        outcome = _part(explain.written(node), activation)
        return outcome if isinstance(outcome, bool) else None

    why = explain.because(rule.program.tree, known, holds, match.outcome)
    told = match.effect.words or f"{rule.name}: {WORDS[match.effect.kind].lower()}"
    return f"{told.rstrip('.')}, because {'' if match.outcome else 'this is not so: '}{why}."


def _reason(match: Match) -> dict[str, Any]:
    rule, kind = match.rule, match.effect.kind
    said = match.effect.words or f"{rule.name}: {WORDS[kind].lower()}."
    return {"policy": rule.slug, "version": rule.version, "words": said, "effect": kind.value}


def _lacking(names: Sequence[str], facts: Mapping[str, Any]) -> list[str]:
    """An amount that was stated, and in another currency, lacks nothing but its rate."""
    foreign = facts.get("action.currency") if facts.get("action.stated") is not None else None
    why = f"action.amount for lack of an exchange rate of {foreign}"
    return [why if name == "action.amount" and foreign else name for name in names]


def _part(text: str, activation: Any) -> bool | str:
    try:
        return cel.compiled(text).test(activation)
    except cel.Invalid as error:
        return str(error)


def _failing(rule: Rule) -> Effect:
    """Closed: a person is asked, the one whom the rule would ask anyway. Open: it may go on."""
    if not rule.closed:
        return Effect(Kind.ALLOW)
    for effect in (rule.otherwise, rule.then):
        if effect and effect.kind in (Kind.HOLD, Kind.DENY):
            return effect
    return Effect(Kind.HOLD)
