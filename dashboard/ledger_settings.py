"""Entries of the ledger about keys, members, prices and what else is set, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from orchestration.lib.templatetags.baton import number, plural, size

MOST_AMOUNT = Decimal(10) ** 20
Told = Mapping[str, Any]


def amount_words(told: Any) -> str:
    """1,254.59 for what is recorded as 1254.5900; what is no number stays as it is."""
    try:
        amount = Decimal(str(told))
    except InvalidOperation:
        return str(told)
    return f"{amount.normalize():,f}" if amount.is_finite() and abs(amount) < MOST_AMOUNT else str(told)


def _key(told: Told) -> str:
    scopes = f": may {names(told['scopes'])}" if told.get("scopes") else ""
    agents = f", for {names(told['agents'])}" if told.get("agents") else ""
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
    return f"{names(told.get('roles')) or 'nothing'}{content}"


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


def change(told: Told) -> str:
    return f"{told.get('after')}, before {told.get('before')}"


def named(field: str) -> Callable[[Told], str]:
    return lambda told: str(told.get(field, ""))


def names(given: Any) -> str:
    return ", ".join(str(each) for each in given) if isinstance(given, list) else ""


SET: Mapping[str, Callable[[Told], str]] = {
    "key.created": _key,
    "key.rotated": _key,
    "key.revoked": _key,
    "key.limited": _limit,
    "workspace.limited": _limit,
    "member.invited": _invited,
    "invitation.withdrawn": named("for"),
    "member.joined": _joined,
    "member.changed": _member,
    "member.removed": named("name"),
    "person.second_step_on": named("name"),
    "person.second_step_off": named("name"),
    "person.second_step_removed": named("name"),
    "webhook.created": named("host"),
    "webhook.rotated": named("host"),
    "webhook.removed": named("host"),
    "price.changed": _price,
    "price.retired": named("model"),
    "price.restored": _price,
    "prices.started": lambda told: f"{told.get('prices', '')} starting prices",
    "workspace.currency": change,
    "workspace.retention": _kept,
    "workspace.content": _content,
    "skills.changed": named("name"),
    "duty.changed": named("name"),
    "writer.changed": named("host"),
}
