"""What people are told of their work: rows made in the transaction of their cause, each once for a person and channel.

A notice gathers what comes up for a person until it goes: new work until the end of a digest, everything until the end
of quiet hours, what is urgent at once. Its words are counts, policies and a link, and never anything an agent said.
"""

from __future__ import annotations

import zoneinfo
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.urls import reverse

from escalations.matching import LEARNING
from escalations.models import Alarm, Batch, Channel, Competence, Escalation, Notice, Telling
from orchestration.lib.templatetags.baton import plural
from orchestration.workspaces.models import Membership, User

USUAL: list[str] = [Alarm.NEW, Alarm.SOON, Alarm.LATE, Alarm.AGAIN]
GATHERED = (Alarm.NEW, Alarm.BACK)
LATE = (Alarm.LATE, Alarm.AGAIN)
MOST_LINES = 12
DAY = 24 * 60
MINUTE = timedelta(minutes=1)
# how many, before and after the number, the most urgent first
WORDS = {
    Alarm.AGAIN: "case is still late,cases are still late",
    Alarm.LATE: "case is late,cases are late",
    Alarm.SOON: "case is due within half an hour,cases are due within half an hour",
    Alarm.BACK: "case is back,cases are back",
    Alarm.NEW: "new case,new cases",
}
APPEND = """
insert into escalations_notice as n
    (id, workspace_id, person_id, channel, key, subject, body, about, due_at, attempts, error)
values (gen_random_uuid(), %s, %s, %s, %s, '', '', %s, %s, 0, '')
on conflict (workspace_id, person_id, channel, key) do update set about = n.about || excluded.about
where n.sent_at is null and n.dead_at is null and n.attempts = 0
"""


@dataclass(frozen=True, slots=True)
class News:
    """Something that came up about a case. `holder`: whose it is; None: the team's."""

    alarm: str
    hold: UUID
    batch: UUID | None
    holder: int | None


@dataclass(frozen=True, slots=True)
class Way:
    """How one person is told: what, when and by which channels."""

    person: int
    alarms: frozenset[str]
    digest: int
    quiet: tuple[int, int] | None
    late_breaks: bool
    zone: zoneinfo.ZoneInfo
    channels: tuple[str, ...]

    def due(self, alarm: str, now: datetime) -> datetime:
        """When it goes."""
        at = _window_end(now, self.digest) if alarm in GATHERED else now
        if self.quiet is None or (alarm in LATE and self.late_breaks):
            return at
        return _after_quiet(at.astimezone(self.zone), self.quiet)


def _window_end(now: datetime, minutes: int) -> datetime:
    if minutes <= 0:
        return now
    passed = now.timestamp() % (minutes * 60)
    return now + timedelta(seconds=minutes * 60 - passed)


def _after_quiet(at: datetime, quiet: tuple[int, int]) -> datetime:
    start, until = quiet
    minute = at.hour * 60 + at.minute
    length = until - start if until > start else until - start + DAY
    since = (minute - start) % DAY
    return at if since >= length else at.replace(second=0, microsecond=0) + timedelta(minutes=length - since)


def mails() -> bool:
    """Whether there is a server that takes our e-mail."""
    return not settings.EMAIL_BACKEND.endswith(("dummy.EmailBackend", "console.EmailBackend"))


def tell(workspace_id: int, news: Iterable[News], now: datetime) -> int:
    """Adds it to what its people are told. Call in the transaction of the cause. Returns how many pieces were added."""
    told = list(news)
    ways = ways_of(workspace_id) if told else {}
    if not ways:
        return 0
    teams = _teams(workspace_id, {each.batch for each in told if each.holder is None}, ways)
    pieces: dict[tuple[int, str, datetime], list[list[str]]] = defaultdict(list)
    for each in told:
        for person in [each.holder] if each.holder in ways else teams.get(each.batch, []):
            way = ways[person]
            if each.alarm in way.alarms:
                for channel in way.channels:
                    about = [each.alarm, str(each.batch or ""), str(each.hold)]
                    pieces[way.person, channel, way.due(each.alarm, now)].append(about)
    for (person, channel, due_at), things in sorted(pieces.items()):
        _append(workspace_id, person, channel, due_at, things)
    return sum(map(len, pieces.values()))


def ways_of(workspace_id: int) -> dict[int, Way]:
    """Of all who may decide and can be told by something."""
    may = Q(roles__contains=["reviewer"]) | Q(roles__contains=["admin"])
    members = Membership.objects.filter(may, workspace_id=workspace_id, user__is_active=True)
    chosen = {each.person_id: each for each in Telling.objects.filter(workspace_id=workspace_id)}
    found = {}
    for member in members.select_related("user", "workspace"):
        telling = chosen.get(member.user_id) or Telling(person=member.user, alarms=USUAL)
        way = _way(telling, member.user, member.user.zone or member.workspace.zone)
        if way.channels:
            found[member.user_id] = way
    return found


def _way(telling: Telling, user: User, zone: str) -> Way:
    mail = telling.mail and user.email and mails()
    return Way(
        person=user.pk,
        alarms=frozenset(telling.alarms),
        digest=telling.digest_minutes,
        quiet=(int(telling.quiet[0]), int(telling.quiet[1])) if telling.quiet else None,
        late_breaks=telling.late_breaks,
        zone=_zone(zone),
        channels=((Channel.MAIL,) if mail else ()) + ((Channel.HOOK,) if telling.hook else ()),
    )


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


def _teams(workspace_id: int, batches: set[UUID | None], ways: dict[int, Way]) -> dict[UUID | None, list[int]]:
    """Who is told of what is nobody's: those who know the skill, where skills are known; else all who may decide."""
    if not batches:
        return {}
    skills = dict(Batch.objects.filter(pk__in=[each for each in batches if each]).values_list("pk", "skill"))
    known: dict[str, set[int]] = defaultdict(set)
    levels = Competence.objects.filter(workspace_id=workspace_id, level__gt=LEARNING)
    for person, skill in levels.values_list("person_id", "skill"):
        known[skill.casefold()].add(person)
    found = {}
    for batch in batches:
        skill = skills.get(batch, "").casefold() if batch else ""
        team = ways.keys() & known[skill] if skill and known else ways.keys()
        found[batch] = sorted(team or ways.keys())
    return found


def _append(workspace_id: int, person: int, channel: str, due_at: datetime, about: Sequence[object]) -> None:
    """To the notice of that minute, or to that of the next one if it has gone already."""
    with connection.cursor() as cursor:
        for _ in range(DAY):
            key = due_at.astimezone(zoneinfo.ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%MZ")
            cursor.execute(APPEND, [workspace_id, person, channel, key, orjson.dumps(about).decode(), due_at])
            if cursor.rowcount:
                return
            due_at = due_at.replace(second=0, microsecond=0) + MINUTE


def trial(workspace_id: int, person: User, channel: str, once: str, now: datetime) -> Notice:
    """A message by which a person tries a channel; the same `once` is the same message."""
    values = {"subject": "Baton can reach you", "body": f"This is a test. {link('escalations:inbox')}", "due_at": now}
    told = {"workspace_id": workspace_id, "person": person, "channel": channel, "key": f"test {once}"}
    return Notice.objects.get_or_create(**told, defaults=values)[0]


@dataclass(frozen=True, slots=True)
class Letter:
    """What a notice says now. Nothing: all of it was decided meanwhile."""

    subject: str
    body: str
    counts: dict[str, int]


def written(notice: Notice) -> Letter | None:
    """Of what still waits."""
    if notice.subject:
        return Letter(notice.subject, notice.body, {})
    last = {hold: alarm for alarm, _, hold in notice.about}  # of several alarms of a case the last one
    cases = Escalation.objects.filter(pk__in=list(last), workspace_id=notice.workspace_id, open=True)
    rows = list(cases.values_list("hold_id", "policy", "due_at"))
    if not rows:
        return None
    counts = Counter(last[str(hold)] for hold, _, _ in rows)
    parts = [plural(counts[alarm], words) for alarm, words in WORDS.items() if counts[alarm]]
    lines = Counter(policy or "asked by an agent" for _, policy, _ in rows).most_common(MOST_LINES)
    body = [", ".join(parts) + ".", "", *(f"- {name}: {plural(count, 'case,cases')}" for name, count in lines), ""]
    body += [link("escalations:inbox"), "", f"How you are told: {link('escalations:notifications')}"]
    return Letter(", ".join(parts), "\n".join(body), {str(alarm): count for alarm, count in counts.items()})


def link(name: str) -> str:
    """As people reach it."""
    public = settings.PUBLIC_URL
    base = public.geturl().rstrip("/") if public else f"http://{settings.BATON_HOST}:{settings.BATON_PORT}"
    return base + reverse(name)
