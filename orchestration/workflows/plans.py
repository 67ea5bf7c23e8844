"""A declared workflow as values; `definition` reads them from JSON and tells what each field means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from orchestration.workflows.triggers import Trigger

OWNERS = ("agent", "skill", "human", "webhook")


@dataclass(frozen=True, slots=True)
class Owner:
    """`kind` is one of OWNERS; `name` the agent, the skill (of a person: "" is anybody), or the webhook's id."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Rule:
    """How often a step is tried that failed with one of these classes, and how long is waited in between."""

    on: tuple[str, ...] = ()
    attempts: int = 3
    wait_s: float = 1.0
    factor: float = 2.0
    most_wait_s: float = 300.0
    jitter: float = 0.2


@dataclass(frozen=True, slots=True)
class Retry:
    budget: int = 5
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """What a person reads."""

    question: str
    proposal: str
    why: str
    cost_of_waiting: str = ""
    reversible: bool = False


@dataclass(frozen=True, slots=True)
class Compensation:
    owner: Owner
    name: str = ""
    time_limit_s: float = 600.0
    lease_s: float = 30.0
    idempotent: bool = True
    keyed: bool = True
    retry: Retry = Retry()


@dataclass(frozen=True, slots=True)
class StepPlan:
    id: str
    name: str
    owner: Owner
    after: tuple[str, ...] = ()
    guard: str = ""
    time_limit_s: float = 600.0
    wait_limit_s: float = 0.0
    lease_s: float = 30.0
    idempotent: bool = True
    keyed: bool = False
    if_fails: str = "fail"
    retry: Retry = Retry()
    ask: Ask | None = None
    compensation: Compensation | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    name: str
    words: str
    triggers: tuple[Trigger, ...]
    retry_budget: int
    if_fails: str
    steps: tuple[StepPlan, ...]

    def step(self, step_id: str) -> StepPlan:
        return next(step for step in self.steps if step.id == step_id)

    def stored(self) -> dict[str, Any]:
        """As JSON that `parse` takes again, complete."""
        told = asdict(self)
        told["triggers"] = [each.stored() for each in self.triggers]
        told["steps"] = [_stored(step) for step in told["steps"]]
        return told


def _stored(step: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the step does not have, owners as they are written."""
    told = {name: value for name, value in step.items() if value is not None}
    told["owner"] = {step["owner"]["kind"]: step["owner"]["name"]}
    told["after"] = list(step["after"])
    told["retry"] = _stored_retry(step["retry"])
    if undo := step["compensation"]:
        told["compensation"] = {
            **undo,
            "owner": {undo["owner"]["kind"]: undo["owner"]["name"]},
            "retry": _stored_retry(undo["retry"]),
        }
    return told


def _stored_retry(retry: Mapping[str, Any]) -> dict[str, Any]:
    return {"budget": retry["budget"], "rules": [{**rule, "on": list(rule["on"])} for rule in retry["rules"]]}
