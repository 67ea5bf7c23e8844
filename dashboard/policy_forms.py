"""What stands in the policy editor: read from a stored version or from what a browser sent, and made into a body that
`policies.versions` checks. Nothing typed is lost on the way: what is wrong comes back as it was written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.http import QueryDict

from orchestration.lib.templatetags.baton import visible
from orchestration.lib.told import dumps
from orchestration.policies import cel, form_reading, forms, versions
from orchestration.policies.effects import PRECEDENTS, TIMEOUTS, WORDS, Kind
from orchestration.policies.forms import Form, Row
from orchestration.policies.scopes import PARTS
from orchestration.policies.versions import BadBody, Wrong

FORM, CEL = "form", "cel"
KINDS = ("ai", "rpa", "rules", "script", "workflow")
EXAMPLE_BYTES = 16_384
MOST_FIELDS = 200  # rows, limits, examples that one form may bring


@dataclass(slots=True)
class EffectDraft:
    """An effect as typed: times in minutes, shares in percent. `kind` "" is: says nothing."""

    kind: str = ""
    words: str = ""
    skill: str = ""
    due: str = "30"
    people: str = "1"
    on_timeout: str = "remind"
    precedents: str = PRECEDENTS[0]
    to: str = ""
    evidence: str = ""
    amount: str = ""
    delay: str = "10"
    share: str = ""

    def body(self, part: str, faults: list[Wrong]) -> dict[str, Any] | None:
        if not self.kind:
            return None
        told: dict[str, Any] = {"kind": self.kind, "words": self.words}
        if self.kind == Kind.HOLD:
            told |= {"skill": self.skill, "people": 2 if self.people == "2" else 1, "on_timeout": self.on_timeout}
            told["precedents"] = self.precedents
            told["due_s"] = _seconds(self.due, f"{part}.due_s", faults)
        elif self.kind in (Kind.PEER, Kind.ROUTE):
            told["to"] = self.to
        elif self.kind == Kind.EVIDENCE:
            told["evidence"] = _lines(self.evidence)
        elif self.kind == Kind.AMEND:
            told["amount"] = _number(self.amount, f"{part}.amount", faults) if self.amount.strip() else None
        elif self.kind == Kind.DELAY:
            told["seconds"] = _seconds(self.delay, f"{part}.seconds", faults)
        elif self.kind == Kind.ALLOW and self.share.strip():
            share = _number(self.share.strip().rstrip("%"), f"{part}.check_share", faults)
            told["check_share"] = None if share is None else share / 100
        return told


@dataclass(slots=True)
class Example:
    name: str
    effect: str
    facts: str  # as JSON


@dataclass(slots=True)
class Draft:
    """`rows` is what the form shows when `shape` is FORM; `condition` when it is CEL."""

    scope: dict[str, list[str]] = field(default_factory=dict)
    shape: str = CEL
    condition: str = ""
    rows: Form = field(default_factory=Form)
    then: EffectDraft = field(default_factory=EffectDraft)
    otherwise: EffectDraft = field(default_factory=EffectDraft)
    limits: list[tuple[str, str]] = field(default_factory=list)
    fail_mode: str = "closed"
    examples: list[Example] = field(default_factory=list)
    subject: str = "ask"

    def written(self, seen: tuple[str, ...] = ()) -> str:
        """The condition as CEL. Raises forms.BadForm."""
        return forms.write(self.rows, seen) if self.shape == FORM else self.condition

    def body(self, seen: tuple[str, ...] = (), recent: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """What can be stored. Raises BadBody with every fault; that of a row by the field `rows.<group>.<row>`."""
        faults: list[Wrong] = []
        told: dict[str, Any] = {
            "scope": self.scope,
            "then": self.then.body("then", faults),
            "otherwise": self.otherwise.body("otherwise", faults),
            "limits": self.limits_body(faults),
            "fail_mode": self.fail_mode,
            "examples": self.examples_body(faults),
        }
        try:
            told["condition"] = self.written(seen)
        except forms.BadForm as error:
            faults += [Wrong(f"rows.{f.group}.{f.row}", f.message, near=f.near) for f in error.faults]
            told["condition"] = "true"
        try:
            made = versions.checked(told, recent)
        except BadBody as error:
            known = {fault.field for fault in faults}
            raise BadBody(*faults, *(fault for fault in error.faults if fault.field not in known)) from None
        if faults:
            raise BadBody(*faults)
        return made

    def limits_body(self, faults: list[Wrong]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in self.limits:
            if name in found:
                faults.append(Wrong("limits", f"{name[:40]} stands there twice."))
            found[name.strip()] = _number(value, f"limits.{name.strip()}", faults)
        return {name: 0.0 if value is None else value for name, value in found.items()}

    def examples_body(self, faults: list[Wrong]) -> list[dict[str, Any]]:
        made = []
        for place, each in enumerate(self.examples):
            try:
                facts = orjson.loads(each.facts or "{}")
            except orjson.JSONDecodeError:
                facts = {}
                faults.append(Wrong(f"examples.{place}", "The facts are no JSON."))
            if len(each.facts) > EXAMPLE_BYTES:
                faults.append(Wrong(f"examples.{place}", "The facts of an example have at most 16 KB."))
            made.append({"name": each.name, "effect": each.effect, "facts": facts})
        return made


def of_body(body: Mapping[str, Any], shape: str = "") -> Draft:
    """A stored version in the editor: as rows where rows can say it."""
    rows = rows_of(body["condition"])
    return Draft(
        scope={part: list(body["scope"].get(part, ())) for part in PARTS},
        shape=FORM if rows is not None and shape != CEL else CEL,
        condition=body["condition"],
        rows=rows or Form(),
        then=effect_of(body["then"]),
        otherwise=effect_of(body.get("otherwise")),
        limits=[(name, plain(value)) for name, value in body["limits"].items()],
        fail_mode=body["fail_mode"],
        examples=[Example(each["name"], each["effect"], as_json(each["facts"])) for each in body["examples"]],
    )


def of_post(sent: QueryDict) -> Draft:
    """What a browser sent, however wrong."""
    return Draft(
        scope={part: _scope(sent, part) for part in PARTS},
        shape=FORM if sent.get("shape") == FORM else CEL,
        condition=sent.get("condition", "").replace("\r\n", "\n"),
        rows=rows_sent(sent),
        then=_effect(sent, "then"),
        otherwise=_effect(sent, "otherwise"),
        limits=limits_sent(sent),
        fail_mode=sent.get("fail_mode", ""),
        examples=examples_sent(sent),
    )


def limits_sent(sent: QueryDict) -> list[tuple[str, str]]:
    pairs = zip(sent.getlist("limit-name")[:MOST_FIELDS], sent.getlist("limit-value"), strict=False)
    return [each for each in pairs if any(part.strip() for part in each)]


def examples_sent(sent: QueryDict) -> list[Example]:
    lists = [sent.getlist(f"example-{part}")[:MOST_FIELDS] for part in ("name", "effect", "facts")]
    return [Example(*each) for each in zip(*lists, strict=False)]


def as_json(facts: Mapping[str, Any]) -> str:
    """To be read and edited: signs that hide or turn writing stand as their numbers, which JSON reads as the same."""
    text = dumps(facts, option=orjson.OPT_INDENT_2).decode()
    return "".join(sign if sign in "\n" or visible(sign) == sign else _escaped(sign) for sign in text)


def _escaped(sign: str) -> str:
    units = sign.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def rows_of(condition: str, subject: str = "ask") -> Form | None:
    try:
        return form_reading.read(condition, subject)
    except cel.Invalid:
        return None


def effect_of(stored: Mapping[str, Any] | None) -> EffectDraft:
    if not stored:
        return EffectDraft()
    told = EffectDraft(kind=stored["kind"], words=stored.get("words", ""))
    told.skill, told.to = stored.get("skill", ""), stored.get("to", "")
    told.people, told.on_timeout = str(stored.get("people", 1)), stored.get("on_timeout", TIMEOUTS[1])
    told.precedents = stored.get("precedents", PRECEDENTS[0])
    told.due = plain(stored.get("due_s", 1800) / 60)
    told.evidence = "\n".join(stored.get("evidence", ()))
    told.amount = plain(stored["amount"]) if "amount" in stored else ""
    told.delay = plain(stored.get("seconds", 600) / 60)
    told.share = plain(stored["check_share"] * 100) if stored.get("check_share") else ""
    return told


def plain(value: float) -> str:
    """500 and not 500.0"""
    return f"{round(value, 6):.6f}".rstrip("0").rstrip(".")


def _effect(sent: QueryDict, part: str) -> EffectDraft:
    kind = sent.get(f"{part}-kind", "")
    found = EffectDraft(kind=kind if kind in WORDS else "")
    for name in (
        "words",
        "skill",
        "due",
        "people",
        "on_timeout",
        "precedents",
        "to",
        "evidence",
        "amount",
        "delay",
        "share",
    ):
        if (given := sent.get(f"{part}-{name}")) is not None:
            setattr(found, name, given)
    return found


def rows_sent(sent: QueryDict) -> Form:
    """Rows come as parallel lists; `row-group` says to which group each belongs."""
    groups: dict[str, list[Row]] = {}
    names = ("row-group", "row-field", "row-op", "row-value", "row-second")
    lists = [sent.getlist(name)[:MOST_FIELDS] for name in names]
    for group, *parts in zip(*lists, strict=False):
        groups.setdefault(group, []).append(Row(parts[0].strip(), *parts[1:]))
    joiner = forms.ANY if sent.get("joiner") == forms.ANY else forms.ALL
    return Form(joiner, tuple(tuple(rows) for rows in groups.values()))


def _scope(sent: QueryDict, part: str) -> list[str]:
    given = sent.getlist(f"scope-{part}")
    return [name for each in given for name in _lines(each)]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _number(text: str, name: str, faults: list[Wrong]) -> float | None:
    try:
        value = float(text.strip().replace(",", "") or "x")
    except ValueError:
        faults.append(Wrong(name, "This is a number."))
        return None
    if not abs(value) < 1e15:
        faults.append(Wrong(name, "This is a number below 10 to the 15th."))
        return None
    return value


def _seconds(minutes: str, name: str, faults: list[Wrong]) -> int | None:
    value = _number(minutes, name, faults)
    return None if value is None else round(value * 60)
