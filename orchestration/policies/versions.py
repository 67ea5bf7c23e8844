"""What a version's body may hold: read from a form or from JSON, every fault told by the field that has it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from orchestration.lib.canonical import canonical
from orchestration.policies import cel
from orchestration.policies.effects import BadEffect, Effect, Kind
from orchestration.policies.evaluate import Rule, evaluate
from orchestration.policies.rehearsal import rehearse
from orchestration.policies.scopes import BadScope, Scope
from orchestration.policies.vocabulary import FIELDS, Type

PARTS = ("scope", "condition", "then", "otherwise", "limits", "fail_mode", "examples")
FAIL_MODES = ("closed", "open")
MOST_LIMITS, MOST_EXAMPLES = 20, 20
_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Wrong:
    """`field` is a path such as `then.people`; line and column are of the condition."""

    field: str
    message: str
    line: int = 0
    column: int = 0
    near: tuple[str, ...] = ()


class BadBody(ValueError):
    def __init__(self, *faults: Wrong) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{fault.field}: {fault.message}" for fault in faults))


def checked(body: Mapping[str, Any], recent: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The body as it is stored: complete, in its plainest form, its rule tried out, also on facts of `recent`
    decisions. Raises BadBody with all faults."""
    faults = [Wrong(part, "A version has no such part.") for part in sorted(set(body) - set(PARTS))]
    made: dict[str, Any] = {}
    for part, read in _READERS.items():
        try:
            made[part] = read(body.get(part))
        except BadScope as error:
            faults.append(Wrong(f"{part}.{error.field}", str(error)))
        except BadEffect as error:
            faults.append(Wrong(f"{part}.{error.field}", str(error)))
        except cel.Invalid as error:
            faults += [Wrong(part, f.message, f.line, f.column, f.near) for f in error.faults]
        except BadBody as error:
            faults += error.faults
    if not faults:
        unset = unset_limits(cel.compiled(made["condition"]).reads, made["limits"])
        faults += unset or _rehearsed(made, recent)
    if faults:
        raise BadBody(*faults)
    return made


def digest_of(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(dict(body))).hexdigest()


@dataclass(frozen=True, slots=True)
class Tried:
    """An example case and what the version says of it."""

    name: str
    expected: str
    said: str

    @property
    def passes(self) -> bool:
        return self.expected == self.said


def try_examples(name: str, body: Mapping[str, Any]) -> list[Tried]:
    """The example cases of a checked body, run by the evaluator that runs live; no rule but this one speaks."""
    rule = Rule.of(_NOBODY, "", name, 0, {**body, "scope": {}})
    return [
        Tried(each["name"], each["effect"], evaluate([rule], facts_of(each["facts"]), Effect(Kind.ALLOW)).effect.kind)
        for each in body["examples"]
    ]


def facts_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of an example, by the flat names of the vocabulary; what stands below `context.` is put into it."""
    facts: dict[str, Any] = {}
    for name, value in given.items():
        field = FIELDS.get(name)
        if field:
            facts[name] = _typed(field.type, value)
            continue
        head = next((part for part in ("action.arguments", "context", "customer") if name.startswith(f"{part}.")), "")
        if head:
            inner = facts.setdefault(head, {})
            *path, last = name[len(head) + 1 :].split(".")
            for key in path:
                inner = inner.setdefault(key, {})
            inner[last] = value
    return facts


def _typed(kind: Type, value: Any) -> Any:
    if kind in (Type.NUMBER, Type.WHOLE):
        return float(value)
    return datetime.fromisoformat(value).astimezone(UTC) if kind == Type.TIME else value


def _scope(given: Any) -> dict[str, list[str]]:
    if given is not None and not isinstance(given, Mapping):
        raise BadScope("types", "A scope is an object of lists.")
    return Scope.of(given or {}).stored()


def _condition(given: Any) -> str:
    if not isinstance(given, str):
        raise cel.Invalid(cel.Fault("The rule is a text."))
    return cel.compiled(given.strip()).text


def _effect(part: str, needed: bool) -> Any:
    def read(given: Any) -> dict[str, Any] | None:
        if given in (None, {}, "") and not needed:
            return None
        if not isinstance(given, Mapping):
            raise BadBody(Wrong(part, "Say what happens."))
        return Effect.of(given).stored()

    return read


def read_limits(given: Any) -> dict[str, float]:
    """Limits by name. Raises BadBody."""
    if given is None:
        return {}
    if not isinstance(given, Mapping) or len(given) > MOST_LIMITS:
        raise BadBody(Wrong("limits", f"Limits are at most {MOST_LIMITS} numbers by name."))
    for name, value in given.items():
        if not (isinstance(name, str) and name.isidentifier() and len(name) <= 40):
            raise BadBody(Wrong("limits", "A limit's name is one word of letters, digits and _."))
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
            raise BadBody(Wrong(f"limits.{name}", "A limit is a number."))
    return {name: float(value) for name, value in sorted(given.items())}


def _fail_mode(given: Any) -> str:
    if given in (None, ""):
        return "closed"
    if given not in FAIL_MODES:
        raise BadBody(Wrong("fail_mode", "When the rule cannot be told: closed (a person is asked) or open."))
    return str(given)


def _examples(given: Any) -> list[dict[str, Any]]:
    if given in (None, ""):
        return []
    if not isinstance(given, list) or len(given) > MOST_EXAMPLES:
        raise BadBody(Wrong("examples", f"Examples are a list of at most {MOST_EXAMPLES} cases."))
    return [_example(place, each) for place, each in enumerate(given)]


def _example(place: int, given: Any) -> dict[str, Any]:
    field = f"examples.{place}"
    if not isinstance(given, Mapping) or not isinstance(given.get("facts"), Mapping):
        raise BadBody(Wrong(field, "An example has facts by name and the effect that is expected."))
    if given.get("effect") not in set(Kind):
        raise BadBody(Wrong(f"{field}.effect", f"The effect is one of {', '.join(Kind)}."))
    facts = dict(given["facts"])
    try:
        facts_of(facts)
    except (TypeError, ValueError, AttributeError):
        raise BadBody(Wrong(f"{field}.facts", "A fact that is a number is not one here.")) from None
    return {"name": str(given.get("name") or f"Case {place + 1}")[:120], "facts": facts, "effect": given["effect"]}


def unset_limits(reads: frozenset[str], limits: Mapping[str, float]) -> list[Wrong]:
    """Limits that a condition names and nobody set."""
    wanted = {"limit"} & reads | {path.removeprefix("limits.") for path in reads if path.startswith("limits.")}
    return [
        Wrong(f"limits.{name}", f"The rule reads {name}, which has no value.")
        for name in sorted(wanted - limits.keys())
    ]


def _rehearsed(made: Mapping[str, Any], recent: Iterable[Mapping[str, Any]]) -> list[Wrong]:
    scope = Scope.of(made["scope"])
    faults = rehearse(cel.compiled(made["condition"]), made["limits"], (each for each in recent if scope.takes(each)))
    return [Wrong("condition", fault.message, fault.line, fault.column) for fault in faults]


_READERS: dict[str, Any] = {
    "scope": _scope,
    "condition": _condition,
    "then": _effect("then", needed=True),
    "otherwise": _effect("otherwise", needed=False),
    "limits": read_limits,
    "fail_mode": _fail_mode,
    "examples": _examples,
}
