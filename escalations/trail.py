"""What agents did before one of them stopped: the last steps of its run, from the same account as the run's own page.
Names, systems and how it went; what was said in them stays on that page, behind its own right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.holds.models import Hold, Source
from orchestration.lib.templatetags.baton import duration
from orchestration.policies.models import PolicyVersion
from orchestration.workflows import account
from orchestration.workflows.account import RunDetail
from orchestration.workflows.fold_people import UNNAMED
from orchestration.workflows.models import Run

MOST = 4  # before the stop
MOST_SPANS = 2_000  # a larger run is opened on its own page
SLACK = timedelta(seconds=2)  # clocks of agents and ours


@dataclass(frozen=True, slots=True)
class Deed:
    """`who` and `what` are foreign names; `verb` and `sub` are ours, `system` is foreign again."""

    at: datetime
    who: str
    verb: str
    what: str = ""
    system: str = ""
    sub: str = ""
    human: bool = False
    rule: str = ""


def trail(hold: Hold) -> list[Deed]:
    """The oldest first; the last one is where it stopped."""
    stop = Deed(hold.opened_at, hold.agent, "stopped" if hold.policy else "asks", human=True, rule=_rule(hold))
    detail = _run(hold)
    if detail is None:
        return [stop]
    before = sorted((deed for deed in _deeds(detail) if deed.at <= hold.opened_at + SLACK), key=lambda deed: deed.at)
    return [*before[-MOST:], stop]


def _run(hold: Hold) -> RunDetail | None:
    if hold.run_id is None:
        return None
    spans = Run.objects.filter(workspace_id=hold.workspace_id, id=hold.run_id).values_list("spans", flat=True).first()
    if spans is None or spans > MOST_SPANS:
        return None
    return account.run(hold.workspace_id, str(hold.run_id), steps=0)


def _deeds(detail: RunDetail) -> Iterator[Deed]:
    for call in detail.tool_call_list:
        took = duration(call.duration_ms)
        sub = took if call.ok else f"failed after {took}"
        tries = f", try {call.attempt}" if call.attempt > 1 else ""
        yield Deed(call.at, call.agent or "An agent", "called", call.tool, call.system or "", sub + tries)
    for handed in detail.handoff_list:
        yield Deed(handed.at, handed.from_agent, "handed over to", handed.to_agent)
    for guard in detail.guardrail_hits:
        known = guard.guardrail != UNNAMED
        said = ("was stopped by", guard.guardrail) if known else ("was refused what it wanted", "")
        yield Deed(guard.at, guard.agent or "An agent", *said)


def _rule(hold: Hold) -> str:
    """The condition as the admin wrote it, of the version that stopped it."""
    if hold.source != Source.DECISION or hold.policy_id is None or hold.version is None:
        return ""
    found = PolicyVersion.objects.filter(
        policy_id=hold.policy_id, number=hold.version, policy__workspace=hold.workspace_id
    )
    body = found.values_list("body", flat=True).first()
    return str(body.get("condition", "")) if body else ""
