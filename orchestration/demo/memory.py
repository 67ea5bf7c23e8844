"""What the demo keeps between two starts: when the company was founded, until when all of it was told, and which parts
of its past still have to be. Two small files, each with one writer at a time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestration.demo.arrivals import Plan
from orchestration.demo.asking import joined
from orchestration.demo.rhythm import DAY, MINUTE, PAST_DAYS, Rhythm, S

FRESH_NS = 52 * MINUTE  # what is newer than this is lived: it wakes agents, and asks what people then have to decide
LONGEST_NS = 13 * DAY  # after which every matter is over
RETOLD_NS = (
    40 * S
)  # how much is told again after a start, should the end have been a hard one; a repeat changes nothing


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of the past: what came between two moments, as far as it happened between two others."""

    since_ns: int
    until_ns: int
    after_ns: int
    before_ns: int
    whole: bool = True  # false: only what was not over at `until_ns`


@dataclass
class Telling:
    """How far the past is told."""

    left: list[Chapter] = field(default_factory=list)
    of: int = 0
    spans: int = 0
    events: int = 0
    seconds: float = 0.0

    def and_first(self, chapters: list[Chapter]) -> Telling:
        """With these before what is left; when all was told, begun anew."""
        known = self if self.left else Telling()
        return replace(known, left=chapters + known.left, of=len(chapters) + known.of)


class Memory:
    """The folder that holds the two files. `key` ties them to the workspace that was told."""

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.lived: list[list[int]] = []  # when the company lived and asked for decisions
        self._owner = hashlib.sha256(key.encode()).hexdigest()[:16]

    def company(self, now_ns: int, seed: int, per_minute: float) -> tuple[Plan, int]:
        """The company, and until when its life was told. A new one wants its past told first."""
        known = _read(self.folder / "company.json")
        if known.get("owner") == self._owner:
            plan = Plan(Rhythm(known["founded_ns"]), known["seed"], known["per_minute"])
            self.lived = known.get("lived", [])
            return plan, known["told_ns"]
        plan = Plan(Rhythm(now_ns), seed, per_minute)
        self.write(past_of(plan))
        told_ns = now_ns - FRESH_NS
        self.told(plan, told_ns)
        return plan, told_ns

    def live(self, since_ns: int) -> list[list[int]]:
        """From now on the company lives; returns when it did before."""
        before = joined(self.lived, since_ns - LONGEST_NS)
        self.lived = [*before, [since_ns, since_ns]]
        return before

    def told(self, plan: Plan, until_ns: int) -> None:
        if self.lived:
            self.lived[-1][1] = max(self.lived[-1][1], until_ns)
        about: dict[str, Any] = {"founded_ns": plan.rhythm.founded_ns, "seed": plan.seed, "per_minute": plan.per_minute}
        about |= {"told_ns": until_ns, "lived": self.lived}
        _write(self.folder / "company.json", {"owner": self._owner, **about})

    def telling(self) -> Telling:
        return telling_in(self.folder)

    def write(self, telling: Telling) -> None:
        _write(self.folder / "history.json", asdict(telling))


def telling_in(folder: Path) -> Telling:
    known = _read(folder / "history.json")
    return Telling(**known | {"left": [Chapter(**each) for each in known["left"]]}) if known else Telling()


def past_of(plan: Plan) -> Telling:
    """A chapter for each day before the founding, newest first."""
    rhythm, days = plan.rhythm, []
    end = until = rhythm.founded_ns - FRESH_NS
    while until > rhythm.opened_ns:
        days.append(Chapter(max(until - DAY, rhythm.opened_ns), until, 0, end))
        until -= DAY
    return Telling(days, len(days))


def missed(plan: Plan, told_ns: int, now_ns: int) -> list[Chapter]:
    """What happened while nobody told: newest day first, and last what was under way when the telling stopped."""
    end = now_ns - FRESH_NS
    begin = max(told_ns, now_ns - PAST_DAYS * DAY)
    chapters, until = [], end
    while until > begin:
        chapters.append(Chapter(max(begin, until - DAY), until, begin, end))
        until -= DAY
    return [*chapters, Chapter(0, begin, begin, end, whole=False)] if chapters else []


def _read(file: Path) -> dict[str, Any]:
    try:
        known = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(file: Path, what: dict[str, Any]) -> None:
    """At once or not at all: whoever reads meanwhile sees the old one."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(what))
    new.replace(file)
