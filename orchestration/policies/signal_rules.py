"""Rules that say what Baton does when something is measured: what their versions' bodies hold, read with every fault
named, and made ready to run. Pure.

A body has `signal` (what is looked at), `of` (each what: who is acted upon), `condition`, `acts`, `leave` (do it, or
propose it), `bounds`, `limits` and `examples`. How often a rule acts is for `episodes` of the room above.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from orchestration.policies import cel, explain
from orchestration.policies.signal_kinds import ACTS, SIGNALS
from orchestration.policies.syntax import Node, resolve
from orchestration.policies.versions import BadBody, Tried, Wrong, read_limits, unset_limits
from orchestration.policies.vocabulary import SIGNAL_FIELDS, Type

SUBJECT = "signal"
PARTS = ("signal", "of", "condition", "acts", "leave", "bounds", "limits", "examples")
LEAVES = ("propose", "apply")
ACTS_SO, RESTS = "acts", "rests"  # what an example expects
MOST_ACTS, MOST_EXAMPLES, WORDS_CHARS = 4, 20, 300
MOST_MINUTES = 60 * 24 * 30
ACT_PARTS = {"kind", "minutes", "words", "to"}
BOUNDS: Mapping[str, tuple[int, int, int]] = {  # by default, least, most
    "an_hour": (6, 1, 1000),
    "cool_down_s": (600, 0, 86_400),
    "clear_s": (60, 0, 86_400),
}


@dataclass(frozen=True, slots=True)
class SignalRule:
    """A version ready to run. `bounds`: at most so many acts an hour, so long quiet after one before the next on the
    same target, and so long clear before what comes anew is anew."""

    policy: UUID
    slug: str
    name: str
    version: int
    signal: str
    of: str
    program: cel.Program
    acts: tuple[Mapping[str, Any], ...]
    proposes: bool
    an_hour: int
    cool_down_s: int
    clear_s: int
    limits: Mapping[str, float]

    @classmethod
    def of_body(cls, policy: UUID, slug: str, name: str, version: int, body: Mapping[str, Any]) -> SignalRule:
        """Raises cel.Invalid."""
        limits = {str(key): float(value) for key, value in body["limits"].items()}
        program = cel.fixed(cel.compiled(body["condition"], SUBJECT), limits)
        return cls(
            policy,
            slug,
            name,
            version,
            body["signal"],
            body["of"],
            program,
            tuple(body["acts"]),
            body["leave"] == "propose",
            **body["bounds"],
            limits=limits,
        )

    def holds(self, facts: Mapping[str, Any]) -> bool | str:
        """True or False; a text says why it could not be told, and then nothing is done."""
        return self.program.test(cel.activation({**facts, "known": sorted(facts)}, SUBJECT))

    def missing(self, facts: Mapping[str, Any]) -> list[str]:
        return sorted(path for path in self.program.reads if not resolve(_with(self.limits, facts), path))

    def because(self, facts: Mapping[str, Any]) -> str:
        """What decided, with its values."""
        known = _with(self.limits, facts)
        bound = cel.activation(known, SUBJECT)

        def part(node: Node) -> bool | None:
            try:
                said = cel.compiled(explain.written(node), SUBJECT).test(bound)
            except cel.Invalid:
                return None
            return said if isinstance(said, bool) else None

        return explain.because(self.program.tree, known, part, True)


def is_signal(body: Mapping[str, Any]) -> bool:
    return "signal" in body


def checked(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body as it is stored. Raises BadBody with all faults."""
    faults = [Wrong(part, "A rule has no such part.") for part in sorted(set(body) - set(PARTS))]
    made: dict[str, Any] = {}
    for part, read in _READERS.items():
        try:
            made[part] = read(body.get(part))
        except cel.Invalid as error:
            faults += [Wrong(part, f.message, f.line, f.column, f.near) for f in error.faults]
        except BadBody as error:
            faults += error.faults
    if not faults:
        faults = [*_fitting(made), *unset_limits(cel.compiled(made["condition"], SUBJECT).reads, made["limits"])]
    if faults:
        raise BadBody(*faults)
    return made


def try_examples(name: str, body: Mapping[str, Any]) -> list[Tried]:
    """The example cases of a checked body, by the evaluator that runs live."""
    rule = SignalRule.of_body(UUID(int=0), "", name, 0, body)
    return [
        Tried(each["name"], each["effect"], ACTS_SO if rule.holds(each["facts"]) is True else RESTS)
        for each in body["examples"]
    ]


def _with(limits: Mapping[str, float], facts: Mapping[str, Any]) -> dict[str, Any]:
    more: dict[str, Any] = {"limits": limits, "known": sorted(facts)}
    return {**facts, **more} | ({"limit": limits["limit"]} if "limit" in limits else {})


def _signal(given: Any) -> str:
    if given not in SIGNALS:
        raise BadBody(Wrong("signal", f"The signal is one of {', '.join(SIGNALS)}."))
    return str(given)


def _of(given: Any) -> str:
    if given not in ACTS:
        raise BadBody(Wrong("of", f"It is one of {', '.join(ACTS)}."))
    return str(given)


def _condition(given: Any) -> str:
    if not isinstance(given, str):
        raise cel.Invalid(cel.Fault("The rule is a text."))
    return cel.compiled(given.strip(), SUBJECT).text


def _leave(given: Any) -> str:
    if given not in LEAVES:
        raise BadBody(Wrong("leave", "Say whether Baton does it (apply) or asks first (propose)."))
    return str(given)


def _bounds(given: Any) -> dict[str, int]:
    if given is None:
        given = {}
    if not isinstance(given, Mapping) or set(given) - set(BOUNDS):
        raise BadBody(Wrong("bounds", f"Bounds are {', '.join(BOUNDS)}."))
    found, faults = {}, []
    for name, (usual, least, most) in BOUNDS.items():
        value = given.get(name, usual)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            faults.append(Wrong(f"bounds.{name}", f"A whole number from {least} to {most}."))
        found[name] = value
    if faults:
        raise BadBody(*faults)
    return found


def _acts(given: Any) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_ACTS:
        raise BadBody(Wrong("acts", f"Say what is to be done: 1 to {MOST_ACTS} acts."))
    made = [_act(f"acts.{place}", each) for place, each in enumerate(given)]
    if len({each["kind"] for each in made}) < len(made):
        raise BadBody(Wrong("acts", "Each act stands there once."))
    return made


def _act(field: str, given: Any) -> dict[str, Any]:
    kinds = sorted({kind for each in ACTS.values() for kind in each})
    if not isinstance(given, Mapping) or given.get("kind") not in kinds or set(given) - ACT_PARTS:
        raise BadBody(Wrong(field, f"An act has kind (one of {', '.join(kinds)}), minutes, words and to."))
    minutes = given.get("minutes")
    if minutes is not None and (type(minutes) is not int or not 1 <= minutes <= MOST_MINUTES):
        raise BadBody(Wrong(f"{field}.minutes", "It lasts at least a minute and at most 30 days."))
    words, to = _text(field, "words", given), _text(field, "to", given)
    if (given["kind"] == "reroute") != bool(to):
        raise BadBody(Wrong(f"{field}.to", "Work is moved to an agent, by slug or name; nothing else goes anywhere."))
    return {"kind": given["kind"], "minutes": minutes, "words": words} | ({"to": to} if to else {})


def _text(field: str, name: str, given: Mapping[str, Any]) -> str:
    value = given.get(name) or ""
    if not isinstance(value, str) or len(value) > WORDS_CHARS or "\0" in value:
        raise BadBody(Wrong(f"{field}.{name}", f"A text of at most {WORDS_CHARS} characters."))
    return value.strip()


def _examples(given: Any) -> list[dict[str, Any]]:
    if given in (None, ""):
        return []
    if not isinstance(given, list) or len(given) > MOST_EXAMPLES:
        raise BadBody(Wrong("examples", f"Examples are a list of at most {MOST_EXAMPLES} cases."))
    return [_example(place, each) for place, each in enumerate(given)]


def _example(place: int, given: Any) -> dict[str, Any]:
    field = f"examples.{place}"
    if not isinstance(given, Mapping) or not isinstance(given.get("facts"), Mapping):
        raise BadBody(Wrong(field, "An example has facts by name, and whether the rule acts."))
    if given.get("effect") not in (ACTS_SO, RESTS):
        raise BadBody(Wrong(f"{field}.effect", f"It {ACTS_SO} or it {RESTS}."))
    facts = {name: _fact(f"{field}.facts", name, value) for name, value in given["facts"].items()}
    return {"name": str(given.get("name") or f"Case {place + 1}")[:120], "facts": facts, "effect": given["effect"]}


def _fact(field: str, name: Any, value: Any) -> Any:
    known = SIGNAL_FIELDS.get(name)
    if known is None or name in ("limit", "limits", "known"):
        raise BadBody(Wrong(field, f"There is no fact {str(name)[:60]}."))
    if known.type in (Type.NUMBER, Type.WHOLE):
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
            raise BadBody(Wrong(field, f"{name} is a number."))
        return float(value)
    if not isinstance(value, bool if known.type == Type.FLAG else str):
        raise BadBody(Wrong(field, f"{name} is {'true or false' if known.type == Type.FLAG else 'a text'}."))
    return value


def _fitting(made: Mapping[str, Any]) -> Iterable[Wrong]:
    """What does not go together: a fact that this signal never has, an act that nobody can do to this."""
    kind = SIGNALS[made["signal"]]
    if made["of"] not in kind.of:
        yield Wrong("of", f"{kind.label}: it acts upon {' or '.join(kind.of)}.")
    for place, act in enumerate(made["acts"]):
        if act["kind"] not in ACTS[made["of"]]:
            yield Wrong(f"acts.{place}", f"There is no {act['kind']} of a {made['of']}.")
        elif act["kind"] == "quarantine" and not act["words"]:
            yield Wrong(f"acts.{place}.words", "Say why: it stays with the act.")
    measured = sorted(path for path in cel.compiled(made["condition"], SUBJECT).reads if path.startswith("signal."))
    for path in measured:
        if path not in kind.facts:
            yield Wrong("condition", f"{kind.label} has no {path}: it has {', '.join(kind.facts)}.", 1, 1)
    if not measured:
        yield Wrong("condition", f"The rule names nothing that is measured, such as {kind.facts[0]}.", 1, 1)


_READERS: dict[str, Any] = {
    "signal": _signal,
    "of": _of,
    "condition": _condition,
    "acts": _acts,
    "leave": _leave,
    "bounds": _bounds,
    "limits": read_limits,
    "examples": _examples,
}
