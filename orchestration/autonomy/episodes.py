"""A rule on signals acts once while it holds of a thing: the episode. It begins when the rule holds, and is over when
the thing has been clear of it for as long as the rule says; what holds again after that is a new one.

Whether a new one acts depends on two bounds: quiet since the last act on the same thing, and acts within the hour.
`Course` is the same in memory, for the past.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from orchestration.autonomy import receipts
from orchestration.autonomy.aims import Aim
from orchestration.autonomy.models import Action, Cause, Episode, Kind, Target
from orchestration.autonomy.ordering import REASON_CHARS, Wish, order
from orchestration.ledger import entries
from orchestration.policies import shadows
from orchestration.policies.signal_rules import SignalRule

HOUR = timedelta(hours=1)
MOST_CASES = 2_000  # named in one episode
COOL, OFTEN = "cool_down", "an_hour"
LOCK = 0x65_70  # with the policy's own number: one counts a rule's acts at a time


@dataclass(frozen=True, slots=True)
class Seen:
    """A rule that holds now of one thing it may act upon. `cases`: ids of all it holds of, `facts`: of the worst.
    `runs`: some that show it."""

    kind: str
    target: str
    name: str
    cases: Sequence[str]
    facts: Mapping[str, Any]
    runs: Sequence[str] = ()


def why_not(rule: SignalRule, at: datetime, last: datetime | None, within_hour: int) -> str:
    """Why a rule does not act now ("" : it does). `last`: when it last acted on the same thing."""
    if last is not None and at - last < timedelta(seconds=rule.cool_down_s):
        return COOL
    return OFTEN if within_hour >= rule.an_hour else ""


def note(workspace_id: int, rule: SignalRule, seen: Seen, at: datetime, *, shadow: bool = False) -> list[Action]:
    """What follows from a rule that holds: one transaction. Returns the acts that were ordered."""
    with transaction.atomic():
        episode = _open(workspace_id, rule, seen, at, shadow)
        episode.cases = list(dict.fromkeys([*episode.cases, *seen.cases]))[:MOST_CASES]
        episode.seen += 1
        episode.last_at, episode.clear_since, episode.after = at, None, dict(seen.facts)
        acts = [] if episode.acted_at else _act(episode, rule, seen, at)
        episode.save()
    return acts


def clear(workspace_id: int, rules: Mapping[UUID, SignalRule], held: Collection[UUID], at: datetime) -> int:
    """Episodes in which the rule holds no more come to their end; those of rules that are gone at once. `held`: ids of
    those that go on. Returns how many ended."""
    ended = 0
    for episode in Episode.objects.filter(workspace_id=workspace_id, ended_at=None).exclude(pk__in=held):
        rule = rules.get(episode.policy_id)
        since = episode.clear_since or at
        over = rule is None or at - since >= timedelta(seconds=rule.clear_s)
        same = Episode.objects.filter(pk=episode.pk, ended_at=None, last_at=episode.last_at)
        ended += same.update(clear_since=since, ended_at=at if over else None) if over or not episode.clear_since else 0
    return ended


def _open(workspace_id: int, rule: SignalRule, seen: Seen, at: datetime, shadow: bool) -> Episode:
    place = {"policy_id": rule.policy, "shadow": shadow, "target_kind": seen.kind, "target": seen.target}
    found = Episode.objects.select_for_update().filter(**place, ended_at=None)
    if episode := found.first():
        return episode
    try:
        with transaction.atomic():
            episode = Episode.objects.create(
                **place,
                workspace_id=workspace_id,
                version=rule.version,
                signal=rule.signal,
                name=seen.name[:300],
                began_at=at,
                last_at=at,
            )
            if shadow:
                shadows.note_episode(rule.policy, rule.version)
            return episode
    except IntegrityError:  # another sweep was first
        return found.get()


def _act(episode: Episode, rule: SignalRule, seen: Seen, at: datetime) -> list[Action]:
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [LOCK, rule.policy.int & 0x7FFF_FFFF])
    mine = Episode.objects.filter(policy_id=rule.policy, shadow=episode.shadow, acted_at__isnull=False)
    same = mine.filter(target_kind=seen.kind, target=seen.target).order_by("-acted_at").first()
    reason = why_not(rule, at, same.acted_at if same else None, mine.filter(acted_at__gt=at - HOUR).count())
    if reason:
        if reason != episode.held_back:
            _held_back(episode, rule, reason, at)
        episode.held_back = reason
        return []
    episode.acted_at, episode.held_back, episode.version = at, "", rule.version
    episode.facts = dict(seen.facts)
    if episode.shadow:
        return []
    return [_order(episode, rule, seen, act) for act in rule.acts]


def _order(episode: Episode, rule: SignalRule, seen: Seen, act: Mapping[str, Any]) -> Action:
    kind, place = Kind(act["kind"]), Target.WORKSPACE if act["kind"] == Kind.NOTIFY else Target(seen.kind)
    several = f" (and {len(seen.cases) - 1} more)" if len(seen.cases) > 1 else ""
    why = f"{act['words'] or rule.name}: {seen.name}{several}, because {rule.because(seen.facts)}"
    wish = Wish(
        kind,
        receipts.BATON,
        f"rule:{rule.policy}:{episode.pk}:{kind.value}",
        why if len(why) <= REASON_CHARS else f"{why[: REASON_CHARS - 1]}…",
        act["minutes"],
        Cause.RULE,
        f"{rule.slug}@{rule.version}",
        {
            "rule": rule.slug,
            "version": rule.version,
            "episode": str(episode.pk),
            "signal": rule.signal,
            "of": {"kind": seen.kind, "id": seen.target, "name": seen.name},
            "cases": len(seen.cases),
            **({"runs": list(seen.runs)} if seen.runs else {}),
            "facts": {name: value for name, value in seen.facts.items() if name.startswith("signal.")},
            **_about(act, seen),
        },
    )
    target = str(episode.workspace_id) if place == Target.WORKSPACE else seen.target
    return order(episode.workspace_id, wish, Aim(place, target, seen.name), proposed=rule.proposes)


def _about(act: Mapping[str, Any], seen: Seen) -> dict[str, Any]:
    """To whom work is moved; where a breaker says on which system, only that work."""
    if not act.get("to"):
        return {}
    system = seen.facts.get("signal.system")
    return {"about": {"to": act["to"]} | ({"system": system} if system else {})}


def _held_back(episode: Episode, rule: SignalRule, reason: str, at: datetime) -> None:
    told = {"policy": rule.slug, "version": rule.version, "why": reason, "of": episode.name, "shadow": episode.shadow}
    entries.record(episode.workspace_id, "rule.held_back", ("policy", str(rule.policy)), receipts.BATON, told, at)


@dataclass(slots=True)
class Past:
    """An episode as it would have been. `acted` None: the rule's bounds held it back."""

    name: str
    began: datetime
    last: datetime
    acted: datetime | None = None
    why_not: str = ""
    seen: int = 0
    clear_since: datetime | None = None


@dataclass(slots=True)
class Course:
    """One rule over the past, in memory."""

    rule: SignalRule
    episodes: list[Past] = field(default_factory=list)
    _open: dict[str, Past] = field(default_factory=dict)
    _acted: dict[str, datetime] = field(default_factory=dict)
    _hour: deque[datetime] = field(default_factory=deque)

    def holds(self, target: str, name: str, at: datetime) -> None:
        past = self._open.get(target)
        clear = past.clear_since if past else None
        if past is None or (clear and at - clear >= timedelta(seconds=self.rule.clear_s)):
            past = self._open[target] = Past(name, at, at)
            self.episodes.append(past)
        past.last, past.seen, past.clear_since = at, past.seen + 1, None
        if past.acted is None:
            self._act(past, target, at)

    def clear(self, target: str, at: datetime) -> None:
        past = self._open.get(target)
        if past and past.clear_since is None:
            past.last = past.clear_since = at

    def _act(self, past: Past, target: str, at: datetime) -> None:
        while self._hour and at - self._hour[0] >= HOUR:
            self._hour.popleft()
        past.why_not = why_not(self.rule, at, self._acted.get(target), len(self._hour))
        if past.why_not:
            return
        past.acted = self._acted[target] = at
        self._hour.append(at)
