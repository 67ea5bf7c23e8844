"""What a policy says: an effect with its parameters. Strictest first, as they win over one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MOST_SECONDS = 90 * 86_400
TEXT_CHARS = 300


class Kind(StrEnum):
    DENY = "deny"
    HOLD = "hold"
    PEER = "peer"
    EVIDENCE = "evidence"
    AMEND = "amend"
    ROUTE = "route"
    DELAY = "delay"
    ALLOW = "allow"


STRICTNESS: dict[Kind, int] = {kind: place for place, kind in enumerate(reversed(Kind))}  # allow 0 … deny 7
WORDS: dict[Kind, str] = {
    Kind.DENY: "Refuse",
    Kind.HOLD: "Ask a person",
    Kind.PEER: "Ask another agent",
    Kind.EVIDENCE: "Ask for evidence",
    Kind.AMEND: "Lower the amount",
    Kind.ROUTE: "Route elsewhere",
    Kind.DELAY: "Delay",
    Kind.ALLOW: "Act alone",
}
TIMEOUTS = ("hold", "remind", "reject")  # never allow: silence is no consent
ANSWER = "answer"
PRECEDENTS = ("show", ANSWER)


class BadEffect(ValueError):
    """`field` is the parameter that is wrong."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Effect:
    """`words` is what an admin wants an agent and a reviewer to read. Parameters that a kind does not use are empty:
    hold: skill, due_s, people, on_timeout, precedents (whether a verdict that a person keeps for such cases may answer
    them, or is only shown with them); peer and route: to; evidence: evidence; amend: amount (None: the policy's
    limit); delay: seconds; allow: check_share (0 to 1, looked at afterwards)."""

    kind: Kind
    words: str = ""
    skill: str = ""
    due_s: int = 1800
    people: int = 1
    on_timeout: str = "remind"
    precedents: str = ""
    to: str = ""
    evidence: tuple[str, ...] = ()
    amount: float | None = None
    seconds: int = 0
    check_share: float = 0.0

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Effect:
        """Out of JSON. Raises BadEffect that names the parameter."""
        kind = _kind(stored.get("kind"))
        known = _PARAMETERS[kind]
        unknown = sorted(set(stored) - {"kind", "words", *known})
        if unknown:
            raise BadEffect(unknown[0], f"{WORDS[kind]} knows no {unknown[0]}.")
        values = {name: _READERS[name](name, stored[name]) for name in known if stored.get(name) is not None}
        made = cls(kind, _text("words", stored.get("words") or ""), **values)
        made._check()
        return made

    def stored(self) -> dict[str, Any]:
        """As JSON: what its kind uses, and nothing else."""
        values = {name: getattr(self, name) for name in _PARAMETERS[self.kind]}
        told = {"kind": self.kind.value, **({"words": self.words} if self.words else {})}
        return told | {n: list(v) if isinstance(v, tuple) else v for n, v in values.items() if v not in (None, "", ())}

    def _check(self) -> None:
        if self.kind in (Kind.PEER, Kind.ROUTE) and not self.to:
            raise BadEffect("to", "Name the agent that this goes to.")
        if self.kind == Kind.EVIDENCE and not self.evidence:
            raise BadEffect("evidence", "Name what is asked for, one a line.")
        if self.precedents == ANSWER and self.people > 1:
            raise BadEffect("precedents", "Where two people decide, no precedent answers.")
        if self.kind == Kind.DELAY and not self.seconds:
            raise BadEffect("seconds", "Say for how long.")


def strictest(effects: list[Effect]) -> Effect:
    """The one that wins; among equals the first."""
    return max(effects, key=lambda effect: STRICTNESS[effect.kind])


def _kind(given: Any) -> Kind:
    try:
        return Kind(given)
    except ValueError:
        raise BadEffect("kind", f"An effect is one of {', '.join(Kind)}.") from None


def _text(name: str, given: Any) -> str:
    if not isinstance(given, str) or len(given) > TEXT_CHARS or "\0" in given:
        raise BadEffect(name, f"This is a text of at most {TEXT_CHARS} characters.")
    return given.strip()


def _seconds(name: str, given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 < given <= MOST_SECONDS:
        raise BadEffect(name, f"This is a whole number of seconds, at most {MOST_SECONDS // 86_400} days.")
    return int(given)


def _people(name: str, given: Any) -> int:
    if given not in (1, 2) or isinstance(given, bool):
        raise BadEffect(name, "One person decides, or two.")
    return int(given)


def _timeout(name: str, given: Any) -> str:
    if given not in TIMEOUTS:
        raise BadEffect(name, f"When nobody answers in time: {', '.join(TIMEOUTS)}. Never allow.")
    return str(given)


def _precedents(name: str, given: Any) -> str:
    if given not in PRECEDENTS:
        raise BadEffect(name, f"What kept verdicts may do: {', '.join(PRECEDENTS)}.")
    return "" if given == PRECEDENTS[0] else str(given)


def _texts(name: str, given: Any) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or len(given) > 20:
        raise BadEffect(name, "This is a list of at most 20 texts.")
    return tuple(text for each in given if (text := _text(name, each)))


def _amount(name: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < 1e15:
        raise BadEffect(name, "This is an amount, not below zero.")
    return float(given)


def _share(name: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1:
        raise BadEffect(name, "This is a share between 0 and 1.")
    return float(given)


_PARAMETERS: dict[Kind, tuple[str, ...]] = {
    Kind.DENY: (),
    Kind.HOLD: ("skill", "due_s", "people", "on_timeout", "precedents"),
    Kind.PEER: ("to",),
    Kind.EVIDENCE: ("evidence",),
    Kind.AMEND: ("amount",),
    Kind.ROUTE: ("to",),
    Kind.DELAY: ("seconds",),
    Kind.ALLOW: ("check_share",),
}
_READERS: dict[str, Any] = {
    "skill": _text,
    "due_s": _seconds,
    "people": _people,
    "on_timeout": _timeout,
    "precedents": _precedents,
    "to": _text,
    "evidence": _texts,
    "amount": _amount,
    "seconds": _seconds,
    "check_share": _share,
}
