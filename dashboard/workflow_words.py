"""A declared workflow in lines of words, and what differs between two versions of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from dashboard.policy_words import Line, compared
from dashboard.workflow_check import owner_words
from dashboard.workflow_forms import long, plain
from orchestration.lib.templatetags.baton import plural
from orchestration.lib.told import dumps
from orchestration.workflows.definition import BadDefinition, parse
from orchestration.workflows.plans import Definition, Retry, StepPlan
from orchestration.workflows.triggers import words


def read(body: Mapping[str, Any]) -> Definition | None:
    """A stored definition; None where this program does not understand it any more."""
    try:
        return parse(body)
    except BadDefinition:
        return None


def retry_words(retry: Retry) -> str:
    """timeout: 3 attempts from 1 s; 5 in all"""
    if not retry.rules or not retry.budget:
        return ""
    told = [
        f"{', '.join(rule.on) or 'any error'}: {plural(rule.attempts, 'attempt,attempts')} from {long(rule.wait_s)}"
        for rule in retry.rules
    ]
    return f"{'; '.join(told)}; at most {plural(retry.budget, 'retry,retries')} in a run"


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Line]:
    return compared(as_lines(before), as_lines(after))


def as_lines(body: Mapping[str, Any]) -> list[str]:
    """A definition as text, a line for each thing that can be changed."""
    made = read(body)
    if made is None:
        return dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode().splitlines()
    lines = [f"a failure {'is rolled back' if made.if_fails == 'undo' else 'ends the run'}"]
    lines += [f"about: {made.words}"] if made.words else []
    lines.append(f"at most {plural(made.retry_budget, 'retry,retries')} in a run")
    lines += [f"starts {words(each)[0].lower()}{words(each)[1:]}" for each in made.triggers if each.on != "api"]
    for step in made.steps:
        lines += _step(step)
    return lines


def _step(step: StepPlan) -> list[str]:
    said = [f"{step.id}: {step.name}, by {owner_words(step.owner.kind, step.owner.name) or step.owner.kind}"]
    said.append(f"after {', '.join(step.after)}" if step.after else "at the beginning")
    said += [f"only if {line}" for line in step.guard.splitlines()]
    said.append(f"within {long(step.time_limit_s)}, silent for {long(step.lease_s)} at most")
    said += [f"waits {long(step.wait_limit_s)} at most"] if step.wait_limit_s else []
    said.append(f"doing it twice is {'harmless' if step.idempotent else 'keyed' if step.keyed else 'not harmless'}")
    said += ["its failing does not fail the run"] if step.if_fails == "go_on" else []
    said += _rules(step.retry)
    if step.ask:
        said += [f"asks: {step.ask.question}", f"proposes: {step.ask.proposal}", f"why: {step.ask.why}"]
        said += [f"waiting costs: {step.ask.cost_of_waiting}"] if step.ask.cost_of_waiting else []
        said += ["what is decided can be reversed"] if step.ask.reversible else []
    if undo := step.compensation:
        by = owner_words(undo.owner.kind, undo.owner.name)
        said.append(f"taken back by {by}{f' ({undo.name})' if undo.name else ''} within {long(undo.time_limit_s)}")
        said += [f"taking back, {line}" for line in _rules(undo.retry)]
    return [said[0], *(f"  {line}" for line in said[1:])]


def _rules(retry: Retry) -> list[str]:
    lines = []
    for rule in retry.rules:
        often = plural(rule.attempts, "attempt,attempts")
        grows = f"{long(rule.wait_s)} between, times {plain(rule.factor)} up to {long(rule.most_wait_s)}"
        lines.append(f"{', '.join(rule.on) or 'any error'}: {often}, {grows}, jitter {plain(rule.jitter * 100)} %")
    return [*lines, f"at most {plural(retry.budget, 'retry,retries')} of it in a run"] if lines else []
