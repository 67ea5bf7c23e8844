"""Entries of the ledger in words: what was done to what (the verb stands in `ledger_acts`, what is set in
`ledger_settings`). Pure; an entry that somebody has spoilt still reads as something."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from dashboard.ledger_settings import SET, Told, amount_words, change, named
from orchestration.ledger.reading import Line
from orchestration.lib.templatetags.baton import number, plural


def what_of(line: Line) -> str:
    """What the act was done to, after the words of `act_of`."""
    with contextlib.suppress(TypeError, ValueError, AttributeError):
        if said := _WHAT.get(line.kind):
            return said(line.told)
    return str(line.told.get("policy") or line.subject_id)


def rule_of(told: Told) -> str:
    """The version that decided, as `slug v7`."""
    matches = told.get("matches")
    if isinstance(matches, dict):
        first: list[Any] = next((names for names in matches.values() if names), [])
        slug, _, version = str(first[0]).rpartition("@") if first else ("", "", "")
        return f"{slug} v{version}" if slug else ""
    if told.get("policy") and told.get("version"):
        return f"{told['policy']} v{told['version']}"
    return ""


def _decision(told: Told) -> str:
    amount = f" of {amount_words(told['amount'])}" if told.get("amount") else ""
    return f"{told.get('action', '')}{amount}"


def _imported(told: Told) -> str:
    n = sum(n for n in told.values() if isinstance(n, int))
    return plural(n, "decision made elsewhere,decisions made elsewhere")


def _proposal(told: Told) -> str:
    said = {
        "revert": f"revert {told.get('policy')} to v{told.get('version')}",
        "retire": f"retire {told.get('policy')}",
        "gate": f"change what shadows of {told.get('policy')} have to have seen",
        "ease": f"let one person alone publish {told.get('policy')}",
        "alone": "let one person alone publish any policy",
        "default": f"change what holds when no policy speaks to {told.get('after')}",
    }
    if told.get("act") == "rates":
        return f"change the exchange rates: {rates_changed(told)}"
    return said.get(str(told.get("act")), str(told.get("act", "")))


def rates_changed(told: Told) -> str:
    """What differs, and from what."""
    before, after = told.get("before") or {}, told.get("after") or {}
    return ", ".join(
        f"{name} {after.get(name, 'none')} instead of {before.get(name, 'none')}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def _gate(told: Told) -> str:
    least = f" and {told['agreement']} equal answers" if told.get("agreement") not in (None, "0%") else ""
    return f"{told.get('policy', '')}: {told.get('decisions')} decisions in {told.get('days')} days{least}"


def _late(told: Told) -> str:
    """Of whom and by which rule; older entries tell only when it was due."""
    asked = " of ".join(str(told[name]) for name in ("policy", "agent") if told.get(name))
    return asked or f"that was due {str(told.get('due_at') or '')[:16].replace('T', ' ')}"


def _slice(told: Told) -> str:
    """`agent desk-billing, act refund: 9 of 134 failed`"""
    traits = ", ".join(f"{name} {value}" for name, value in orjson.loads(told["traits"]))
    return f"{traits}: {number(told['failures'])} of {number(told['n'])} failed"


def _limits(told: Told) -> str:
    after = told.get("after")
    after = after if isinstance(after, dict) else {}
    return f"loops {after.get('loops')}, after {after.get('repeats')} equal calls"


def _two(told: Told) -> str:
    return "two people" if told.get("after") else "one person"


_VERDICTS = {"approve": "approved", "reject": "rejected"}
_WHAT: Mapping[str, Callable[[Told], str]] = {
    **SET,
    "decision": _decision,
    "decisions.imported": _imported,
    "policy.asked": _proposal,
    "policy.turned_down": _proposal,
    "policy.withdrawn": _proposal,
    "rules.asked": _proposal,
    "rules.turned_down": _proposal,
    "rules.withdrawn": _proposal,
    "policy.shadow_asked": _gate,
    "rules.default": change,
    "rules.two_people": _two,
    "rules.rates": rates_changed,
    "sample.judged": named("found"),
    "precedent.kept": lambda told: (
        f"{_VERDICTS.get(str(told.get('verdict')), '')} {plural(told.get('cases'), 'case,cases')}"
    ),
    "precedent.used": lambda told: f"{told.get('verdict', '')}, {'as' if told.get('agreed') else 'not as'} before",
    "precedent.revoked": lambda told: plural(told.get("decided"), "case,cases"),
    **dict.fromkeys(
        ("workflow.coordination_on", "workflow.coordination_off"),
        lambda told: f"{told.get('workflow', '')}: {told.get('reason') or 'no reason given'}",
    ),
    "workflow.target_set": lambda told: told.get("target") or "nothing in particular",
    "workflow.failures_asked": lambda told: "yes" if told.get("on") else "no",
    **dict.fromkeys(
        (f"workflow.{step}" for step in ("proposed", "withdrawn")),
        lambda told: f"{told.get('name', '')} v{told.get('version', '')}",
    ),
    **dict.fromkeys(
        ("workflow.drafted", "workflow.published", "workflow.retired", "workflow.discarded"),
        lambda told: f"{told.get('name', '')} v{told.get('version', '')}",
    ),
    **dict.fromkeys(
        (f"workflow.trigger{step}" for step in ("ed", "_refused", "_limited", "_missed", "_paused", "_resumed")),
        lambda told: f"{told.get('workflow', '')}: {told.get('trigger', '')}",
    ),
    **dict.fromkeys(
        ("run.started", "run.completed", "run.failed", "run.cancelled", "run.undoing", "run.undone"),
        named("workflow"),
    ),
    **dict.fromkeys(
        ("step.finished", "step.retried", "step.failed", "step.skipped", "step.tried_again"),
        lambda told: f"{told.get('step', '')} of {told.get('workflow', '')}",
    ),
    **dict.fromkeys(
        ("effect.asked", "effect.undone", "effect.failed", "effect.kept", "effect.tried_again"),
        lambda told: f"{told.get('step', '')} of {told.get('workflow', '')}",
    ),
    "interest.added": named("name"),
    "interest.removed": named("name"),
    "action.ordered_many": lambda told: f"{told.get('kind', '')} {number(told.get('total'))}",
    **dict.fromkeys(
        ("action.proposed", "action.ordered", "action.approved", "action.declined", "action.done"),
        lambda told: f"{told.get('kind', '')} {told.get('name', '')}",
    ),
    **dict.fromkeys(
        ("action.failed", "action.given_up", "action.tried_again"),
        lambda told: f"{told.get('kind', '')} {told.get('name', '')}",
    ),
    **dict.fromkeys(
        (
            f"handoff.{step}"
            for step in ("sent", "accepted", "rejected", "completed", "extended", "returned", "expired")
        ),
        lambda told: f"{told.get('from', '')} to {told.get('to', '')}, run {told.get('run', '')}",
    ),
    "handoff.demands": lambda told: (
        f"{told.get('from', '')} to {told.get('to', '')}, version {told.get('version', '')}"
    ),
    **dict.fromkeys(
        ("claim.granted", "claim.finished", "claim.released"),
        lambda told: f"{told.get('work', '')} of run {told.get('run', '')}",
    ),
    **dict.fromkeys(("hold.late", "hold.late_again"), _late),
    "limits.changed": _limits,
    "rule.held_back": lambda told: f"{told.get('policy', '')} v{told.get('version', '')} on {told.get('of', '')}",
    "slice.found": _slice,
    "routing.changed": lambda told: f"healing {(told.get('after') or {}).get('healing', '')}",
    "route.changed": lambda told: f"{told.get('to', '')}, before: {told.get('from', '')}",
    **dict.fromkeys(
        ("breaker.opened", "breaker.half_opened", "breaker.closed", "healing.probing", "healing.waits"),
        lambda told: f"{told.get('agent', '')} to {told.get('system', '')}",
    ),
}
