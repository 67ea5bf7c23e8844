"""What can be measured, what each tells, and what may be done to whom because of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_RATES = ("signal.surely", "signal.rate", "signal.calls", "signal.failures")
_COST = ("signal.cost", "signal.tokens")


@dataclass(frozen=True, slots=True)
class SignalKind:
    """`of`: what may be acted upon because of it; of a run, that is each run, or all of a workflow together. `facts`:
    those of the vocabulary that it has, the plainest first. `start`: a condition to begin with."""

    label: str
    about: str
    of: tuple[str, ...]
    facts: tuple[str, ...]
    start: str


SIGNALS: Mapping[str, SignalKind] = {
    "agent_failures": SignalKind(
        "An agent's calls fail",
        "Calls to models and tools of the last 5 minutes",
        ("agent",),
        _RATES,
        "signal.calls >= 10 && signal.surely >= 0.3",
    ),
    "agent_worse": SignalKind(
        "An agent gets worse",
        "Against its own last 30 days, call by call or verdict by verdict; of agents with enough of either",
        ("agent",),
        ("signal.one_in", "signal.usual", "signal.rate", "signal.calls", "signal.failures", "signal.by"),
        "signal.one_in >= 10000",
    ),
    "workflow_failures": SignalKind(
        "Runs of a workflow fail",
        "Runs that ended in the last 5 minutes",
        ("workflow",),
        _RATES,
        "signal.calls >= 10 && signal.surely >= 0.3",
    ),
    "system_failures": SignalKind(
        "Calls of a system fail",
        "Calls of the last 5 minutes, by whomever",
        ("system",),
        _RATES,
        "signal.calls >= 10 && signal.surely >= 0.3",
    ),
    "breaker": SignalKind(
        "A circuit breaker opens",
        "Between an agent and a system whose calls fail",
        ("agent", "system"),
        ("signal.state", "signal.minutes", "signal.opens", "signal.system"),
        "signal.state == 'open'",
    ),
    "stuck_run": SignalKind(
        "A run is stuck",
        "Nothing was heard of a run that is not over; of one that waits for a person neither",
        ("run", "workflow"),
        ("signal.minutes", "signal.status"),
        "signal.minutes >= 15 && signal.status != 'waiting'",
    ),
    "loop": SignalKind(
        "An agent goes in circles",
        "As found in runs, by what is set below Actions; where nothing is looked for, nothing is found",
        ("agent", "run"),
        ("signal.repeats", "signal.tool"),
        "signal.repeats >= 6",
    ),
    "silence": SignalKind(
        "An agent falls silent",
        "Agents that were heard within the last day",
        ("agent",),
        ("signal.minutes", "signal.usual_minutes"),
        "signal.minutes >= 30",
    ),
    "run_cost": SignalKind(
        "A run costs too much",
        "Runs that are not over, and those of the last 5 minutes",
        ("run", "workflow"),
        _COST,
        "signal.cost > 5",
    ),
    "agent_cost": SignalKind(
        "An agent's day costs too much",
        "Since midnight in the workspace's time zone",
        ("agent",),
        _COST,
        "signal.cost > 50",
    ),
    "queue": SignalKind(
        "Questions wait too long",
        "What waits for people in the inbox",
        ("workspace",),
        ("signal.minutes", "signal.open", "signal.late"),
        "signal.minutes >= 30",
    ),
}
# What may be done to each
ACTS: Mapping[str, tuple[str, ...]] = {
    "agent": ("supervise", "pause", "quarantine", "reroute", "verify", "notify"),
    "workflow": ("pause", "notify"),
    "system": ("notify",),
    "run": ("cancel", "retry", "compensate", "verify", "notify"),
    "workspace": ("notify",),
}
