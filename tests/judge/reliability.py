"""Reliability of one agent team under six settings, from outcomes of published runs: do intervals hold the truth, and
does anything ring where nothing has changed? Each task was run with several seeds, which are no fresh evidence."""

from __future__ import annotations

import csv
import gzip
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from orchestration.lib.stats import wilson
from orchestration.routing.breakers import Heard, turned
from orchestration.routing.reliability import Counted, Place, design_effect, grouped, posteriors
from orchestration.routing.slices import Case, worse
from tests.judge.agreement import Agreement, percent
from tests.judge.imported import Imports

NAME = "mathchat_runs"
DRAWS, SAMPLED = 200, 25
_NOW = datetime(2026, 3, 2, tzinfo=UTC)

Tasks = Mapping[str, Sequence[bool]]  # of each task, which of its seeds failed
Interval = tuple[float, float]


def judge(imports: Imports, agreement: Agreement) -> None:
    if imports.has(NAME):
        judge_file(imports.folder / NAME / "runs.csv.gz", agreement)


def judge_file(path: Path, agreement: Agreement) -> None:
    settings = read(path)
    runs = sum(len(seeds) for tasks in settings.values() for seeds in tasks.values())
    agreement.add(
        NAME, "runs, of settings and tasks", f"{runs:,}", f"{len(settings)} by {len(next(iter(settings.values())))}"
    )
    effects = [design_effect(counted(tasks)) for tasks in settings.values()]
    words = f"{min(effects):.1f} to {max(effects):.1f}"
    agreement.add(NAME, "a run of a known task is worth one of so many", "", words, "", "1 (each run counts)")
    covered(settings, agreement)
    unchanged(settings, agreement)
    rung(settings, agreement)
    planted(settings, agreement)


def read(path: Path) -> dict[str, dict[str, list[bool]]]:
    found: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            setting = f"{row['model']} {row['prompt']} {row['topology']}"
            found[setting][row["task_id"]].append(row["correct"] in ("0", "0.0", "False"))
    return found


def counted(tasks: Tasks) -> Counted:
    return grouped((len(seeds), sum(seeds)) for seeds in tasks.values())


def rate(tasks: Tasks) -> float:
    return sum(map(sum, tasks.values())) / sum(map(len, tasks.values()))


def ours(parts: Mapping[str, Tasks]) -> dict[str, Interval]:
    """Intervals of the share that fails, all settings weighed together."""
    places = {Place(place, "maths"): name for place, name in enumerate(parts)}
    found = posteriors({place: counted(parts[name]) for place, name in places.items()})
    return {places[place]: (1 - each.high, 1 - each.low) for place, each in found.items()}


def simple(tasks: Tasks) -> Interval:
    """Wilson's, each run counted."""
    return wilson(sum(map(sum, tasks.values())), sum(map(len, tasks.values()))) or (0.0, 1.0)


def covered(settings: Mapping[str, Tasks], agreement: Agreement) -> None:
    """Of some tasks drawn, whether the interval holds the share over all tasks."""
    draw, mine, theirs, asked = random.Random(1), 0, 0, 0
    for _ in range(DRAWS):
        parts = {name: sampled(tasks, draw) for name, tasks in settings.items()}
        told = ours(parts)
        for name, tasks in settings.items():
            truth, plain = rate(tasks), simple(parts[name])
            mine += told[name][0] <= truth <= told[name][1]
            theirs += plain[0] <= truth <= plain[1]
            asked += 1
    what = f"95 % intervals from {SAMPLED} tasks that hold the share of all"
    agreement.share(NAME, what, mine, asked, f"{percent(theirs, asked)} (Wilson)")


def unchanged(settings: Mapping[str, Tasks], agreement: Agreement) -> None:
    """The tasks of one setting in two halves: nothing changed, so intervals apart are false alarms."""
    draw, mine, theirs, asked = random.Random(2), 0, 0, 0
    for _ in range(DRAWS):
        for tasks in settings.values():
            names = draw.sample(sorted(tasks), len(tasks))
            one, other = (
                {n: tasks[n] for n in names[: len(names) // 2]},
                {n: tasks[n] for n in names[len(names) // 2 :]},
            )
            told = ours({"one": one, "other": other})
            mine += apart(told["one"], told["other"])
            theirs += apart(simple(one), simple(other))
            asked += 1
    agreement.add(
        NAME, "halves of one setting told apart (false)", f"0 of {asked:,}", f"{mine:,}", percent(mine, asked),
        f"{percent(theirs, asked)} (Wilson)",
    )  # fmt: skip


def rung(settings: Mapping[str, Tasks], agreement: Agreement) -> None:
    """Circuits and slices where nothing changed: runs in a random order, and a trait that tasks have at random."""
    draw, opened, slices, plain, looks = random.Random(3), 0, 0, 0, 0
    for _ in range(DRAWS // 10):
        for tasks in settings.values():
            looks += 1
            usual, order = rate(tasks), [failed for seeds in tasks.values() for failed in seeds]
            draw.shuffle(order)
            opened += any(_opens(order[end - 60 : end], usual) for end in range(60, len(order), 10))
            made = cases(tasks, {name: draw.choice(["a", "b", "c"]) for name in tasks})
            draw.shuffle(made)
            slices += bool(worse(made))
            plain += any(_plainly(made, value) for value in "abc")
    agreement.add(NAME, "circuits opened where nothing changed", f"0 of {looks}", f"{opened}", percent(opened, looks))
    words = f"{percent(plain, looks)} (Wilson, apart)"
    agreement.add(
        NAME, "slices found in random traits of tasks", f"0 of {looks}", f"{slices}", percent(slices, looks), words
    )


def planted(settings: Mapping[str, Tasks], agreement: Agreement) -> None:
    """One seed of each task, so that each is fresh; a third of the tasks fail by our hand three times in four."""
    draw, found, asked = random.Random(4), 0, 0
    for _ in range(DRAWS // 10):
        pool = [seeds[0] for tasks in settings.values() for seeds in tasks.values()]
        draw.shuffle(pool)
        made = []
        for failed in pool[:200]:
            bad = draw.random() < 0.3
            made.append(Case(frozenset({("kind", "x" if bad else "y")}), draw.random() < 0.75 if bad else failed))
        found += any(("kind", "x") in each.traits for each in worse(made))
        asked += 1
    agreement.share(NAME, "planted slices found in 200 runs", found, asked)


def sampled(tasks: Tasks, draw: random.Random) -> Tasks:
    return {name: tasks[name] for name in draw.sample(sorted(tasks), min(SAMPLED, len(tasks)))}


def cases(tasks: Tasks, traits: Mapping[str, str]) -> list[Case]:
    return [
        Case(frozenset({("trait", traits[name])}), failed, name) for name, seeds in tasks.items() for failed in seeds
    ]


def apart(one: Interval, other: Interval) -> bool:
    return one[1] < other[0] or other[1] < one[0]


def _opens(window: Sequence[bool], usual: float) -> bool:
    n, failures = len(window), sum(window)
    return turned(None, Heard(((n, failures),) * 3, usual), _NOW) is not None


def _plainly(made: Sequence[Case], value: str) -> bool:
    mine = [case.failed for case in made if ("trait", value) in case.traits]
    rest = [case.failed for case in made if ("trait", value) not in case.traits]
    here, there = wilson(sum(mine), len(mine)), wilson(sum(rest), len(rest))
    return bool(here and there and here[0] > there[1])
