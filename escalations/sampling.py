"""What went through without a person, looked at afterwards: a sample of it, dearer acts more often, and how much of all
of it was wrong, by the chances with which the sample was drawn. `draw` may run as often as it likes: who is drawn hangs
on the decision and a secret, so that the same day gives the same sample."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

from escalations.models import Found, Sample
from orchestration.lib.stats import ENOUGH, wilson
from orchestration.policies.effects import Kind
from orchestration.workspaces.models import Workspace

A_DAY = 30
MOST = 120  # a day, however many strata there are
DAY = timedelta(days=1)
LATELY = timedelta(days=90)
Z = 1.959964
BANDS = ((100, "below 100", 1.0), (1_000, "100 to 1,000", 2.0), (10_000, "1,000 to 10,000", 4.0))
DEAREST = ("10,000 and more", 8.0)
PLAIN = ("no amount", 1.0)

_BAND = """case when d.amount is null then 'no amount' when abs(d.amount) < 100 then 'below 100'
    when abs(d.amount) < 1000 then '100 to 1,000' when abs(d.amount) < 10000 then '1,000 to 10,000'
    else '10,000 and more' end"""
_WENT = "case when d.hold_id is null then d.effect else 'precedent' end"
_STRATUM = f"{_BAND} || ' · ' || {_WENT} || ' · ' || coalesce(p.slug, 'no policy')"
_FROM = """policies_decision d left join policies_policy p on p.id = d.policy_id
where d.workspace_id = %s and d.at >= %s and d.at < %s
    and not d.imported and (d.hold_id is null and d.effect = any(%s) or exists (
        select 1 from holds_hold h where h.id = d.hold_id and h.workspace_id = d.workspace_id
        and h.precedent_id is not null and h.verdict = 'approve'))"""
SIZES = f"select {_STRATUM}, count(*) from {_FROM} group by 1"
DRAW = f"""
insert into escalations_sample (decision_id, workspace_id, at, drawn_at, chance, stratum, found, note)
select t.id, %s, t.at, now(), least(1.0, w.n::float8 / t.size), t.stratum, '', '' from (
    select d.id, d.at, {_STRATUM} as stratum, count(*) over (partition by {_STRATUM}) as size,
        row_number() over (partition by {_STRATUM} order by md5(%s || d.id::text)) as place
    from {_FROM}
) t join unnest(%s::text[], %s::int[]) w(stratum, n) on w.stratum = t.stratum
where t.place <= w.n on conflict do nothing
"""
PASSED = [Kind.ALLOW.value, Kind.AMEND.value, Kind.ROUTE.value, Kind.DELAY.value]


@dataclass(frozen=True, slots=True)
class Looked:
    """One that a person has looked at."""

    chance: float
    wrong: bool


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of all that went through. `rate` and `interval` are None where nothing was looked at; `enough`: whether they may
    be relied on."""

    looked: int
    wrong: int
    unsure: int
    waiting: int
    rate: float | None = None
    interval: tuple[float, float] | None = None

    @property
    def enough(self) -> bool:
        return self.looked >= ENOUGH


def sweep() -> int:
    """Yesterday, by the clock of UTC, in every workspace."""
    end = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return sum(draw(pk, end - DAY, end) for pk in Workspace.objects.values_list("pk", flat=True))


def draw(workspace_id: int, since: datetime, until: datetime) -> int:
    """How many are new."""
    where: list[int | datetime | list[str]] = [workspace_id, since, until, PASSED]
    with connection.cursor() as cursor:
        cursor.execute(SIZES, where)
        wanted = allotted({stratum: int(size) for stratum, size in cursor.fetchall()})
        if not wanted:
            return 0
        cursor.execute(DRAW, [workspace_id, _secret(workspace_id), *where, list(wanted), list(wanted.values())])
        return max(0, int(cursor.rowcount))


def allotted(sizes: Mapping[str, int], total: int = A_DAY) -> dict[str, int]:
    """How many of each stratum: by its size and what a mistake in it costs, at least one."""
    weights = {stratum: size * risk(stratum) for stratum, size in sizes.items() if size > 0}
    whole = sum(weights.values())
    dearest = sorted(weights, key=lambda stratum: (-risk(stratum), stratum))[:MOST]
    return {stratum: min(sizes[stratum], max(1, round(total * weights[stratum] / whole))) for stratum in dearest}


def risk(stratum: str) -> float:
    band = stratum.partition(" · ")[0]
    known = {name: weight for _, name, weight in BANDS} | dict([DEAREST, PLAIN])
    return known.get(band, 1.0)


def estimate(workspace_id: int, now: datetime) -> Estimate:
    """Of the last 90 days."""
    rows = Sample.objects.filter(workspace_id=workspace_id, at__gte=now - LATELY).values_list("chance", "found")
    said = list(rows)
    found = Counter(verdict for _, verdict in said)
    looked = [
        Looked(chance, verdict == Found.WRONG) for chance, verdict in said if verdict in (Found.RIGHT, Found.WRONG)
    ]
    rate, interval = weighed(looked)
    return Estimate(len(looked), found[Found.WRONG], found[Found.UNSURE], found[""], rate, interval)


def weighed(looked: Iterable[Looked]) -> tuple[float | None, tuple[float, float] | None]:
    """The share of wrong ones: each stands for as many as its chance says (Hájek 1971). Its interval is Wilson's at the
    number of cases that would tell as much if all had the same chance: the smaller of Kish's (1965) and the one that
    the linearised variance gives (Korn and Graubard 1998), so that it does not shrink where nothing wrong was seen."""
    cases = list(looked)
    if not cases:
        return None, None
    weights = [1 / each.chance for each in cases]
    whole = sum(weights)
    rate = sum(weight for weight, each in zip(weights, cases, strict=True) if each.wrong) / whole
    alike = whole**2 / sum(weight**2 for weight in weights)
    spread = sum((weight * (each.wrong - rate)) ** 2 for weight, each in zip(weights, cases, strict=True)) / whole**2
    n = min(alike, rate * (1 - rate) / spread) if spread > 0 else alike
    return rate, wilson_of(rate, n)


def wilson_of(rate: float, n: float) -> tuple[float, float] | None:
    """Wilson's interval of a rate that is no whole number of cases."""
    scale = 1_000_000
    found = wilson(round(rate * scale), scale, Z * (scale / max(n, 1.0)) ** 0.5)
    return found and (0.0 if rate == 0 else found[0], 1.0 if rate == 1 else found[1])


def _secret(workspace_id: int) -> str:
    return hashlib.sha256(f"sample\0{workspace_id}\0{settings.SECRET_KEY}".encode()).hexdigest()
