"""The facts that a rule may name: typed, documented, the same for live decisions, replay and the editor's help. Rules
speak of one of two subjects: an `ask` of an agent, or a `signal` that was measured.

A fact that is not known is absent, never zero or empty: a rule that reads it then ends as an error, which is the
policy's fail mode and is named in the answer (`missing`). `known` tells beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum


class Type(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole number"
    FLAG = "yes or no"
    TIME = "time"
    MAP = "any fields"
    NUMBERS = "numbers by name"
    TEXTS = "list of texts"


@dataclass(frozen=True, slots=True)
class Field:
    """`needs`: what has to be looked up for it, beside what the ask itself brings ("" for nothing)."""

    name: str
    type: Type
    about: str
    example: str = ""
    needs: str = ""


# What past decisions are counted by: everything that acts on one of these, whichever agent asks
SUBJECTS = {
    "agent": "asked by the same agent",
    "account": "that name the same account (argument or context `account`, `account_id` or `iban`)",
    "customer": "that name the same customer (argument or context `customer` or `customer_id`)",
    "run": "asked within the same run",
}
WINDOWS = {"1h": 3_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000}  # seconds

_ASKED = (
    Field("action.type", Type.TEXT, "What the agent is about to do", "refund"),
    Field("action.system", Type.TEXT, "The system it acts upon", "payments"),
    Field(
        "action.amount",
        Type.NUMBER,
        "The amount, in the workspace's currency, in which limits are; not known when it was stated in another one for "
        "which no exchange rate is set: then the setting for what cannot be told decides",
        "499.99",
    ),
    Field("action.stated", Type.NUMBER, "The amount as it was stated, in `action.currency`, whichever that is", "5000"),
    Field(
        "action.currency", Type.TEXT, "Currency that the amount was stated in; where none was, the workspace's", "USD"
    ),
    Field(
        "action.rate",
        Type.NUMBER,
        "What one unit of `action.currency` was worth in the workspace's, where it is another one and a rate is set",
        "1.08",
    ),
    Field("action.arguments", Type.MAP, "The act's own arguments, as the agent sent them"),
    Field("context", Type.MAP, "Whatever else the agent sent with the ask"),
    Field("customer", Type.MAP, "The part `customer` of the context, when it has fields", "customer.years"),
    Field("proposal", Type.TEXT, "What the agent proposes, in words"),
    Field("evidence.count", Type.WHOLE, "How many pieces of evidence came with the ask", "2"),
    Field("evidence.kinds", Type.TEXTS, "The kinds of evidence that came with it", "invoice"),
)
_AGENT = (
    Field("agent.name", Type.TEXT, "Who asks", "refund-bot"),
    Field("agent.application", Type.TEXT, "The program it runs in", "support"),
    Field("agent.environment", Type.TEXT, "Where that program runs", "production"),
    Field("agent.kind", Type.TEXT, "ai, rpa, rules, script or workflow", "rpa"),
    Field("agent.version", Type.TEXT, "Its version, as its telemetry says"),
    Field("agent.vouched", Type.FLAG, "Whether the key that asks vouches for this agent"),
    Field("agent.calls", Type.WHOLE, "Calls measured in the last 30 days", "1200", "agent"),
    Field("agent.failure_rate", Type.NUMBER, "Share of those that failed; unknown below 30 calls", "0.02", "agent"),
    Field("agent.reliability", Type.NUMBER, "Lower bound (95 %) of its share of good calls", "0.97", "agent"),
    Field("agent.reviewed", Type.WHOLE, "Its asks that people decided in the last 90 days", "240", "agent"),
    Field("agent.trust", Type.NUMBER, "Lower bound (95 %) of the share that people approved", "0.9", "agent"),
)
_RUN = (
    Field("run.workflow", Type.TEXT, "The workflow that the run belongs to", "Refund request", "run"),
    Field("run.conversation", Type.TEXT, "The conversation that the run belongs to", "", "run"),
    Field("run.age_s", Type.NUMBER, "Seconds since the run began", "3600", "run"),
    Field("run.errors", Type.WHOLE, "Failed steps of the run so far", "2", "run"),
    Field("run.retries", Type.WHOLE, "Repeated tries in the run so far", "3", "run"),
    Field("run.cost", Type.NUMBER, "What its tokens cost so far, in the workspace's currency", "0.4", "run"),
    Field("run.tokens", Type.WHOLE, "Tokens used so far", "12000", "run"),
    Field("step.name", Type.TEXT, "The step within the run, as the agent named it", "pay out"),
)
_NOW = (
    Field("now", Type.TIME, "The moment of the ask"),
    Field("now.hour", Type.WHOLE, "Hour of the day (0 to 23) in the workspace's time zone", "17"),
    Field("now.weekday", Type.WHOLE, "Monday is 1, Sunday 7", "6"),
    Field("now.weekend", Type.FLAG, "Saturday or Sunday"),
)
_LIMITS = (
    Field("limit", Type.NUMBER, "The policy's main limit: the one that replay draws a curve over", "500"),
    Field("limits", Type.NUMBERS, "Further limits of the policy, by name", "limits.per_day"),
    Field("known", Type.TEXTS, "Names of all facts that are known: `'action.amount' in known`"),
)


def _past() -> tuple[Field, ...]:
    fields = []
    for subject, about in SUBJECTS.items():
        for window in WINDOWS:
            within = f"earlier asks of this type {about}, in the last {window}, refused ones left out"
            fields += [
                Field(f"past.count_{subject}_{window}", Type.WHOLE, f"Number of {within}", "9", "past"),
                Field(f"past.amount_{subject}_{window}", Type.NUMBER, f"Sum of amounts of {within}", "4491", "past"),
            ]
        if subject != "agent":
            fields.append(
                Field(
                    f"past.agents_{subject}_24h",
                    Type.TEXTS,
                    f"Agents that asked for anything in the last 24h, {about.replace('that name', 'naming')}",
                    "",
                    "past",
                )
            )
    return tuple(fields)


GROUPS: dict[str, tuple[Field, ...]] = {
    "The act": _ASKED,
    "The agent": _AGENT,
    "The run": _RUN,
    "The time": _NOW,
    "What was asked before": _past(),
    "Limits": _LIMITS,
}
FIELDS: dict[str, Field] = {field.name: field for fields in GROUPS.values() for field in fields}
OPEN = tuple(name for name, field in FIELDS.items() if field.type in (Type.MAP, Type.NUMBERS))


# What rules on signals may name: what was measured, and of whom. The names of asks mean asks alone.
SIGNAL_GROUPS: dict[str, tuple[Field, ...]] = {
    "What was measured": (
        Field(
            "signal.one_in",
            Type.NUMBER,
            "Worse: an agent that is as ever looks like this at most once in so many calls, or verdicts",
            "10000",
        ),
        Field("signal.usual", Type.NUMBER, "Worse: its usual failed share, at most (95 %), 0 to 1", "0.04"),
        Field("signal.by", Type.TEXT, "Worse: calls, or people who say no to what it asks", "calls"),
        Field("signal.surely", Type.NUMBER, "Failures: lower bound (95 %) of the failed share, last 5 minutes", "0.3"),
        Field("signal.rate", Type.NUMBER, "Failures: the failed share itself, 0 to 1; says little of few calls", "0.5"),
        Field("signal.calls", Type.WHOLE, "Failures: calls (of a workflow: runs) of the last 5 minutes", "30"),
        Field("signal.failures", Type.WHOLE, "Failures: how many of those failed", "12"),
        Field(
            "signal.minutes",
            Type.NUMBER,
            "Stuck run, silence: since anything was heard. Queue: age of the oldest question. Breaker: since it opened",
            "15",
        ),
        Field("signal.usual_minutes", Type.NUMBER, "Silence: its usual longest gap; known after 100 gaps", "4"),
        Field("signal.state", Type.TEXT, "Breaker: open, or half while a few calls try whether it holds", "open"),
        Field("signal.opens", Type.WHOLE, "Breaker: how often in a row it has opened", "2"),
        Field("signal.system", Type.TEXT, "Breaker: the system that the agent's calls went to", "payments"),
        Field("signal.status", Type.TEXT, "Stuck run: running, waiting or stalled", "stalled"),
        Field("signal.repeats", Type.WHOLE, "Loop: how often the same call was made in one run", "4"),
        Field("signal.tool", Type.TEXT, "Loop: which call", "search_orders"),
        Field("signal.cost", Type.NUMBER, "Cost of the run so far, or of the agent since midnight", "2.5"),
        Field("signal.tokens", Type.WHOLE, "Cost: tokens of the run so far, or of the agent since midnight", "90000"),
        Field("signal.open", Type.WHOLE, "Queue: questions that wait for people", "40"),
        Field("signal.late", Type.WHOLE, "Queue: of these, the ones past their deadline", "3"),
    ),
    "Of what": (
        Field("target.name", Type.TEXT, "The agent, workflow, system or run that it was measured of", "refund-bot"),
        Field("target.application", Type.TEXT, "Of an agent: the program it runs in", "support"),
        Field("target.workflow", Type.TEXT, "Of a run: its workflow", "Refund request"),
    ),
    "The time": _NOW[1:],
    "Limits": _LIMITS,
}
SIGNAL_FIELDS: dict[str, Field] = {field.name: field for fields in SIGNAL_GROUPS.values() for field in fields}
BY_SUBJECT: dict[str, dict[str, Field]] = {"ask": FIELDS, "signal": SIGNAL_FIELDS}
ANY_FIELD: dict[str, Field] = SIGNAL_FIELDS | FIELDS


def field_of(path: str) -> Field | None:
    """The field that a path of an expression leads to, or into; of either kind of rule."""
    names = path.split(".")
    for length in range(len(names), 0, -1):
        if found := ANY_FIELD.get(".".join(names[:length])):
            return found
    return None


def near(name: str, seen: tuple[str, ...] = (), most: int = 3, subject: str = "ask") -> list[str]:
    """Names that somebody who wrote `name` may have meant; `seen`: fields of the open maps that agents have sent."""
    candidates = [*BY_SUBJECT[subject], *seen]
    last = name.rpartition(".")[2]
    by_end = [each for each in candidates if each.rpartition(".")[2] == last and each != name]
    close = [_into(each, name) for each in get_close_matches(name, candidates, n=most, cutoff=0.6)]
    return list(dict.fromkeys([*by_end, *close]))[:most]


def _into(each: str, name: str) -> str:
    """`customer.years` for `custmer.years`: whoever misspells an open map means a field of it."""
    rest = name.split(".")[each.count(".") + 1 :]
    field = ANY_FIELD.get(each)
    return ".".join([each, *rest]) if field and field.type == Type.MAP else each


def needs_of(paths: frozenset[str]) -> frozenset[str]:
    """What has to be looked up for an expression that reads these: of agent, run and past."""
    return frozenset(field.needs for path in paths if (field := field_of(path)) and field.needs)
