"""What a version in shadow has seen: answers that would have been others, counted since it began, and whether that is
enough for it to go live. Of a rule on signals: how often it held of something anew.

Decisions are never counted twice: what is older than a minute, and so surely committed, is kept as a sum with the
policy, and only what came since is looked at.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import floor
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from orchestration.lib.paging import BadCursor, Page, from_cursor, to_cursor
from orchestration.lib.stats import wilson
from orchestration.policies.effects import STRICTNESS, Kind
from orchestration.policies.models import Policy, Subject

SETTLED = timedelta(minutes=1)  # a decision's time is taken before it commits
KEPT_EACH = timedelta(minutes=5)  # also where nothing was seen, so that nobody looks there again
SHOWN = 20

_OF = "shadow->'tried'->%(policy)s"
_MINE = (
    "workspace_id = %(workspace)s and shadow is not null and at >= %(since)s "
    f"and ({_OF}->>'version')::int = %(version)s"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """`pairs`: how often it would have been the second where it was the first; `episodes`: of a rule on signals."""

    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    since: datetime | None = None
    episodes: int = 0

    @property
    def asked(self) -> int:
        return self.pairs.total()

    @property
    def differ(self) -> int:
        return self.stricter + self.looser

    @property
    def same(self) -> int:
        return self.asked - self.differ

    @property
    def agreement(self) -> float | None:
        """The share of answers that are as they were; None before the first."""
        return self.same / self.asked if self.asked else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.same, self.asked)

    @property
    def stricter(self) -> int:
        return sum(n for (was, now), n in self.pairs.items() if _strict(now) > _strict(was))

    @property
    def looser(self) -> int:
        return sum(n for (was, now), n in self.pairs.items() if _strict(now) < _strict(was))

    @property
    def days(self) -> float:
        return (timezone.now() - self.since) / timedelta(days=1) if self.since else 0.0


@dataclass(frozen=True, slots=True)
class Difference:
    """A decision on which the shadow would have said something else."""

    id: UUID
    at: datetime
    agent: str
    action_type: str
    amount: float | None
    run: str
    run_id: UUID | None
    was: str
    would: str

    @property
    def looser(self) -> bool:
        return _strict(self.would) < _strict(self.was)


def seen(policy: Policy) -> Seen:
    """Counted to this moment."""
    if policy.shadow is None or policy.shadow_since is None:
        return Seen()
    if policy.subject == Subject.SIGNAL:
        kept = policy.shadow_tally or {}
        episodes = int(kept["episodes"]) if kept.get("version") == policy.shadow else 0
        return Seen(since=policy.shadow_since, episodes=episodes)
    now = timezone.now()
    begin, pairs = _kept(policy)
    settled = max(begin, now - SETTLED)
    older = _count(policy, begin, settled)
    if older or settled - begin > KEPT_EACH:
        pairs = pairs + older
        _keep(policy, settled, pairs)
    return Seen(pairs + _count(policy, settled, None), policy.shadow_since)


def note_episode(policy_id: UUID, version: int) -> None:
    """A rule on signals in shadow holds of something anew: once for each, in the transaction that stores it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update policies_policy set shadow_tally = jsonb_build_object('version', shadow, 'episodes', 1 + "
            "case when shadow_tally->'version' = to_jsonb(shadow) then (shadow_tally->>'episodes')::int else 0 end) "
            "where id = %s and shadow = %s",
            [policy_id, version],
        )


def why_not(policy: Policy, found: Seen) -> str:
    """What it still has to see before it may go live; "" when that is enough."""
    lacks = []
    of_signal = policy.subject == Subject.SIGNAL
    n, what = (found.episodes, "episodes") if of_signal else (found.asked, "decisions")
    if n < policy.shadow_decisions:
        lacks.append(f"{n:,} of {policy.shadow_decisions:,} {what}")
    if found.days < policy.shadow_days:
        lacks.append(f"{int(found.days)} of {policy.shadow_days} days")
    told = [f"The shadow has seen {' and '.join(lacks)} so far."] if lacks else []
    if policy.shadow_agreement and not of_signal and (found.agreement or 0.0) < policy.shadow_agreement:
        told.append(
            f"It agrees with what was answered in {_share(found)}, and {policy.shadow_agreement * 100:g}% are asked."
        )
    return " ".join(told)


def _share(found: Seen) -> str:
    """Rounded down: what is not enough never reads as if it were."""
    if found.agreement is None:
        return "no case yet"
    return f"{floor(found.agreement * 1000) / 10:g}% of {found.asked:,} cases"


def latest(policy: Policy, most: int = SHOWN, cursor: str | None = None) -> Page[Difference]:
    """The decisions that would have come out otherwise, newest first. Raises BadCursor."""
    if policy.shadow is None or policy.shadow_since is None:
        return Page([], None)
    after, at, last = "", None, None
    if cursor:
        told = from_cursor(cursor, str, str)
        after, at, last = "and (at, id) < (%(at)s, %(last)s)", _moment(told[0]), _uuid(told[1])
    with connection.cursor() as rows:
        rows.execute(
            f"select id, at, agent, action_type, amount::float8, run, run_id, shadow->>'live', {_OF}->>'effect' "
            f"from policies_decision where {_MINE} and shadow->>'live' <> {_OF}->>'effect' {after} "
            "order by at desc, id desc limit %(most)s",
            _values(policy, policy.shadow_since) | {"most": most + 1, "at": at, "last": last},
        )
        found = [Difference(*row) for row in rows]
    shown = found[:most]
    more = to_cursor([shown[-1].at.isoformat(), str(shown[-1].id)]) if len(found) > most else None
    return Page(shown, more)


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadCursor("cursor") from None
    if found.tzinfo is None:
        raise BadCursor("cursor")
    return found


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise BadCursor("cursor") from None


def _kept(policy: Policy) -> tuple[datetime, Counter[tuple[str, str]]]:
    """Until when it is counted, and what was seen until then."""
    since, kept = policy.shadow_since, policy.shadow_tally
    assert since is not None  # noqa: S101  whoever calls has looked
    if not kept or (kept["version"], kept["since"]) != (policy.shadow, since.isoformat()):
        return since, Counter()
    pairs = Counter({(was, now): n for was, now, n in kept["pairs"]})
    return datetime.fromisoformat(kept["until"]), pairs


def _keep(policy: Policy, until: datetime, pairs: Counter[tuple[str, str]]) -> None:
    """Whoever is second says the same of another moment: each sum is whole in itself."""
    since = policy.shadow_since
    tally = {
        "version": policy.shadow,
        "since": since.isoformat() if since else None,
        "until": until.isoformat(),
        "pairs": [[was, now, n] for (was, now), n in pairs.items()],
    }
    Policy.objects.filter(pk=policy.pk, shadow=policy.shadow, shadow_since=since).update(shadow_tally=tally)
    policy.shadow_tally = tally


def _count(policy: Policy, begin: datetime, end: datetime | None) -> Counter[tuple[str, str]]:
    until = "and at < %(until)s" if end else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"select shadow->>'live', {_OF}->>'effect', count(*) from policies_decision "
            f"where {_MINE} {until} group by 1, 2",
            _values(policy, begin) | {"until": end},
        )
        return Counter({(was, now): n for was, now, n in cursor})


def _values(policy: Policy, since: datetime) -> dict[str, Any]:
    return {
        "policy": str(policy.pk),
        "workspace": policy.workspace_id,
        "since": since,
        "version": policy.shadow,
    }


def _strict(kind: str) -> int:
    return STRICTNESS[Kind(kind)]
