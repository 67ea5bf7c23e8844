"""Rules on signals in plain words, and as lines of which two versions differ. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard import policy_words
from dashboard.policy_words import Line, compared, condition_words, grouped, laid_out, lower
from orchestration.lib.templatetags.baton import duration, plural
from orchestration.policies.signal_kinds import SIGNALS
from orchestration.policies.signal_rules import is_signal

ACTS = {  # of whom, as an order
    "supervise": "supervise",
    "pause": "pause",
    "quarantine": "quarantine",
    "cancel": "cancel",
    "retry": "ask for another try of",
    "compensate": "ask to undo the effects of",
    "verify": "ask a person to check",
    "notify": "send a notice about",
    "reroute": "move the work of",
}
WHOM = {
    "agent": "the agent",
    "workflow": "the workflow",
    "system": "the system",
    "run": "the run",
    "workspace": "the inbox",
}
EXPECTED = (("acts", "It acts"), ("rests", "It rests"))


def in_words(body: Mapping[str, Any]) -> str:
    """`An agent's calls fail: pause the agent for 30 m when the number of calls is at least 10.`"""
    when = condition_words(body["condition"], body["limits"], "signal")
    first = "propose to " if body["leave"] == "propose" else ""
    return f"{SIGNALS[body['signal']].label}: {first}{acts_words(body)}, when {when}."


def acts_words(body: Mapping[str, Any]) -> str:
    said = [act_words(act, body["of"]) for act in body["acts"]]
    return " and ".join(said)


def act_words(act: Mapping[str, Any], of: str) -> str:
    lasts = f" for {duration(act['minutes'] * 60_000)}" if act.get("minutes") else ""
    to = f" to {act['to']}" if act.get("to") else ""
    return f"{ACTS[act['kind']]} {WHOM[of]}{to}{lasts}"


def bounds_words(body: Mapping[str, Any]) -> str:
    bounds = body["bounds"]
    said = f"At most {plural(bounds['an_hour'], 'time,times')} an hour"
    if bounds["cool_down_s"]:
        said += f", on one thing again after {duration(bounds['cool_down_s'] * 1000)}"
    return f"{said}; over when clear for {duration(bounds['clear_s'] * 1000)}."


def as_lines(body: Mapping[str, Any]) -> list[str]:
    lines = [f"when {lower(SIGNALS[body['signal']].label)}"]
    lines += laid_out(body["condition"], "signal")
    lines += [f"{'propose to ' if body['leave'] == 'propose' else ''}{act_words(a, body['of'])}" for a in body["acts"]]
    lines += [f"it says “{act['words']}”" for act in body["acts"] if act["words"]]
    lines.append(bounds_words(body))
    lines += [f"{name} = {grouped(value)}" for name, value in body["limits"].items()]
    return lines + [f"example {each['name']}: {dict(EXPECTED)[each['effect']].lower()}" for each in body["examples"]]


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Line]:
    """Of two versions of either kind."""
    if is_signal(before):
        return compared(as_lines(before), as_lines(after))
    return policy_words.difference(before, after)
