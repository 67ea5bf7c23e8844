"""Agent traces: do runs, agents, steps, tool calls, handovers and durations come out as the file has them?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable
from itertools import pairwise

from orchestration.lib.names import normal
from tests.judge.agreement import Agreement, bag, percent, same
from tests.judge.imported import Imports, Thing

SETS = ("whowhen", "agentrx_magentic", "tau")
PEOPLE = {"user", "human"}
TURNS = {"invoke_agent", "chat", "execute_tool"}
EACH_MS = 2  # times are kept in microseconds and told in whole milliseconds


def judge(imports: Imports, agreement: Agreement) -> None:
    for name in filter(imports.has, SETS):
        told = imports.spans(name)
        truth: dict[str, list[Thing]] = defaultdict(list)
        for span in imports.lines(name):
            truth[span["trace_id"]].append(span)
        runs = {run["trace_ids"][0]: run for run in told.runs()}
        whole = {trace: told.run(trace) for trace in truth}
        _counts(agreement, name, truth, runs)
        _tools(agreement, name, truth, runs)
        _handovers(agreement, name, truth, whole)
        _outcomes(agreement, name, imports.lines(name, "labels.jsonl.gz"), runs)
    _durations(imports, agreement)


def _counts(agreement: Agreement, name: str, truth: dict[str, list[Thing]], runs: dict[str, Thing]) -> None:
    agreement.count(name, "spans", sum(map(len, truth.values())), sum(run["spans"] for run in runs.values()))
    agreement.count(name, "runs", len(truth), len(runs))
    agents = {trace: _agents(spans) for trace, spans in truth.items()}
    said = {trace: {normal(agent.rpartition("/")[2]) for agent in run["agents"]} for trace, run in runs.items()}
    agreement.share(name, "runs with exactly the agents of the file", same(agents, said), len(truth))
    everybody = set().union(*agents.values())
    agreement.count(name, "different agents", len(everybody), len(set().union(*said.values())))
    steps = {trace: len(spans) for trace, spans in truth.items()}
    agreement.share(name, "runs with as many steps", same(steps, {t: r["spans"] for t, r in runs.items()}), len(truth))


def _agents(spans: list[Thing]) -> set[str]:
    return {agent for span in spans if (agent := _agent(span)) and agent not in PEOPLE}


def _agent(span: Thing) -> str:
    """As Baton tells agents apart: case, `-` and `_` make no other one."""
    attributes = span["attributes"]
    return normal(attributes.get("gen_ai.agent.name", "")) if attributes.get("gen_ai.operation.name") in TURNS else ""


def _tools(agreement: Agreement, name: str, truth: dict[str, list[Thing]], runs: dict[str, Thing]) -> None:
    calls = [s for spans in truth.values() for s in spans if _operation(s) == "execute_tool"]
    if not calls:
        return
    agreement.count(name, "tool calls", len(calls), sum(run["tool_calls"] for run in runs.values()))
    failed = sum(span["status"] == "error" for span in calls)
    agreement.count(name, "tool calls that failed", failed, sum(run["tool_failures"] for run in runs.values()))


def _operation(span: Thing) -> str:
    return str(span["attributes"].get("gen_ai.operation.name", ""))


def _handovers(agreement: Agreement, name: str, truth: dict[str, list[Thing]], whole: dict[str, Thing]) -> None:
    """Whoever speaks next has the work, and whoever was addressed by name. That the work comes back to whom it was
    handed out by is no handover of its own for Baton, so returns are counted apart."""
    said = bag(
        (trace, normal(each["from"] or ""), normal(each["to"] or ""))
        for trace, run in whole.items()
        for each in run.get("handoff_list", [])
    )
    there, back = Counter[Hashable](), Counter[Hashable]()
    for trace, spans in truth.items():
        who = [_agent(span) for span in sorted(spans, key=_order) if span["parent_id"] and _agent(span) not in PEOPLE]
        moves = [pair for pair in pairwise(filter(None, who)) if pair[0] != pair[1]]
        givers: list[str] = []
        for source, target in moves:
            returns = givers[-1:] == [target]
            (back if returns else there)[(trace, source, target)] += 1
            if returns:
                givers.pop()
            else:
                givers.append(source)
    agreement.found(name, "handovers: who speaks next, but for returns", there, said - back)
    agreement.found(name, "handovers: returns to whom the work came from", back, said - there)
    named = bag(
        (trace, _agent(span), normal(span["attributes"]["handoff.target"]))
        for trace, spans in truth.items()
        for span in spans
        if "handoff.target" in span["attributes"]
    )
    if named:
        agreement.share(name, "handovers to whom the speaker names", (named & said).total(), named.total())


def _order(span: Thing) -> tuple[int, int]:
    return span["start_ns"], span["end_ns"]


def _outcomes(agreement: Agreement, name: str, labels: list[Thing], runs: dict[str, Thing]) -> None:
    """A run that failed its task need not have an error in it: that is what this measures."""
    failed = {label["trace_id"] for label in labels if not label["task_succeeded"]}
    said = {trace for trace, run in runs.items() if run["status"] == "failed"}
    both = len(failed & said)
    words = f"recall {percent(both, len(failed))}, precision {percent(both, len(said))}"
    simple = "AUC 0.75 by shape" if name == "tau" else ""
    agreement.add(name, "runs that failed their task", f"{len(failed)}", f"{len(said)}", words, simple)


def _durations(imports: Imports, agreement: Agreement) -> None:
    for name in filter(imports.has, SETS):
        truth: dict[str, list[int]] = defaultdict(list)
        for span in imports.lines(name):
            truth[span["trace_id"]] += [span["start_ns"], span["end_ns"]]
        said = {run["trace_ids"][0]: run["duration_ms"] for run in imports.spans(name).runs()}
        right = sum(
            abs((max(times) - min(times)) / 1e6 - said.get(trace, -1e9)) <= EACH_MS for trace, times in truth.items()
        )
        agreement.share(name, "runs with the duration of the file (made-up clock)", right, len(truth))
