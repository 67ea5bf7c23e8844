"""What really happened in each captured program, and how far a run as the API shows it agrees.

`facts` reads a folder's manifest, corrected where the telemetry cannot know better (`EXCEPTIONS`); `compare` holds it
against runs in the shape of the API's "Run, alone". Agents' names are compared without case, `-` and `_`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from orchestration.lib.names import normal

CAPTURES = Path(__file__).parent / "captures"
FOLDERS = tuple(sorted(path.name for path in CAPTURES.iterdir() if path.is_dir()))

# which system each tool touches: the table that an admin would keep for these programs
SYSTEMS = {
    "lookup_customer": "crm",
    "get_invoice": "billing-db",
    "issue_refund": "payments",
    "escalate_to_human": "escalations",
}

# The run goes on after `escalate_to_human` and its root ends: by the rule that a run waits only while nothing follows
# the question, `escalated` is completed with an escalation. A tripped guardrail stopped the run by an exception.
STATUS = {
    "completed": "completed",
    "completed_after_retry": "completed",
    "escalated": "completed",
    "escalated_then_approved": "completed",
    "escalated_then_rejected": "completed",
    "escalated_waiting": "waiting",
    "failed": "failed",
    "blocked_by_guardrail": "failed",
}

# the manifest's name of a guardrail -> what the tool's answer calls it: "(policy refund-limit-500)"
GUARDRAILS = {"auto_refund_limit": "refund-limit-500"}

# (folder, scenario or *, fact) -> what the telemetry can tell instead, and why
EXCEPTIONS: Mapping[tuple[str, str, str], tuple[Any, str]] = {
    ("langgraph-hitl", "*", "tools"): ([], "tools are called inside nodes: no tool spans exist"),
    ("autogen", "refund_escalate", "guardrails"): ([], "tool spans carry no results, so the refusal is not in them"),
    ("google-adk", "refund_escalate", "guardrails"): ([], "without captured content no answer of a tool is told"),
    ("mcp", "refund_escalate", "guardrails"): ([], "neither end of a call tells the tool's answer"),
    ("openai-agents", "guardrail_trip", "agents"): (
        ["customerservice"],
        "the manifest lists agents that called a model; this one's turn began and was stopped before its call",
    ),
}
# create_agent, once per agent and run: each a trace of its own that belongs to no run
REGISTRATIONS = {"autogen": 3}


class Fact(NamedTuple):
    name: str
    expected: Any
    got: Any
    ok: bool


@dataclass(frozen=True)
class Expected:
    folder: str
    scenario: str
    facts: Mapping[str, Any]


def facts(folder: str) -> list[Expected]:
    """The runs of a folder in order of start."""
    manifest = json.loads((CAPTURES / folder / "manifest.json").read_text())
    return [Expected(folder, run["scenario"], _corrected(folder, run)) for run in manifest["runs"]]


def _corrected(folder: str, run: Mapping[str, Any]) -> dict[str, Any]:
    told = _told(folder, run)
    for scenario in ("*", run["scenario"]):
        for fact in list(told):
            if (folder, scenario, fact) in EXCEPTIONS:
                told[fact] = EXCEPTIONS[folder, scenario, fact][0]
    return told


def _told(folder: str, run: Mapping[str, Any]) -> dict[str, Any]:
    seen = run["in_telemetry"]
    sequence = run.get("implicit_sequence", [])
    handed = [(h["frm"], h["to"]) for h in run["handoffs"]] or list(pairwise(sequence))
    told: dict[str, Any] = {
        "status": STATUS[run["business_outcome"]],
        "agents": sorted(normal(name) for name in run["agents"] if name != "null"),
        "tools": [_tool(call) for call in run["tool_calls"]],
        "failures": sum(not call["ok"] for call in run["tool_calls"]),
        "handoffs": [(normal(source), normal(target)) for source, target in handed],
        "escalations": len(run["escalations"]),
        "guardrails": [GUARDRAILS.get(name, name) for name in run["guardrail_hits"]],
        "spans": seen["spans"] - REGISTRATIONS.get(folder, 0),
        "traces": _traces(folder, seen["trace_ids"]),
    }
    if run["business_outcome"].startswith("completed"):
        told["retries"] = int(run["business_outcome"] == "completed_after_retry")
    if seen["llm_spans"]:
        told["tokens"] = (run["tokens"]["input"], run["tokens"]["output"])
    if run["business_outcome"] == "failed":
        told["root_said_ok"] = 2 not in seen["root_status"]
    return told


def _tool(call: Mapping[str, Any]) -> tuple[str, str, bool, int]:
    return call["name"], call["system"], call["ok"], call.get("attempt", 1)


def _traces(folder: str, traces: Any) -> Any:
    return traces["count"] - REGISTRATIONS.get(folder, 0) if isinstance(traces, dict) else sorted(traces)


def compare(expected: Sequence[Expected], got: Iterable[Mapping[str, Any]]) -> list[Fact]:
    """Every fact of every expected run beside what was got. Runs are paired in order of start."""
    runs = sorted(got, key=lambda run: _moment(run["started_at"]))
    found = [Fact("runs", len(expected), len(runs), len(expected) == len(runs))]
    for wanted, run in zip(expected, runs, strict=False):
        shown = _shown(run, wanted.facts)
        found += [
            Fact(f"{wanted.scenario}.{name}", value, shown[name], value == shown[name])
            for name, value in wanted.facts.items()
        ]
    for wanted in expected[len(runs) :]:
        found += [Fact(f"{wanted.scenario}.{name}", value, None, False) for name, value in wanted.facts.items()]
    return found


def _moment(said: object) -> str:
    """A time as text that sorts: a whole second has no fraction, and `Z` would sort after one."""
    return str(said).removesuffix("Z")


def _shown(run: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    calls = run["tool_call_list"]
    return {
        "status": run["status"],
        "agents": sorted(normal(name) for name in run["agents"]),
        "tools": [
            (c["tool"], c["system"], c["ok"], c["attempt"]) for c in sorted(calls, key=lambda c: _moment(c["at"]))
        ],
        "failures": run["tool_failures"],
        "handoffs": [(normal(h["from"]), normal(h["to"])) for h in run["handoff_list"]],
        "escalations": len(run["escalation_list"]),
        "guardrails": [hit["guardrail"] for hit in run["guardrail_hits"]],
        "spans": run["spans"],
        "traces": sorted(run["trace_ids"]) if isinstance(wanted["traces"], list) else len(run["trace_ids"]),
        "retries": run["retries"],
        "tokens": (run["tokens"]["input"], run["tokens"]["output"]),
        "root_said_ok": run["root_said_ok"],
    }
