"""A path learnt from runs that were seen: which steps most of them have, in which order, by whom, how long, how often
tried. A draft for a person to judge, with its evidence and with what was left out. Pure but for `learn`.

1. A step is kept when at least `share` of the runs have it.
2. One step comes after another when it began after the other had ended in nearly all runs (`ALWAYS`) that have both;
   orders that follow from others are left out. What is in neither order may happen at once.
   (Of a step that one run did more than twice the first two times count.)
3. Its owner is who did it most often; its time limit the 99th percentile, rounded up; tries those that were seen.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from uuid import UUID

from orchestration.lib.stats import wilson
from orchestration.workflows import kept_trails
from orchestration.workflows.trails import ACTS, Act, Trail

ENOUGH = 30  # runs; below, nothing is said
SURE = 100  # times a step was done, from which a 99th percentile can be told from the greatest
MOST_RUNS, MOST_KEPT = 200, 60
SHARE, ALWAYS = 0.8, 0.95
_Dropped = tuple[str, str, int]
_NICE_S = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1200, 1800, 2700, 3600)


@dataclass(frozen=True, slots=True)
class Seen:
    """A step of the path. `runs` have it; `after` are names of others; `tries` the most that ended well."""

    name: str
    owner: str
    human: bool
    runs: int
    interval: tuple[float, float]
    after: tuple[str, ...]
    owners: tuple[tuple[str, int], ...]  # of all its times, the most frequent first
    times: int
    p99_ms: float
    limit_s: float
    tries: int
    errors: tuple[tuple[str, int], ...]
    repeated: int  # runs that did it more than once


@dataclass(frozen=True, slots=True)
class Left:
    """What was seen and is not in the path, and why."""

    name: str
    runs: int
    why: str  # seldom | many | circle


@dataclass(frozen=True, slots=True)
class Learnt:
    """`fitting`: runs that have exactly these steps, once each, in an order that the path allows."""

    level: str
    share: float
    runs: int
    since: datetime | None
    until: datetime | None
    steps: tuple[Seen, ...] = ()
    left: tuple[Left, ...] = ()
    fitting: int = 0
    passed_over: int = 0  # completed runs that were too long to be looked at, or in which nothing was done
    example: UUID | None = None

    @property
    def enough(self) -> bool:
        return self.runs >= ENOUGH


def learn(workspace_id: int, workflow_id: int, level: str = ACTS, share: float = SHARE) -> Learnt:
    """From the newest completed runs that were looked at."""
    found = list(kept_trails.completed(workspace_id, workflow_id, MOST_RUNS, level))
    seen = [told for each in found if (told := each.trail(level))]
    return path_of(seen, level=level, share=share, looked_at=len(found))


def path_of(seen: Sequence[Trail], *, level: str = ACTS, share: float = SHARE, looked_at: int = 0) -> Learnt:
    """The path that these runs have in common."""
    runs = [trail for trail in seen if trail.acts]
    over = max(0, looked_at - len(runs))
    if not runs:
        return Learnt(level, share, 0, None, None, passed_over=over)
    first = [_firsts(trail.acts) for trail in runs]
    counts = Counter(key for acts in first for key in acts)
    often = [key for key, n in counts.most_common() if n >= share * len(runs)]
    kept = often[:MOST_KEPT]
    after, circles = _order(kept, first)
    times = _times(runs)
    called = {key: times[key][0][1].name for key in counts}  # as the newest run writes it
    steps = [
        _seen(called[key], times[key], len(runs), sorted(called[each] for each in after[key]))
        for key in _sorted(kept, after, first)
    ]
    left = [Left(called[key], n, "seldom") for key, n in counts.most_common() if n < share * len(runs)]
    left += [Left(called[key], counts[key], "many") for key in often[MOST_KEPT:]]
    left += [Left(f"{called[a]} before {called[b]}", n, "circle") for a, b, n in circles]
    return Learnt(
        level,
        share,
        len(runs),
        min(trail.started_at for trail in runs),
        max(trail.started_at for trail in runs),
        tuple(steps),
        tuple(left),
        sum(_fits(trail.acts, after) for trail in runs),
        over,
        next((trail.run_id for trail in runs if _fits(trail.acts, after)), runs[0].run_id),
    )


def _firsts(acts: Iterable[Act]) -> dict[str, Act]:
    found: dict[str, Act] = {}
    for act in acts:
        found.setdefault(act.key, act)
    return found


def _order(kept: Sequence[str], first: Sequence[Mapping[str, Act]]) -> tuple[dict[str, set[str]], list[_Dropped]]:
    """Direct predecessors of each step. Orders that would close a circle are dropped, the weakest first."""
    before: dict[str, set[str]] = {key: set() for key in kept}  # all that come before, transitively
    dropped: list[_Dropped] = []
    for _, n, one, other in sorted(_pairs(kept, first), reverse=True):
        if other in before[one]:
            dropped.append((one, other, n))
            continue
        gained = {one} | before[one]
        for key in kept:
            if key == other or other in before[key]:
                before[key] |= gained
    return {key: _direct(key, before) for key in kept}, dropped


def _pairs(kept: Sequence[str], first: Sequence[Mapping[str, Act]]) -> Iterator[tuple[float, int, str, str]]:
    """Which share of the runs that have both, and how many of them, ended one before the other began."""
    for a, b in combinations(kept, 2):
        both = [(acts[a], acts[b]) for acts in first if a in acts and b in acts]
        forth, back = (sum(x.end_ns <= y.start_ns for x, y in both), sum(y.end_ns <= x.start_ns for x, y in both))
        for one, other, n in ((a, b, forth), (b, a, back)):
            if both and n >= ALWAYS * len(both):
                yield n / len(both), n, one, other


def _direct(key: str, before: Mapping[str, set[str]]) -> set[str]:
    """Without what follows from others."""
    return {each for each in before[key] if not any(each in before[other] for other in before[key])}


def _sorted(kept: Sequence[str], after: Mapping[str, set[str]], first: Sequence[Mapping[str, Act]]) -> list[str]:
    """In an order that `after` allows, else by the median place in runs."""
    places: dict[str, list[int]] = {key: [] for key in kept}
    for acts in first:
        for place, key in enumerate(acts):
            if key in places:
                places[key].append(place)
    rank = {key: (sorted(found)[len(found) // 2], key) for key, found in places.items()}
    made: list[str] = []
    while len(made) < len(kept):
        made.append(min((k for k in kept if k not in made and after[k] <= set(made)), key=lambda k: rank[k]))
    return made


def _times(runs: Sequence[Trail]) -> dict[str, list[tuple[int, Act]]]:
    """By step, each time that it was done, and in which run."""
    found: dict[str, list[tuple[int, Act]]] = {}
    for place, trail in enumerate(runs):
        for act in trail.acts:
            found.setdefault(act.key, []).append((place, act))
    return found


def _seen(name: str, times: Sequence[tuple[int, Act]], runs: int, after: Sequence[str]) -> Seen:
    acts = [act for _, act in times]
    by_run = Counter(place for place, _ in times)
    owners = Counter(act.owner for act in acts)
    ms = sorted((act.end_ns - act.start_ns) / 1e6 for act in acts)
    p99 = ms[min(len(ms) - 1, math.ceil(0.99 * len(ms)) - 1)]
    return Seen(
        name=name,
        owner=owners.most_common(1)[0][0],
        human=sum(act.human for act in acts) * 2 > len(acts),
        runs=len(by_run),
        interval=wilson(len(by_run), runs) or (0.0, 1.0),
        after=tuple(after),
        owners=tuple(owners.most_common(5)),
        times=len(acts),
        p99_ms=p99,
        limit_s=nice_s(p99 / 1000),
        tries=max((act.tries for act in acts if not act.failed), default=1),
        errors=tuple(Counter(each for act in acts for each in act.errors).most_common(5)),
        repeated=sum(n > 1 for n in by_run.values()),
    )


def _fits(acts: Sequence[Act], after: Mapping[str, set[str]]) -> bool:
    done: set[str] = set()
    for act in acts:
        if act.key not in after or act.key in done or not after[act.key] <= done:
            return False
        done.add(act.key)
    return len(done) == len(after)


def nice_s(seconds: float) -> float:
    """The next number of seconds that a person would have written."""
    hours = math.ceil(seconds / 3600) * 3600
    return float(next((nice for nice in _NICE_S if nice >= seconds), hours))
