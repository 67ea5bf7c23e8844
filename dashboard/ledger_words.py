"""Entries of the ledger in words: who did what to what. Pure; an entry that somebody has spoilt still reads as
something."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from orchestration.ledger.reading import Line
from orchestration.lib.templatetags.baton import number, plural, size

MOST_AMOUNT = Decimal(10) ** 20
Told = Mapping[str, Any]


def act_of(kind: str) -> str:
    return ACTS.get(kind, kind.replace(".", " "))


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
        named: list[Any] = next((names for names in matches.values() if names), [])
        slug, _, version = str(named[0]).rpartition("@") if named else ("", "", "")
        return f"{slug} v{version}" if slug else ""
    if told.get("policy") and told.get("version"):
        return f"{told['policy']} v{told['version']}"
    return ""


def amount_words(told: Any) -> str:
    """1,254.59 for what is recorded as 1254.5900; what is no number stays as it is."""
    try:
        amount = Decimal(str(told))
    except InvalidOperation:
        return str(told)
    return f"{amount.normalize():,f}" if amount.is_finite() and abs(amount) < MOST_AMOUNT else str(told)


def _decision(told: Told) -> str:
    amount = f" of {amount_words(told['amount'])}" if told.get("amount") else ""
    return f"{told.get('action', '')}{amount}"


def _imported(told: Told) -> str:
    n = sum(n for n in told.values() if isinstance(n, int))
    return plural(n, "decision made elsewhere,decisions made elsewhere")


def _key(told: Told) -> str:
    scopes = f": may {_names(told['scopes'])}" if told.get("scopes") else ""
    agents = f", for {_names(told['agents'])}" if told.get("agents") else ""
    return f"key {told.get('name', '')}{scopes}{agents}"


def _limit(told: Told) -> str:
    rate, much = told.get("spans_per_second"), told.get("bytes_per_day")
    parts = [f"{number(rate)} spans a second"] if isinstance(rate, int) else []
    parts += [f"{size(much)} a day"] if isinstance(much, int) else []
    of = f"key {told['name']}" if told.get("name") else "all keys together"
    return f"{of} to {' and '.join(parts) or 'nothing: as much as comes'}"


def _invited(told: Told) -> str:
    return f"{told.get('for', '')} as {_may(told)}"


def _member(told: Told) -> str:
    before = told.get("before")
    was = f", before {_may(before)}" if isinstance(before, dict) and "sees_content" in before else ""
    return f"{told.get('name', '')} to {_may(told)}{was}"


def _joined(told: Told) -> str:
    return f"as {_may(told)}" + (f", invited by {told['invited_by']}" if told.get("invited_by") else "")


def _may(told: Told) -> str:
    content = ", may read prompts and results" if told.get("sees_content") else ""
    return f"{_names(told.get('roles')) or 'nothing'}{content}"


def _price(told: Told) -> str:
    before = told.get("before")
    was = f", before {_rates(before)}" if isinstance(before, dict) else ""
    return f"{told.get('model', '')} at {_rates(told)}{was}"


def _rates(told: Told) -> str:
    cached = f", {amount_words(told['cached'])} cached" if told.get("cached") is not None else ""
    return f"{amount_words(told.get('input'))} in, {amount_words(told.get('output'))} out{cached}"


def _kept(told: Told) -> str:
    return f"{_days(told.get('after'))}, before {_days(told.get('before'))}"


def _days(told: Any) -> str:
    told = told if isinstance(told, dict) else {}
    named = {"span_days": "spans", "run_days": "runs", "decision_days": "facts of decisions"}
    return ", ".join(f"{words} {plural(told[name], 'day,days')}" for name, words in named.items() if told.get(name))


def _content(told: Told) -> str:
    return "prompts and results from now on" if told.get("after") else "no prompts and results from now on"


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


def _limits(told: Told) -> str:
    after = told.get("after")
    after = after if isinstance(after, dict) else {}
    return f"loops {after.get('loops')}, after {after.get('repeats')} equal calls"


def _two(told: Told) -> str:
    return "two people" if told.get("after") else "one person"


def _change(told: Told) -> str:
    return f"{told.get('after')}, before {told.get('before')}"


def _named(field: str) -> Callable[[Told], str]:
    return lambda told: str(told.get(field, ""))


def _names(given: Any) -> str:
    return ", ".join(str(each) for each in given) if isinstance(given, list) else ""


ACTS: Mapping[str, str] = {
    "decision": "asked",
    "verdict": "decided",
    "verdict.undone": "took a verdict back",
    "verdict.first": "decided first on",
    "hold.opened": "asked a person",
    "hold.expired": "let a question run out",
    "decisions.imported": "brought in",
    "policy.created": "drafted",
    "policy.discarded": "discarded a draft of",
    "policy.described": "named and described",
    "policy.shadowed": "ran in shadow",
    "policy.unshadowed": "ended the shadow of",
    "policy.shadow_asked": "set what a shadow has to have seen of",
    "policy.replayed": "replayed",
    "policy.proposed": "proposed to publish",
    "policy.published": "published",
    "policy.reverted": "reverted",
    "policy.retired": "retired",
    "policy.asked": "asked a second person to",
    "policy.turned_down": "turned down to",
    "policy.withdrawn": "took back the wish to",
    "rules.asked": "asked a second person to",
    "rules.turned_down": "turned down to",
    "rules.withdrawn": "took back the wish to",
    "rules.default": "set what holds when no policy speaks:",
    "rules.two_people": "let publishing take",
    "rules.rates": "changed the exchange rates:",
    "key.created": "made",
    "key.rotated": "replaced",
    "key.revoked": "revoked",
    "key.limited": "limited",
    "member.invited": "invited",
    "invitation.withdrawn": "withdrew the invitation for",
    "member.joined": "joined",
    "member.changed": "set",
    "member.removed": "removed",
    "person.second_step_on": "switched on the second step of logging in of",
    "person.second_step_off": "switched off the second step of logging in of",
    "person.second_step_removed": "took away the second step of logging in of",
    "webhook.created": "added the webhook to",
    "webhook.rotated": "gave a new secret to the webhook to",
    "webhook.removed": "removed the webhook to",
    "price.changed": "priced",
    "price.retired": "retired the price of",
    "price.restored": "brought back",
    "prices.started": "brought in",
    "rate.changed": "set the rate of",
    "rate.removed": "removed the rate of",
    "workspace.currency": "set the currency to",
    "workspace.retention": "set what is kept:",
    "workspace.content": "set that Baton stores",
    "workspace.limited": "limited",
    "hold.late": "found a question late",
    "hold.late_again": "found a question still late",
    "skills.changed": "set what may be decided by",
    "duty.changed": "set the hours of",
    "writer.changed": "set who drafts briefs,",
    "sample.judged": "looked afterwards at a decision, and found it",
    "precedent.kept": "kept for cases to come that it",
    "precedent.used": "decided a case that a precedent covers:",
    "precedent.revoked": "revoked a precedent, which had decided",
    "workflow.coordination_on": "told agents to coordinate in",
    "workflow.coordination_off": "told agents to coordinate no more in",
    "workflow.target_set": "set how much is to end without a person, to",
    "workflow.failures_asked": "set whether people are asked about failed runs:",
    "workflow.drafted": "saved a draft of",
    "workflow.proposed": "asked a second person about",
    "workflow.withdrawn": "asked no second person any more about",
    "workflow.published": "put live",
    "workflow.retired": "retired",
    "workflow.discarded": "threw away a draft of",
    "workflow.triggered": "started by a trigger a run of",
    "workflow.trigger_refused": "did not start, though triggered, a run of",
    "workflow.trigger_limited": "started by a trigger, for this hour, no more runs of",
    "workflow.trigger_missed": "missed times to start",
    "workflow.trigger_paused": "paused a trigger of",
    "workflow.trigger_resumed": "resumed a trigger of",
    "run.started": "started a run of",
    "run.completed": "completed a run of",
    "run.failed": "ended as failed a run of",
    "run.cancelled": "cancelled a run of",
    "run.undoing": "ordered to roll back a run of",
    "run.undone": "rolled back a run of",
    "step.finished": "finished",
    "step.retried": "gave up for now, to be tried again,",
    "step.failed": "failed for good at",
    "step.skipped": "skipped",
    "step.tried_again": "had tried again",
    "effect.asked": "asked to take back what was done by",
    "effect.undone": "took back what was done by",
    "effect.failed": "could not take back what was done by",
    "effect.kept": "left as it is what was done by",
    "effect.tried_again": "had tried again to take back what was done by",
    "interest.added": "noted a conflict of interest of",
    "interest.removed": "removed a conflict of interest of",
    "action.proposed": "proposed to",
    "action.ordered": "ordered to",
    "action.ordered_many": "ordered to",
    "action.approved": "agreed to",
    "action.declined": "declined to",
    "action.done": "carried out to",
    "action.failed": "could not yet",
    "action.given_up": "gave up to",
    "action.tried_again": "tried again to",
    "limits.changed": "set what Baton may do by itself:",
    "rule.held_back": "held back the rule",
    "routing.changed": "set what routing may do by itself:",
    "route.changed": "gives work from now on to",
    "handoff.sent": "handed over:",
    "handoff.accepted": "took over:",
    "handoff.rejected": "sent back:",
    "handoff.completed": "completed:",
    "handoff.extended": "took more time for:",
    "handoff.returned": "gave up who had taken:",
    "handoff.expired": "let run out:",
    "handoff.demands": "set what is needed in handoffs from",
    "claim.granted": "was granted",
    "claim.finished": "finished",
    "claim.released": "gave back",
    "breaker.opened": "opened the circuit of",
    "breaker.half_opened": "half opened the circuit of",
    "breaker.closed": "closed the circuit of",
    "slice.found": "found worse than the rest",
    "healing.probing": "tries again",
    "healing.waits": "waits before it gives back the work of",
}
_VERDICTS = {"approve": "approved", "reject": "rejected"}
_WHAT: Mapping[str, Callable[[Told], str]] = {
    "decision": _decision,
    "decisions.imported": _imported,
    "policy.asked": _proposal,
    "policy.turned_down": _proposal,
    "policy.withdrawn": _proposal,
    "rules.asked": _proposal,
    "rules.turned_down": _proposal,
    "rules.withdrawn": _proposal,
    "policy.shadow_asked": _gate,
    "rules.default": _change,
    "rules.two_people": _two,
    "rules.rates": rates_changed,
    "key.created": _key,
    "key.rotated": _key,
    "key.revoked": _key,
    "key.limited": _limit,
    "workspace.limited": _limit,
    "member.invited": _invited,
    "invitation.withdrawn": _named("for"),
    "member.joined": _joined,
    "member.changed": _member,
    "member.removed": _named("name"),
    "person.second_step_on": _named("name"),
    "person.second_step_off": _named("name"),
    "person.second_step_removed": _named("name"),
    "webhook.created": _named("host"),
    "webhook.rotated": _named("host"),
    "webhook.removed": _named("host"),
    "price.changed": _price,
    "price.retired": _named("model"),
    "price.restored": _price,
    "prices.started": lambda told: f"{told.get('prices', '')} starting prices",
    "workspace.currency": _change,
    "workspace.retention": _kept,
    "workspace.content": _content,
    "skills.changed": _named("name"),
    "duty.changed": _named("name"),
    "writer.changed": _named("host"),
    "sample.judged": _named("found"),
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
        _named("workflow"),
    ),
    **dict.fromkeys(
        ("step.finished", "step.retried", "step.failed", "step.skipped", "step.tried_again"),
        lambda told: f"{told.get('step', '')} of {told.get('workflow', '')}",
    ),
    **dict.fromkeys(
        ("effect.asked", "effect.undone", "effect.failed", "effect.kept", "effect.tried_again"),
        lambda told: f"{told.get('step', '')} of {told.get('workflow', '')}",
    ),
    "interest.added": _named("name"),
    "interest.removed": _named("name"),
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
        ("handoff.sent", "handoff.accepted", "handoff.rejected", "handoff.completed", "handoff.expired"),
        lambda told: f"{told.get('from', '')} to {told.get('to', '')}, run {told.get('run', '')}",
    ),
    "handoff.demands": lambda told: (
        f"{told.get('from', '')} to {told.get('to', '')}, version {told.get('version', '')}"
    ),
    **dict.fromkeys(
        ("claim.granted", "claim.finished", "claim.released"),
        lambda told: f"{told.get('work', '')} of run {told.get('run', '')}",
    ),
    "limits.changed": _limits,
    "rule.held_back": lambda told: f"{told.get('policy', '')} v{told.get('version', '')} on {told.get('of', '')}",
    "slice.found": lambda told: f"{told.get('traits', '')}, {told.get('failures', '')} of {told.get('n', '')}",
    "routing.changed": lambda told: f"healing {(told.get('after') or {}).get('healing', '')}",
    "route.changed": lambda told: f"{told.get('to', '')}, before: {told.get('from', '')}",
    **dict.fromkeys(
        ("breaker.opened", "breaker.half_opened", "breaker.closed", "healing.probing", "healing.waits"),
        lambda told: f"{told.get('agent', '')} to {told.get('system', '')}",
    ),
}
