"""Handoffs in words: how agents hand over to each other, and how one of them went."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.finding import Finding, Part, foreign, say
from orchestration.handoffs.models import Envelope, Passing
from orchestration.handoffs.quality import Line
from orchestration.lib.templatetags.baton import duration, number, plural, rate

TONES = {
    Passing.SENT: "human",
    Passing.ACCEPTED: "agent",
    Passing.COMPLETED: "ok",
    Passing.REJECTED: "crit",
    Passing.EXPIRED: "crit",
}
WORDS = {
    Passing.SENT: "Waits to be taken",
    Passing.ACCEPTED: "Under way",
    Passing.COMPLETED: "Completed",
    Passing.REJECTED: "Rejected",
    Passing.EXPIRED: "Expired",
}


def finding(lines: Sequence[Line], period: str) -> Finding:
    """What is sent back, else what waits, else that all is well."""
    named = [line for line in lines if line.named]
    if not lines:
        return Finding(say(f"No agent handed over to another in {period}"))
    bounced, tries = sum(line.bounced for line in lines), sum(line.tries for line in lines)
    waiting = sum(line.waiting for line in lines)
    seen = sum(line.seen for line in lines)
    pairs = plural(len(named), "pair of agents,pairs of agents")
    rest = f"{plural(seen, 'handoff,handoffs')} between {pairs} in {period}. "
    if bounced:
        share = rate(bounced, tries)
        many = share if " of " in share else f"{share} of all"
        return Finding(say(f"{many} declared handoffs were sent back"), (*say(rest), *_worst(named)))
    if waiting:
        verb = "handoff waits,handoffs wait"
        return Finding(say(f"{plural(waiting, verb)} to be taken over"), (*say(rest), *_slowest(named)))
    return Finding(say("Agents hand over without a hitch" if seen else "Nothing waits"), (*say(rest), *_slowest(named)))


LACKS = {"late": "its receiver ran out of time", "silent": "its receiver fell silent"}


def _worst(lines: Sequence[Line]) -> tuple[Part, ...]:
    worst = max((line for line in lines if line.bounced), key=lambda line: line.bounced, default=None)
    if worst is None:
        return say("Their senders named no pair of agents.")
    most = worst.missing[0][0] if worst.missing else ""
    why = LACKS.get(most) or f"of “{_field(most)}”"
    lacks = f", most often because {why}" if most else ""
    return say(*who(worst), f" lost {plural(worst.bounced, 'try,tries')}{lacks}.")


def _slowest(lines: Sequence[Line]) -> tuple[Part, ...]:
    slowest = max((line for line in lines if line.p95_ms is not None), key=lambda line: line.p95_ms or 0, default=None)
    if slowest is None:
        return say("None of them was declared, so how long they waited is not known.")
    return say(*who(slowest), f" waits longest: {duration(slowest.p95_ms)} at the 95th percentile.")


def who(line: Line) -> tuple[str | Part, ...]:
    return foreign(line.sender), " to ", foreign(line.receiver)


def _field(name: str) -> str:
    return name.partition(".")[2] or name.replace("_", " ")


def missing(line: Line) -> str:
    """`evidence 4, order 2`: what was at fault, most often first."""
    return ", ".join(f"{_field(name)} {number(n)}" for name, n in line.missing[:3])


def story(row: Envelope, state: str) -> Finding:
    """One handoff."""
    title = say(foreign(row.sender), " handed over to ", foreign(row.receiver))
    waited = duration(row.accepted_at - row.sent_at) if row.accepted_at else ""
    taken = f"Taken after {waited}" if waited else ""
    said = {
        Passing.SENT: "Nobody has taken it yet.",
        Passing.ACCEPTED: f"{taken}, and under way.",
        Passing.COMPLETED: f"{taken} and completed.",
        Passing.REJECTED: f"{taken} and given back." if taken else "Sent back by its receiver.",
        Passing.EXPIRED: "It was given up for good." if row.problem else "Nobody took it in time.",
    }
    return Finding(title, say(said[Passing(state)]))
