"""A rule on signals over what was measured: when it would have acted, on what, and how often its bounds would have held
it back. By the rule's own evaluator and the same episodes as live; exact to about the minute, since readings are.
Asked for, worked on and told as every replay is (`replaying`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from orchestration.autonomy.episodes import Course, Past
from orchestration.policies import readings
from orchestration.policies.models import Reading
from orchestration.policies.signal_rules import SignalRule
from orchestration.workspaces.models import Workspace

DAYS = 30
MOST = 200_000  # readings
TOLD = 50  # episodes
EACH = 250  # readings between two signs of life


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is looked at: so many readings; `cut`: the newest alone, since there are more than that."""

    since: datetime
    until: datetime
    total: int
    cut: bool


@dataclass(slots=True)
class _Now:
    """What holds at the moment of a reading, by what is acted upon and then by what was measured."""

    holding: dict[str, dict[str, datetime]] = field(default_factory=dict)
    place: dict[str, tuple[str, str]] = field(default_factory=dict)  # of what was measured


def stretch(workspace_id: int, signal: str, now: datetime) -> Stretch:
    since, cut = readings.since_newest(workspace_id, signal, now - timedelta(days=DAYS), MOST)
    return Stretch(since, now, readings.rows(workspace_id, signal, since, now).count(), cut)


def replay(workspace: Workspace, rule: SignalRule, part: Stretch, beat: Callable[[int], None]) -> dict[str, Any]:
    """The report. `beat` is told how far it is, and ends it by what it raises."""
    course = Course(rule)
    n = over(course, readings.between(workspace.pk, rule.signal, part.since, part.until), beat)
    return _report(course, n, (part.since, part.until), ZoneInfo(workspace.zone)) | {"cut": part.cut}


def over(course: Course, rows: Iterable[Reading], beat: Callable[[int], None]) -> int:
    """Returns how many readings there were."""
    now, seen = _Now(), 0
    for row in rows:
        if seen % EACH == 0:
            beat(seen)
        _one(course, now, row)
        seen += 1
    return seen


def _one(course: Course, now: _Now, row: Reading) -> None:
    rule: SignalRule = course.rule
    named = row.tied.get(rule.of) if row.facts else None
    target, name = named or now.place.get(row.target, ("", ""))
    if not target:
        return
    now.place[row.target] = (target, name)
    cases = now.holding.setdefault(target, {})
    for case in [case for case, at in cases.items() if row.at - at > readings.LASTS]:
        ended = cases.pop(case) + readings.LASTS  # nobody has said so since
        if not cases:
            course.clear(target, ended)
    if row.facts and rule.holds(row.facts) is True:
        cases[row.target] = row.at
        course.holds(target, name, row.at)
    elif cases.pop(row.target, None) and not cases:
        course.clear(target, row.at)


def _report(course: Course, n: int, between: tuple[datetime, datetime], zone: ZoneInfo) -> dict[str, Any]:
    acted = [past for past in course.episodes if past.acted]
    days = Counter(past.acted.astimezone(zone).date().isoformat() for past in acted if past.acted)
    first = between[0].astimezone(zone).date()
    return {
        "since": between[0].isoformat(),
        "until": between[1].isoformat(),
        "readings": n,
        "episodes": len(course.episodes),
        "acts": len(acted),
        "held_back": len(course.episodes) - len(acted),
        "days": [days[(first + timedelta(days=place)).isoformat()] for place in range(DAYS + 1)],
        "told": [_told(past) for past in reversed(course.episodes[-TOLD:])],
    }


def _told(past: Past) -> dict[str, Any]:
    return {
        "name": past.name,
        "began": past.began.isoformat(),
        "minutes": round((past.last - past.began).total_seconds() / 60),
        "acted": past.acted.isoformat() if past.acted else None,
        "why_not": past.why_not if not past.acted else "",
    }
