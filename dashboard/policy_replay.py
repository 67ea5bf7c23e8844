"""What a version would have done, as the editor's right column shows it: read from the report of its last replay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from dashboard.charts.backtest import curve
from dashboard.charts.durations import Chart
from dashboard.policy_words import grouped
from orchestration.control import replaying
from orchestration.lib.templatetags.baton import duration, number, percent, plural
from orchestration.policies.effects import WORDS, Kind
from orchestration.policies.lifecycle import REPLAY_STANDS
from orchestration.policies.models import Policy, PolicyVersion, Progress, ReplayRun

SHOWN = 50
_TRACE = re.compile("[0-9a-f]{32}")
MINUS = "\N{MINUS SIGN}"
TABS = (("freed", "Now automatic"), ("held", "Now reviewed"), ("other", "Otherwise"))  # as a report names them
VERDICTS = {"approve": "Approve", "reject": "Reject", "amend": "Amend", "more": "Asked for more"}


@dataclass(frozen=True, slots=True)
class Versus:
    """A figure before and after; `good`: whether the change is one for the better, None where there is none."""

    label: str
    before: str
    after: str
    change: str = ""
    good: bool | None = None


@dataclass(frozen=True, slots=True)
class Case:
    run: str
    words: str
    agent: str
    at: datetime | None
    amount: str
    said: str
    says: str
    later: str
    wrong: bool
    judged: bool

    @property
    def trace(self) -> str:
        """Where the agent named its run by a trace, which leads to the run."""
        return self.run if _TRACE.fullmatch(self.run) else ""

    @property
    def short(self) -> str:
        return f"{self.run[:8]}\N{HORIZONTAL ELLIPSIS}" if self.trace else self.run or self.words


@dataclass(slots=True)
class Replayed:
    """A version's replays. `state`: none, running, failed or done. `stands`: of this very draft, and not older than a
    day."""

    state: str = "none"
    done: int = 0
    total: int = 0
    at: datetime | None = None
    stands: bool = False
    other: bool = False  # of a draft that was changed since
    error: str = ""

    @property
    def percent(self) -> int:
        return round(100 * self.done / self.total) if self.total else 0

    def read(self, version: PolicyVersion | None) -> Mapping[str, Any] | None:
        """How far its last one is, and the report of the last whole one: while another one is under way, or after it
        failed, that stays in view."""
        run = replaying.latest(version) if version else None
        if version is None or run is None:
            return None
        self.state, self.done, self.total, self.error = _state(run), run.done, run.total or 0, run.fault
        whole = version.replays.filter(state=Progress.DONE).order_by("-ended_at").first()
        if whole is None or not whole.report:
            return None
        self.at, self.other = whole.ended_at, whole.digest != version.digest
        self.stands = not self.other and self.at is not None and self.at > timezone.now() - REPLAY_STANDS
        return whole.report  # type: ignore[no-any-return]


@dataclass(slots=True)
class Backtest(Replayed):
    """What a version would have answered otherwise."""

    window: str = ""
    versus: list[Versus] = field(default_factory=list)
    chart: Chart | None = None
    trade: str = ""
    trade_more: str = ""
    tone: str = ""
    tab: str = "freed"
    tabs: list[tuple[str, str, int]] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    unjudged: int = 0
    freed: int = 0
    consequences: str = ""


def tested(policy: Policy, version: PolicyVersion | None, tab: str) -> Backtest:
    made = Backtest()
    report = made.read(version)
    if version and report:
        fill(made, policy, version, report, tab)
    return made


def _state(run: ReplayRun) -> str:
    return "running" if run.is_open else "done" if run.state == Progress.CANCELLED else str(run.state)


def fill(made: Backtest, policy: Policy, version: PolicyVersion, report: Mapping[str, Any], tab: str) -> None:
    """What the report says, as the page shows it."""
    before, after = report["before"], report["after"]
    first, last = _moment(report.get("first")), _moment(report.get("last"))
    days = max(1.0, float(report.get("days") or 1.0))
    made.window = plural(report["decisions"], "decision,decisions")
    concerned = report.get("concerned", report["decisions"])
    if concerned != report["decisions"]:
        made.window = f"{number(concerned)} in its scope, of {made.window}"
    if first and last and not report.get("timeless"):
        made.window += f", {_day(first)} to {_day(last)}"
    made.versus = [
        _versus("Tickets a day", before["tickets"] / days, after["tickets"] / days),
        _counted("Missed errors", before["missed"], after["missed"]),
        *_waits(before, after),
    ]
    live = policy.versions.filter(number=policy.live).first() if policy.live else None
    now = live.body["limits"].get("limit") if live else None
    if concerned:
        made.chart = curve(report.get("curve") or [], days, now, report.get("limit"))
    made.freed, made.unjudged = report["freed"], report["freed_unjudged"]
    _tell(made, report, days)
    counts = {"freed": report["freed"], "held": report["held"], "other": report["changed"]}
    made.tabs = [(name, label, counts[name]) for name, label in TABS if counts[name] or name != "other"]
    fallback = "held" if counts["held"] and not counts["freed"] else "freed"
    made.tab = tab or fallback
    made.cases = [_case(each) for each in report.get(f"{made.tab}_cases", [])[:SHOWN]]


def _tell(made: Backtest, report: Mapping[str, Any], days: float) -> None:
    """Consequences in words: errors and reviewers' time together, never one without the other."""
    before, after = report["before"], report["after"]
    errors = after["missed"] - before["missed"]
    worth = abs(after["missed_amount"] - before["missed_amount"])
    hours = (before["minutes"] - after["minutes"]) / 60 / days * 7
    tickets = (before["tickets"] - after["tickets"]) / days
    saved = _saved(hours, tickets)
    if not (report["freed"] or report["held"] or report["changed"]):
        nothing = "None of them lies in its scope" if not report.get("concerned", 1) else ""
        made.trade = f"{nothing or 'No recorded decision would have come out otherwise'}."
    elif errors > 0:
        made.tone = "human"
        made.trade = (
            f"{plural(errors, 'more error,more errors')}, worth {grouped(round(worth, 2))} in all, against {saved}."
        )
    elif errors < 0:
        made.trade = f"{plural(-errors, 'error,errors')} fewer, worth {grouped(round(worth, 2))} in all, with {saved}."
    else:
        made.trade = f"As many missed errors as now, with {saved}."
    if made.unjudged:
        was, they, are = ("was", "it", "is") if made.unjudged == 1 else ("were", "they", "are")
        made.trade_more = (
            f"{number(made.unjudged)} of {plural(made.freed, 'freed case,freed cases')} {was} never reviewed: "
            f"nobody knows whether {they} {was} right, and {they} {are} not counted as right."
        )
    made.consequences = (
        f"Tickets go from {before['tickets'] / days:.1f} to {after['tickets'] / days:.1f} a day, missed errors from "
        f"{number(before['missed'])} to {number(after['missed'])}; "
        f"{plural(report['freed'] + report['held'] + report['changed'], 'recorded decision,recorded decisions')} "
        "would have come out otherwise."
    )


def _saved(hours: float, tickets: float) -> str:
    if abs(hours) >= 0.05:
        return f"{abs(hours):,.1f} hours of waiting {'saved' if hours > 0 else 'added'} a week"
    if abs(tickets) < 0.05:
        return "as many tickets as now"
    return f"{abs(tickets):.1f} tickets {'fewer' if tickets > 0 else 'more'} a day"


def _versus(label: str, before: float, after: float) -> Versus:
    return Versus(label, f"{before:.1f}", f"{after:.1f}", _share(before, after), _better(before, after))


def _share(before: float, after: float) -> str:
    change = round((after - before) / before, 2) if before else 0.0
    return f"{MINUS if change < 0 else '+'}{percent(abs(change))}" if change else ""


def _better(before: float, after: float) -> bool | None:
    """Of everything that stands here less is better."""
    return None if after == before else after < before


def _counted(label: str, before: int, after: int) -> Versus:
    change = "" if after == before else f"{MINUS if after < before else '+'}{number(abs(after - before))}"
    return Versus(label, number(before), number(after), change, _better(before, after))


def _waits(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Versus]:
    """Nothing where the time of no ticket is known."""
    was, would = before["median_wait_minutes"], after["median_wait_minutes"]
    if was is None:
        return []
    if would is None:
        return [Versus("Median wait", duration(was * 60_000), "none")]
    told = duration(was * 60_000), duration(would * 60_000)
    return [Versus("Median wait", *told, _share(was, would), _better(was, would))]


def _case(told: Mapping[str, Any]) -> Case:
    amount = told.get("amount")
    outcome = str(told.get("outcome") or "")
    judged = bool(told.get("verdict") or outcome)
    return Case(
        run=str(told.get("run") or ""),
        words=str(told.get("action_type") or ""),
        agent=str(told.get("agent") or ""),
        at=_moment(told.get("at")),
        amount="" if amount is None else grouped(float(amount)),
        said=VERDICTS.get(str(told.get("verdict") or ""), "Nobody looked"),
        says=WORDS[Kind(told["after"])],
        later=outcome or ("" if judged else "not known"),
        wrong=bool(told.get("wrong")),
        judged=judged,
    )


def _moment(given: Any) -> datetime | None:
    if isinstance(given, str):
        return datetime.fromisoformat(given)
    return given if isinstance(given, datetime) else None


def _day(moment: datetime) -> str:
    here = timezone.localtime(moment)
    return f"{here.day} {here.strftime('%b')}"
