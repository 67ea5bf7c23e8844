"""Event logs: do cases come out as runs with the times, steps, people and waits that the log has?"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from random import Random
from statistics import median

from tests.judge.agreement import Agreement, percent
from tests.judge.imported import Imported, Imports, Thing

LOOKED_AT = 300  # cases of which every step is read
EACH_MS = 2
Row = dict[str, str]
Spans = list[tuple[str, float, float, bool]]  # activity, start and end (ms), whether a person did it
MAP12 = "case=case_id,activity=activity,time=timestamp,lifecycle=lifecycle,resource=resource"
MAP13 = "case=case_id,activity=activity+lifecycle,time=timestamp,resource=person"
ROBOT = "112"


def judge(imports: Imports, agreement: Agreement) -> None:
    if imports.has("bpic2012"):
        options = ["--workflow", "loan", "--automatic", f"{ROBOT}=loan-engine", "--map", MAP12]
        told = imports.events("bpic2012", options)
        _judge(imports, agreement, ("bpic2012", "loan"), told, _pairs)
        agreement.silent("bpic2012", "approved or not, after 10 events", "6,544", "AUC 0.68")
    if imports.has("bpic2013_incidents"):
        options = ["--workflow", "incident", "--states", "--waiting", "Queued*", "*Wait*", "--map", MAP13]
        told = imports.events("bpic2013_incidents", options)
        _judge(imports, agreement, ("bpic2013_incidents", "incident"), told, _states)
        _people(imports, agreement, "bpic2013_incidents")


def _judge(
    imports: Imports, agreement: Agreement, of: tuple[str, str], told: Imported, steps: Callable[[list[Row]], Spans]
) -> None:
    name, workflow = of
    events: dict[str, list[Row]] = defaultdict(list)
    for row in imports.rows(name, "events.csv.gz"):
        events[row["case_id"]].append(row)
    cases = imports.rows(name, "cases.csv.gz")
    runs = {run["external_key"].partition(":")[2]: run for run in told.runs()}
    agreement.count(name, "cases", len(cases), len(runs))
    agreement.count(name, "cases that ended", len(cases), sum(run["status"] == "completed" for run in runs.values()))
    _durations(agreement, name, cases, runs)
    chosen = Random(1).sample(sorted(events), min(LOOKED_AT, len(events)))
    whole = {case: told.run(f"{workflow}:{case}") for case in chosen}
    truth = {case: steps(events[case]) for case in chosen}
    counts = sum(_activities(truth[case]) == _told(whole[case]) for case in chosen)
    agreement.share(name, "cases with each step as often as in the log", counts, len(chosen))
    times = sum(_same_times(truth[case], whole[case]) for case in chosen)
    agreement.share(name, "cases whose steps all begin and end as in the log", times, len(chosen))
    people = [sum(each[3] for each in spans) for spans in truth.values()]
    said = [sum(step["kind"] == "human" for step in run.get("steps", [])) for run in whole.values()]
    agreement.count(name, f"steps by people, in {len(chosen)} cases", sum(people), sum(said))
    _shares(agreement, name, truth, {case: runs[case] for case in chosen if case in runs})


def _durations(agreement: Agreement, name: str, cases: list[Row], runs: dict[str, Thing]) -> None:
    truth = {case["case_id"]: _ms(case["last_event"]) - _ms(case["first_event"]) for case in cases}
    right = sum(abs(ms - runs[case]["duration_ms"]) <= EACH_MS for case, ms in truth.items() if case in runs)
    agreement.share(name, "cases with the duration of the file", right, len(truth))
    days = [median(each) / 86_400_000 for each in (truth.values(), [run["duration_ms"] for run in runs.values()])]
    agreement.add(name, "median duration", f"{days[0]:.2f} d", f"{days[1]:.2f} d", percent(days[1], days[0]))


def _shares(agreement: Agreement, name: str, truth: dict[str, Spans], runs: dict[str, Thing]) -> None:
    """Time in which a person worked: what the run took beside its active time."""
    worked = sum(_covered([(start, end) for _, start, end, human in spans if human]) for spans in truth.values())
    said = sum(run["duration_ms"] - run["active_ms"] for run in runs.values())
    words = [f"{ms / 3_600_000:,.1f} h" for ms in (worked, said)]
    agreement.add(name, "time in which a person worked on them", words[0], words[1], percent(said, worked))


def _activities(spans: Spans) -> Counter[str]:
    return Counter(activity for activity, *_ in spans)


def _told(run: Thing) -> Counter[str]:
    return Counter(step["name"] for step in run.get("steps", []) if step["parent"])


def _same_times(spans: Spans, run: Thing) -> bool:
    said = sorted(
        (step["name"], _ms(step["started_at"]), _ms(step["ended_at"] or step["started_at"]))
        for step in run.get("steps", [])
        if step["parent"]
    )
    truth = sorted((activity, start, end) for activity, start, end, _ in spans)
    return len(said) == len(truth) and all(
        mine[0] == theirs[0] and abs(mine[1] - theirs[1]) <= EACH_MS and abs(mine[2] - theirs[2]) <= EACH_MS
        for mine, theirs in zip(truth, said, strict=True)
    )


def _pairs(rows: list[Row]) -> Spans:
    """Start and complete, first in first out; what never completes has no length."""
    spans: Spans = []
    begun: dict[str, deque[int]] = defaultdict(deque)
    for row in rows:
        activity, at, human = row["activity"], _ms(row["timestamp"]), row["resource"] != ROBOT
        if row["lifecycle"] == "START":
            begun[activity].append(len(spans))
            spans.append((activity, at, at, human))
        elif row["lifecycle"] == "COMPLETE" and begun[activity]:
            place = begun[activity].popleft()
            spans[place] = (activity, spans[place][1], at, spans[place][3])
        elif row["lifecycle"] == "COMPLETE":
            spans.append((activity, at, at, human))
    return spans


def _states(rows: list[Row]) -> Spans:
    """Each row until the next; in queues and waits nobody works."""
    spans: Spans = []
    times = [_ms(row["timestamp"]) for row in rows]
    for row, start, end in zip(rows, times, [*times[1:], times[-1]], strict=True):
        name = f"{row['activity']} / {row['lifecycle']}"
        idle = name.startswith("Queued") or "Wait" in name
        spans.append((name, start, start if idle else end, not idle))
    return spans


def _covered(spans: list[tuple[float, float]]) -> float:
    total = until = 0.0
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def _people(imports: Imports, agreement: Agreement, name: str) -> None:
    """How often a ticket goes from one team to another, and back: nothing that Baton tells of people yet."""
    teams: dict[str, list[str]] = defaultdict(list)
    for row in imports.rows(name, "events.csv.gz"):
        if not teams[row["case_id"]] or teams[row["case_id"]][-1] != row["team"]:
            teams[row["case_id"]].append(row["team"])
    moves = sum(len(list(pairwise(each))) for each in teams.values())
    back = sum(any(a == c for a, c in zip(each, each[2:], strict=False)) for each in teams.values())
    agreement.silent(name, "handovers from team to team", f"{moves:,}")
    agreement.silent(name, "cases that went back to a team (ping-pong)", f"{back:,}")


def _ms(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000
