"""A rule on signals over what was measured: when it would have acted, on what, and how often its bounds would have held
it back. By the rule's own evaluator and the same episodes as live; exact to about the minute, since readings are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from orchestration.autonomy.episodes import Course, Past
from orchestration.control.signals import rule_of
from orchestration.policies import readings
from orchestration.policies.lifecycle import NotNow
from orchestration.policies.models import PolicyVersion, Reading
from orchestration.policies.signal_rules import SignalRule

DAYS = 30
MOST = 200_000  # readings
TOLD = 50  # episodes


@dataclass(slots=True)
class _Now:
    """What holds at the moment of a reading, by what is acted upon and then by what was measured."""

    holding: dict[str, dict[str, datetime]] = field(default_factory=dict)
    place: dict[str, tuple[str, str]] = field(default_factory=dict)  # of what was measured


def replay(version: PolicyVersion, now: datetime | None = None) -> dict[str, Any]:
    """The report, which is kept with the version as that of its last replay. Raises NotNow."""
    rule, now = rule_of(version), now or timezone.now()
    if rule is None:
        raise NotNow("This version cannot be read any more.")
    workspace = version.policy.workspace
    since, cut = readings.since_newest(workspace.pk, rule.signal, now - timedelta(days=DAYS), MOST)
    course = Course(rule)
    n = over(course, readings.between(workspace.pk, rule.signal, since, now))
    report = _report(course, n, (since, now), ZoneInfo(workspace.zone)) | {"cut": cut}
    same = PolicyVersion.objects.filter(pk=version.pk, digest=version.digest)
    same.update(replay=report, replayed_at=now, replayed_digest=version.digest)
    return report


def over(course: Course, rows: Iterable[Reading]) -> int:
    """Returns how many readings there were."""
    now, seen = _Now(), 0
    for row in rows:
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
