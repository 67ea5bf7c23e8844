"""What was measured, kept by the minute where it differs from before: the past on which a rule on signals is tried.

How much a figure has to change is coarse on purpose: of a silence minute for minute would be kept otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import log
from typing import Any

import orjson
from django.db import connection
from django.db.models import QuerySet

from orchestration.policies.models import Reading

LASTS = timedelta(minutes=45)  # a reading says nothing any more after so long, longer than any step of `_ladder`
Mark = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Read:
    signal: str
    target: str
    name: str
    facts: dict[str, Any]
    tied: dict[str, Any] = field(default_factory=dict)


_STORE = """
insert into policies_reading (workspace_id, signal, target, at, name, tied, facts)
select %s, s, t, %s, n, i::jsonb, f::jsonb
from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) as x(s, t, n, i, f)
on conflict (workspace_id, signal, target, at) do update
set facts = excluded.facts, name = excluded.name, tied = excluded.tied
"""


def keep(workspace_id: int, signals: Collection[str], found: Iterable[Read], now: datetime) -> int:
    """What of these signals is new since the last time, or was last kept long ago; what was there and is no more is
    kept as clear."""
    before = _stored(workspace_id, sorted(signals), now)
    here = {(read.signal, read.target): read for read in found}
    marks = {place: mark(read.facts) for place, read in here.items()}
    new = [here[place] for place, each in marks.items() if each != before.get(place, ())]
    new += [Read(*place, "", {}) for place in before if before[place] and place not in here]
    if new:
        _store(workspace_id, new, now.replace(second=0, microsecond=0))
    return len(new)


def mark(facts: Mapping[str, Any]) -> Mark:
    """What has to differ for it to be kept anew; empty: nothing worth keeping."""
    said = {name.removeprefix("signal."): value for name, value in facts.items() if name.startswith("signal.")}
    if "one_in" in said:
        return (_log(said["one_in"], 10), said["by"])
    if "rate" in said:
        return (round(said["surely"], 2), round(said["rate"], 2), _log(said["calls"])) if said["failures"] else ()
    if "cost" in said:
        return (_log(said["cost"], 1.15),)
    if "minutes" in said and "state" not in said and said["minutes"] < 1 and "open" not in said:
        return ()
    return tuple((name, _STEPS[name](value) if name in _STEPS else value) for name, value in sorted(said.items()))


def rows(workspace_id: int, signal: str, since: datetime, until: datetime) -> QuerySet[Reading]:
    return Reading.objects.filter(workspace_id=workspace_id, signal=signal, at__gte=since, at__lt=until)


def between(workspace_id: int, signal: str, since: datetime, until: datetime) -> Iterator[Reading]:
    """In the order of time."""
    return rows(workspace_id, signal, since, until).order_by("at", "target").iterator(chunk_size=2_000)


def since_newest(workspace_id: int, signal: str, since: datetime, most: int) -> tuple[datetime, bool]:
    """From when on there are at most so many, not before `since`; and whether that leaves any out."""
    newest = Reading.objects.filter(workspace_id=workspace_id, signal=signal, at__gte=since)
    left_out = newest.order_by("-at").values_list("at", flat=True)[most : most + 1]
    for at in left_out:
        return at + timedelta(microseconds=1), True
    return since, False


def forget(workspace_id: int, before: datetime) -> int:
    """What is older than rules are tried on."""
    return int(Reading.objects.filter(workspace_id=workspace_id, at__lt=before).delete()[0])


def _stored(workspace_id: int, signals: list[str], now: datetime) -> dict[tuple[str, str], Mark]:
    lately = Reading.objects.filter(workspace_id=workspace_id, signal__in=signals, at__gt=now - LASTS)
    newest = lately.order_by("signal", "target", "-at").distinct("signal", "target")
    return {(signal, target): mark(facts) for signal, target, facts in newest.values_list("signal", "target", "facts")}


def _store(workspace_id: int, new: Collection[Read], at: datetime) -> None:
    columns = [
        [read.signal for read in new],
        [read.target for read in new],
        [read.name.replace("\0", "") for read in new],
        [orjson.dumps(read.tied).decode() for read in new],
        [orjson.dumps(read.facts).decode() for read in new],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_STORE, [workspace_id, at, *columns])


def _ladder(minutes: float) -> int:
    if minutes < 10:
        return int(minutes)
    return 10 + int(minutes // 5) if minutes < 60 else 30 + int(minutes // 30)


def _log(value: float, base: float = 1.5) -> int:
    return int(log(value, base)) if value > 0 else 0


_STEPS: Mapping[str, Callable[[float], int]] = {
    "minutes": _ladder,
    "tokens": _log,
    "open": _log,
    "usual_minutes": lambda _: 0,
}
