"""`/workflows/<slug>/conformance/`: which runs went the way that was declared or learnt, and where others left it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.charts.bars import Piece, stacked
from dashboard.finding import Finding, foreign, say
from dashboard.period import Period, period_of
from dashboard.workflow_declared import DeclaredPage, declared_page
from orchestration.lib.stats import ENOUGH, wilson
from orchestration.lib.templatetags.baton import interval, number, percent, plural
from orchestration.workflows.conformance import Conformance, Judged, Share, Verdict, of_workflow
from orchestration.workflows.kept_trails import SoFar, so_far
from orchestration.workspaces.current import MEMBER, Here, needs

LISTED = 25
WORDS = {
    Verdict.CONFORMING: ("Conforming", "ok"),
    Verdict.SKIPPED: ("Skipped", "crit"),
    Verdict.REPEATED: ("Repeated", "human"),
    Verdict.OUT_OF_ORDER: ("Out of order", "crit"),
    Verdict.UNLIKE: ("Not comparable", ""),
}


@dataclass
class ConformancePage:
    base: DeclaredPage
    period: Period

    @cached_property
    def found(self) -> Conformance:
        return of_workflow(self.base.flow, self.period.since, self.period.until)

    @cached_property
    def so_far(self) -> SoFar:
        return so_far(self.base.flow, self.period.since, self.period.until)

    @property
    def conforming(self) -> int:
        return self.found.counts.get(Verdict.CONFORMING, 0)

    @property
    def against(self) -> str:
        if self.found.source == "declared":
            return f"the path that v{self.found.number} declares"
        return "the path that most completed runs share; nothing is declared"

    @property
    def finding(self) -> Finding:
        found, name = self.found, foreign(self.base.flow.name)
        if not found.source:
            return Finding(say(name, " has no path to compare runs with"), say("Declare one, or wait for thirty runs."))
        if not found.compared:
            lede = f"Compared with {self.against}. {self._unlike}"
            return Finding(say("No run of ", name, f" can be compared in {self.period.words}"), say(lede))
        share = f"{percent(self.conforming / found.compared)} of " if found.compared >= ENOUGH else ""
        title = f"{share}{plural(found.compared, 'run,runs')} of "
        if not share:
            title = f"{number(self.conforming)} of {plural(found.compared, 'run,runs')} of "
        sized = f" ({interval(wilson(self.conforming, found.compared))})" if share else ""
        return Finding(
            say(title, name, " kept to the path"), say(f"Compared with {self.against}{sized}. {self._unlike}")
        )

    @property
    def _unlike(self) -> str:
        n = self.found.counts.get(Verdict.UNLIKE, 0)
        said = plural(n, "run has,runs have")
        return f"{said} no step of that name and cannot be compared." if n else ""

    @property
    def deviating(self) -> list[tuple[str, str, str, int]]:
        return [(step, *WORDS[verdict], n) for step, verdict, n in self.found.deviating]

    @property
    def days(self) -> list[tuple[datetime, int, int, list[Piece]]]:
        most = max((runs for _, _, runs in self.found.days), default=0)
        return [
            (day, fitting, runs, stacked((("agent", fitting), ("fail", runs - fitting)), most))
            for day, fitting, runs in reversed(self.found.days)
        ]

    @property
    def shares(self) -> list[tuple[Share, str]]:
        return [
            (each, interval(wilson(each.conforming, each.runs)) if each.runs >= ENOUGH else "")
            for each in self.found.shares
        ]

    @property
    def rows(self) -> list[tuple[Judged, str, str]]:
        """Those that left the path, newest first."""
        kept = (Verdict.CONFORMING, Verdict.UNLIKE)
        left = [each for each in self.found.runs if each.verdict not in kept]
        return [(each, *WORDS[each.verdict]) for each in left[:LISTED]]


@require_safe
@needs(MEMBER)
def page(request: Here, slug: str) -> HttpResponse:
    found = ConformancePage(declared_page(request, slug), period_of(request, "7d"))
    context = {"page": found, "base": found.base, "flow": found.base.flow, "period": found.period}
    return render(request, "dashboard/workflow_conformance.html", context)
