"""What stands in the editor of a declared workflow: read from a stored definition or from what a browser sent, and made
into the JSON that `workflows.definition` checks. Nothing typed is lost on the way: what is wrong comes back as written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from django.http import QueryDict

from dashboard.workflow_trigger_forms import TriggerDraft, drafts_of, sent_triggers
from orchestration.workflows.definition import MOST_STEPS
from orchestration.workflows.drafting import free_id
from orchestration.workflows.fields import Fault
from orchestration.workflows.plans import OWNERS

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
MOST_RULES = 20
_NUMBERED = re.compile(r"step_\d+")
_PART = re.compile(r"(\d+(?:[.,]\d+)?)\s*(ms|s|m|h|d)?(?:econds?|ecs?|inutes?|ins?|ours?|ays?)?\s*", re.IGNORECASE)


@dataclass(slots=True)
class RuleDraft:
    """A row of a retry: which classes, how often, how long in between."""

    on: str = ""
    attempts: str = ""
    wait_s: str = ""
    factor: str = ""
    most_wait_s: str = ""
    jitter: str = ""

    @property
    def empty(self) -> bool:
        return not any(getattr(self, each.name).strip() for each in fields(self))

    def body(self, path: str, faults: list[Fault]) -> dict[str, Any]:
        told: dict[str, Any] = {"on": words(self.on)}
        numbers = {"attempts": self.attempts, "factor": self.factor}
        lengths = {"wait_s": self.wait_s, "most_wait_s": self.most_wait_s}
        told |= {name: number(text, f"{path}.{name}", faults) for name, text in numbers.items() if text.strip()}
        told |= {name: seconds(text, f"{path}.{name}", faults) for name, text in lengths.items() if text.strip()}
        if self.jitter.strip():
            share = number(self.jitter.strip().rstrip("%"), f"{path}.jitter", faults)
            told["jitter"] = None if share is None else share / 100
        return told


@dataclass(slots=True)
class StepDraft:
    """A step as typed: times as people write them, steps before it as one text. `was`: its id when it was shown."""

    id: str = ""
    was: str = ""
    name: str = ""
    owner_kind: str = "agent"
    owner: str = ""
    after: str = ""
    guard: str = ""
    time_limit_s: str = ""
    wait_limit_s: str = ""
    lease_s: str = ""
    idempotent: bool = True
    keyed: bool = False
    if_fails: str = "fail"
    budget: str = ""
    rules: list[RuleDraft] = field(default_factory=list)
    question: str = ""
    proposal: str = ""
    why: str = ""
    cost_of_waiting: str = ""
    reversible: bool = False
    undo_kind: str = ""
    undo_owner: str = ""
    undo_name: str = ""
    undo_time_limit_s: str = ""
    undo_lease_s: str = ""
    undo_idempotent: bool = True
    undo_keyed: bool = True
    undo_budget: str = ""
    undo_rules: list[RuleDraft] = field(default_factory=list)

    @property
    def before(self) -> list[str]:
        return words(self.after)

    def body(self, path: str, faults: list[Fault]) -> dict[str, Any]:
        told: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "owner": {self.owner_kind: self.owner.strip()},
            "after": self.before,
            "guard": self.guard,
            "idempotent": self.idempotent,
            "keyed": self.keyed,
            "if_fails": self.if_fails,
            "retry": _retry(self.budget, self.rules, f"{path}.retry", faults),
        }
        told |= self._lengths(("time_limit_s", "wait_limit_s", "lease_s"), path, faults)
        if self.owner_kind == "human":
            asked = ("question", "proposal", "why", "cost_of_waiting", "reversible")
            told["ask"] = {name: getattr(self, name) for name in asked}
        if self.undo_kind:
            told["compensation"] = self._undo(f"{path}.compensation", faults)
        return told

    def _undo(self, path: str, faults: list[Fault]) -> dict[str, Any]:
        lengths = self._lengths(("undo_time_limit_s", "undo_lease_s"), path, faults)
        return {
            "owner": {self.undo_kind: self.undo_owner.strip()},
            "name": self.undo_name,
            "idempotent": self.undo_idempotent,
            "keyed": self.undo_keyed,
            "retry": _retry(self.undo_budget, self.undo_rules, f"{path}.retry", faults),
        } | {name.removeprefix("undo_"): value for name, value in lengths.items()}

    def _lengths(self, names: Sequence[str], path: str, faults: list[Fault]) -> dict[str, Any]:
        """Those that were said."""
        said = {name: str(getattr(self, name)) for name in names}
        return {
            name: seconds(text, f"{path}.{name.removeprefix('undo_')}", faults)
            for name, text in said.items()
            if text.strip()
        }


@dataclass(slots=True)
class Draft:
    name: str = ""
    words: str = ""
    if_fails: str = "stop"
    retry_budget: str = ""
    steps: list[StepDraft] = field(default_factory=list)
    triggers: list[TriggerDraft] = field(default_factory=list)

    def body(self, faults: list[Fault]) -> dict[str, Any]:
        """The definition as JSON. What cannot even be told as JSON becomes a fault."""
        told: dict[str, Any] = {"name": self.name, "words": self.words, "if_fails": self.if_fails}
        if self.retry_budget.strip():
            told["retry_budget"] = number(self.retry_budget, "retry_budget", faults)
        told["triggers"] = [each.body(f"triggers[{place}]", faults) for place, each in enumerate(self.triggers)]
        told["steps"] = [step.body(f"steps[{place}]", faults) for place, step in enumerate(self.steps)]
        return told


def of_body(body: Mapping[str, Any]) -> Draft:
    """A definition that was stored (`Definition.stored()`)."""
    return Draft(
        body["name"],
        body["words"],
        body["if_fails"],
        str(body["retry_budget"]),
        [_step_of(step) for step in body["steps"]],
        drafts_of(body["triggers"]),
    )


def _step_of(step: Mapping[str, Any]) -> StepDraft:
    kind, owner = next(iter(step["owner"].items()))
    made = StepDraft(id=step["id"], was=step["id"], name=step["name"], owner_kind=kind, owner=owner)
    made.after, made.guard, made.if_fails = ", ".join(step["after"]), step["guard"], step["if_fails"]
    made.time_limit_s, made.lease_s = long(step["time_limit_s"]), long(step["lease_s"])
    made.wait_limit_s = long(step["wait_limit_s"]) if step["wait_limit_s"] else ""
    made.idempotent, made.keyed = step["idempotent"], step["keyed"]
    made.budget, made.rules = _retry_of(step["retry"])
    for name, value in (step.get("ask") or {}).items():
        setattr(made, name, value)
    if undo := step.get("compensation"):
        made.undo_kind, made.undo_owner = next(iter(undo["owner"].items()))
        made.undo_name, made.undo_idempotent, made.undo_keyed = undo["name"], undo["idempotent"], undo["keyed"]
        made.undo_time_limit_s, made.undo_lease_s = long(undo["time_limit_s"]), long(undo["lease_s"])
        made.undo_budget, made.undo_rules = _retry_of(undo["retry"])
    return made


def _retry_of(retry: Mapping[str, Any]) -> tuple[str, list[RuleDraft]]:
    rules = [
        RuleDraft(
            ", ".join(rule["on"]),
            str(rule["attempts"]),
            long(rule["wait_s"]),
            plain(rule["factor"]),
            long(rule["most_wait_s"]),
            f"{plain(rule['jitter'] * 100)} %",
        )
        for rule in retry["rules"]
    ]
    return str(retry["budget"]), rules


def of_post(sent: QueryDict) -> Draft:
    """What a browser sent, however wrong. Fields of step n are called `s<n>-<field>`."""
    count = sent.get("steps", "")
    places = range(min(MOST_STEPS, int(count))) if count.isdecimal() and len(count) < 6 else range(0)
    draft = Draft(
        sent.get("name", ""),
        sent.get("words", "").replace("\r\n", "\n"),
        sent.get("if_fails", "stop"),
        sent.get("retry_budget", ""),
        [_sent_step(sent, f"s{place}-") for place in places],
        sent_triggers(sent),
    )
    _name_steps(draft)
    return draft


def _sent_step(sent: QueryDict, prefix: str) -> StepDraft:
    made = StepDraft()
    for each in fields(StepDraft):
        key = prefix + each.name
        if each.name == "after":
            made.after = ", ".join(sent.getlist(key)[:MOST_STEPS])
        elif each.name.endswith("rules"):
            setattr(made, each.name, _sent_rules(sent, key))
        elif isinstance(getattr(made, each.name), bool):
            setattr(made, each.name, key in sent)
        else:
            setattr(made, each.name, sent.get(key, "").replace("\r\n", "\n").strip())
    if made.owner_kind not in OWNERS:
        made.owner_kind = "agent"
    if made.undo_kind not in (*OWNERS, ""):
        made.undo_kind = ""
    return made


def _sent_rules(sent: QueryDict, key: str) -> list[RuleDraft]:
    columns = [sent.getlist(f"{key}-{each.name}")[:MOST_RULES] for each in fields(RuleDraft)]
    made = [RuleDraft(*row) for row in zip(*columns, strict=False)]
    return [rule for rule in made if not rule.empty]


def _name_steps(draft: Draft) -> None:
    """Steps without an id, or with one that only numbers them, get one from their name; those that come after a step
    follow it to its new id."""
    taken = {step.id for step in draft.steps if step.id}
    for place, step in enumerate(draft.steps):
        if step.name and (not step.id or (step.id == step.was and _NUMBERED.fullmatch(step.id))):
            taken.discard(step.id)
            step.id = free_id(step.name, taken, place)
            taken.add(step.id)
    renamed = {step.was: step.id for step in draft.steps if step.was and step.id and step.was not in taken}
    for step in draft.steps:
        step.after = ", ".join(renamed.get(each, each) for each in step.before)


def words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,;]+", text) if word]


def number(text: str, path: str, faults: list[Fault]) -> float | None:
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        value = float("nan")
    if not -1e12 < value < 1e12:  # neither is what is no number
        faults.append(Fault(path, "This has to be a number."))
        return None
    return value


def seconds(text: str, path: str, faults: list[Fault]) -> float | None:
    """90, 90 s, 1 m 30 s, 2 h, 3 d."""
    parts = list(_PART.finditer(text.strip().lower()))
    if not parts or "".join(part[0] for part in parts) != text.strip().lower():
        faults.append(Fault(path, "Write a length of time like 30 s, 10 m, 2 h or 1 d."))
        return None
    value = sum(
        float(part[1].replace(",", ".")) * (0.001 if part[2] == "ms" else UNITS[part[2] or "s"]) for part in parts
    )
    return min(value, 1e9)


def long(value: float) -> str:
    """600 as 10 m, 5400 as 1 h 30 m: no digit is lost."""
    if value < 1 or value != int(value):
        return f"{plain(value)} s"
    left, made = int(value), []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        made += [f"{count} {unit}"] if count else []
    return " ".join(made)


def plain(value: float) -> str:
    return f"{round(value, 6):.6f}".rstrip("0").rstrip(".")


def _retry(budget: str, rules: Sequence[RuleDraft], path: str, faults: list[Fault]) -> dict[str, Any]:
    told: dict[str, Any] = {"rules": [rule.body(f"{path}.rules[{n}]", faults) for n, rule in enumerate(rules)]}
    if budget.strip():
        told["budget"] = number(budget, f"{path}.budget", faults)
    return told
