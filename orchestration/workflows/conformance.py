"""Whether runs went the way that was declared, or that most runs go: each conforming, or skipped, repeated or out of
order, with the step where it left the way. Pure but for `of_workflow`.

A step of the path is met by an act of the same name, without case and signs between words; what else was done is no
fault. A run is told at the level, acts or turns, at which more of the path's names are met. A step that a guard may
leave out, or that comes after such ones alone, is not missed. A run with no name of the path is not compared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from orchestration.workflows import declared, kept_trails, learning
from orchestration.workflows.definition import Definition
from orchestration.workflows.kept_trails import Kept
from orchestration.workflows.models import RunStatus, Workflow
from orchestration.workflows.trails import ACTS, Act

MOST_RUNS = 100
_BETWEEN = re.compile(r"[\s_.:/-]+")


class Verdict(StrEnum):
    CONFORMING = "conforming"
    SKIPPED = "skipped"
    REPEATED = "repeated"
    OUT_OF_ORDER = "out_of_order"
    UNLIKE = "unlike"  # cannot be compared


@dataclass(frozen=True, slots=True)
class Path:
    """Steps by key, in order: name, what they come after, and whether they may be left out."""

    names: Mapping[str, str]
    after: Mapping[str, frozenset[str]]
    optional: frozenset[str]


@dataclass(frozen=True, slots=True)
class Judged:
    """`step` is where it left the path. A run that failed or was cancelled owes no later steps."""

    run: UUID
    verdict: Verdict
    step: str
    at: datetime
    title: str


@dataclass(frozen=True, slots=True)
class Share:
    """Runs in which an agent took part at one version, and those of them that conformed."""

    agent: str
    version: str
    since: datetime
    until: datetime
    runs: int
    conforming: int


@dataclass(frozen=True, slots=True)
class Conformance:
    """`source`: declared | learnt. `number`: of the live version. Without a path all else is empty."""

    source: str
    number: int | None
    runs: tuple[Judged, ...]
    counts: Mapping[Verdict, int]
    deviating: tuple[tuple[str, Verdict, int], ...]  # step, how, runs
    days: tuple[tuple[datetime, int, int], ...]  # day (UTC), conforming, compared
    shares: tuple[Share, ...]

    @property
    def compared(self) -> int:
        return sum(n for verdict, n in self.counts.items() if verdict != Verdict.UNLIKE)


def path_of(made: Definition) -> Path:
    """Of a declared workflow. A guarded step may be left out, and with it what comes after nothing else."""
    optional: set[str] = set()
    for _ in made.steps:  # as often as one may stand on another
        optional |= {step.id for step in made.steps if step.guard or (step.after and optional.issuperset(step.after))}
    keys = {step.id: key_of(step.name) for step in made.steps}
    return Path(
        {keys[step.id]: step.name for step in made.steps},
        {keys[step.id]: frozenset(keys[each] for each in step.after) for step in made.steps},
        frozenset(keys[each] for each in optional),
    )


@lru_cache(maxsize=4096)
def key_of(name: str) -> str:
    return _BETWEEN.sub("", name.casefold())


def judge(path: Path, acts: Sequence[Act], *, whole: bool = True) -> tuple[Verdict, str]:
    """The first way in which a run left the path, and the step. `whole`: it ended well, so that it owes all steps."""
    first: dict[str, Act] = {}
    again = ""
    for act in acts:
        key = key_of(act.name)
        if key in path.names and key in first:
            again = again or key
        elif key in path.names:
            first[key] = act
    if not first:
        return Verdict.UNLIKE, ""
    for key, act in first.items():
        if late := next((b for b in path.after[key] if b in first and first[b].start_ns > act.start_ns), ""):
            return Verdict.OUT_OF_ORDER, path.names[late]
    if missed := _missed(path, first, whole):
        return Verdict.SKIPPED, path.names[missed]
    return (Verdict.REPEATED, path.names[again]) if again else (Verdict.CONFORMING, "")


def _missed(path: Path, first: Mapping[str, Act], whole: bool) -> str:
    """The first step that should have been there: of a run that ended badly only what others stand on."""
    owed = set(path.names)
    if not whole:
        owed, waiting = set(), [each for key in first for each in path.after[key]]
        while waiting:
            if (key := waiting.pop()) not in owed:
                owed.add(key)
                waiting.extend(path.after[key])
    return next((key for key in path.names if key in owed - set(first) - path.optional), "")


def of_workflow(flow: Workflow, since: datetime, until: datetime) -> Conformance:
    """Of the newest runs that began in the window and were looked at (`kept_trails`), against what is live, else
    against what most of them do."""
    live = declared.live(flow.workspace_id, flow.name)
    seen = list(kept_trails.ended(flow, since, until, MOST_RUNS))
    path = path_of(declared.plan_of(flow.workspace_id, live.pk)) if live else _learnt(seen)
    if path is None:
        return Conformance("", None, (), {}, (), (), ())
    judged = [_judged(path, each) for each in seen]
    source = "declared" if live else "learnt"
    return told_of(source, live.number if live else None, judged, {each.run: each.agents for each in seen})


def _learnt(seen: Sequence[Kept]) -> Path | None:
    done = [each.trail(ACTS) for each in seen if each.status == RunStatus.COMPLETED]
    found = learning.path_of([told for told in done if told])
    if not found.enough or not found.steps:
        return None
    after = {key_of(step.name): frozenset(map(key_of, step.after)) for step in found.steps}
    return Path({key_of(step.name): step.name for step in found.steps}, after, frozenset())


def _judged(path: Path, each: Kept) -> Judged:
    """At the level at which more of the path's names are met; a run that was too long to be looked at is unlike."""
    found = (each.acts or (), each.turns or ())
    acts = max(found, key=lambda acts: len({key_of(act.name) for act in acts} & set(path.names)))
    verdict, step = judge(path, acts, whole=each.status == RunStatus.COMPLETED)
    return Judged(each.run, verdict, step, each.at, each.title)


def told_of(
    source: str, number: int | None, judged: Sequence[Judged], by: Mapping[UUID, Iterable[tuple[str, str]]]
) -> Conformance:
    """`by`: the agents of each run with their versions."""
    compared = [each for each in judged if each.verdict != Verdict.UNLIKE]
    left = Counter((each.step, each.verdict) for each in compared if each.verdict != Verdict.CONFORMING)
    days: dict[datetime, list[Judged]] = {}
    agents: dict[tuple[str, str], list[Judged]] = {}
    for each in compared:
        days.setdefault(each.at.replace(hour=0, minute=0, second=0, microsecond=0), []).append(each)
        for agent in by.get(each.run, ()):
            agents.setdefault(agent, []).append(each)
    return Conformance(
        source,
        number,
        tuple(judged),
        Counter(each.verdict for each in judged),
        tuple((step, verdict, n) for (step, verdict), n in left.most_common()),
        tuple((day, _fitting(found), len(found)) for day, found in sorted(days.items())),
        tuple(_share(*agent, found) for agent, found in sorted(agents.items())),
    )


def _fitting(judged: Iterable[Judged]) -> int:
    return sum(each.verdict == Verdict.CONFORMING for each in judged)


def _share(agent: str, version: str, found: Sequence[Judged]) -> Share:
    at = [each.at for each in found]
    return Share(agent, version, min(at), max(at), len(found), _fitting(found))
