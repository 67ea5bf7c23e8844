"""Whether a step that failed is tried again, and after how long. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.workflows.plans import Compensation, Retry, Rule, StepPlan

# Whoever had it died, which is nobody's mistake in the step: it goes on, unless it kills all who take it.
LOST = Rule(on=("lost",), attempts=10, wait_s=0.0, jitter=0.0)
NAMED_ONLY = frozenset(
    {"rejected", "more", "guard"}
)  # a person or a rule has spoken: "every class" does not mean these
UNSURE = frozenset({"lost", "timeout", "undelivered"})  # whether it was done before it failed, nobody knows


@dataclass(frozen=True, slots=True)
class SoFar:
    """How often it was begun, how often it was tried again, and how many retries its run has left."""

    attempts: int
    retries: int
    left: int


@dataclass(frozen=True, slots=True)
class Again:
    """`spends`: it counts against the budgets."""

    after_s: float
    spends: bool


def again(plan: StepPlan | Compensation, error_class: str, so_far: SoFar, roll: float) -> Again | None:
    """None: it has failed for good. `roll` is from 0 to 1, for the jitter."""
    if error_class == "guard" or (so_far.attempts and not (plan.idempotent or plan.keyed)):
        return None
    rule = _rule(plan.retry, error_class)
    if rule is None and error_class == "lost":
        return Again(0.0, spends=False) if so_far.attempts < LOST.attempts else None
    if rule is None or so_far.attempts >= rule.attempts:
        return None
    if so_far.retries >= plan.retry.budget or so_far.left <= 0:
        return None
    return Again(pause_s(rule, so_far.retries, roll), spends=True)


def pause_s(rule: Rule, retries: int, roll: float) -> float:
    """Longer each time, up to the most; spread to both sides by the jitter."""
    pause = min(rule.most_wait_s, rule.wait_s * rule.factor ** min(retries, 64))
    return pause * (1 + rule.jitter * (2 * roll - 1))


def _rule(retry: Retry, error_class: str) -> Rule | None:
    for rule in retry.rules:
        if error_class in rule.on or (not rule.on and error_class not in NAMED_ONLY):
            return rule
    return None
