"""Who broke a failed run, and at which step: what the run's page points at, beside simple guesses.

Baton does not rank causes yet. What a reader has today is the first failed step that the page shows: its agent, its
place. A guess of ours from the file alone (the agent with most messages) stands beside the figure that was published.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from orchestration.lib.names import normal
from tests.judge.agreement import Agreement, percent
from tests.judge.imported import Imports, Thing

HELPERS = {"computerterminal", "computer_terminal", "orchestrator", "human", "user", ""}
NEAR = 5
WHOWHEN = {"algorithm-generated": ("62%", "33%"), "hand-crafted": ("64%", "25%")}


def judge(imports: Imports, agreement: Agreement) -> None:
    if imports.has("whowhen"):
        labels = imports.lines("whowhen", "labels.jsonl.gz")
        for part in sorted({label["subset"] for label in labels}):
            agent, step = WHOWHEN.get(part, ("", ""))
            chosen = {
                label["trace_id"]: (label["mistake_agent"], label["mistake_step"])
                for label in labels
                if label["subset"] == part
            }
            _judge(
                imports, agreement, ("whowhen", part), chosen, (f"{agent} most messages", f"{step} before first error")
            )
    if imports.has("agentrx_magentic"):
        labels = imports.lines("agentrx_magentic", "labels.jsonl.gz")
        chosen = {label["trace_id"]: (label["root_cause_agent"], label["root_cause_step"]) for label in labels}
        simple = "43% most messages, 62% always Orchestrator"
        _judge(imports, agreement, ("agentrx_magentic", ""), chosen, (simple, ""))


def _judge(
    imports: Imports,
    agreement: Agreement,
    of: tuple[str, str],
    truth: dict[str, tuple[str, int]],
    simple: tuple[str, str],
) -> None:
    name, part = of
    told = imports.spans(name)
    spans: dict[str, list[Thing]] = defaultdict(list)
    for span in imports.lines(name):
        spans[span["trace_id"]].append(span)
    steps = {span["span_id"]: span["attributes"].get("data.step") for each in spans.values() for span in each}
    named, agents, exact, near, loudest = 0, 0, 0, 0, 0
    for trace, (agent, step) in truth.items():
        loudest += _loudest(spans[trace]) == agent
        failed = _first_failure(told.run(trace))
        if failed is None:
            continue
        named += 1
        agents += normal((failed["agent"] or "").rpartition("/")[2]) == normal(agent)
        at = steps.get(failed["id"].rpartition("-")[2])
        if at is not None and step is not None:
            exact += at == step
            near += abs(at - step) <= NEAR
    rows = len(truth)
    label = f" ({part})" if part else ""
    agreement.share(name, f"failed runs{label} whose page shows a failed step", named, rows)
    agreement.share(name, f"… by the agent that people blame{label}", agents, rows, simple[0])
    agreement.share(name, f"… at the very step{label}", exact, rows, simple[1])
    agreement.share(name, f"… within {NEAR} steps{label}", near, rows)
    agreement.add(name, f"our guess: agent with most messages{label}", f"{rows}", f"{loudest}", percent(loudest, rows))


def _first_failure(run: Thing) -> dict[str, Any] | None:
    failed = [step for step in run.get("steps", []) if step["counted"]]
    return min(failed, key=lambda step: step["started_at"], default=None)


def _loudest(spans: list[Thing]) -> str:
    said = Counter(str(span["attributes"].get("gen_ai.agent.name", "")) for span in spans)
    spoken = [(n, who) for who, n in said.items() if who.lower() not in HELPERS]
    return max(spoken)[1] if spoken else ""
