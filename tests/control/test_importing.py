from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from orchestration.control import importing, keeping, overview
from orchestration.control.digest import take_in
from orchestration.registry.models import Agent
from orchestration.telemetry import retention
from orchestration.telemetry.models import Delivery, Pulse, Span, SpanDay, SpanHour
from orchestration.workflows.models import Run, Step, StepName, Workflow, WorkflowDay
from orchestration.workspaces.models import Workspace
from tests import make

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("days")]
OLD_NS = 1_660_000_000_000_000_000  # in August 2022
SECOND = 1_000_000_000
COLUMNS = "case=id,activity=what,time=at,lifecycle=phase,resource=who"
Say = Callable[..., str]


@pytest.fixture
def say(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command and returns what it printed."""

    def run(*arguments: Any, **options: Any) -> str:
        call_command(*map(str, arguments), **options)
        return capsys.readouterr().out

    return run


def spans_of(trace: int, *, start: int = OLD_NS, secret: str = "") -> list[dict[str, Any]]:
    """An agent that calls a tool, which fails, and a model."""
    base = {"trace_id": f"{trace:032x}", "status": "ok", "kind": "internal"}
    who = {"service.name": "desk", "gen_ai.agent.name": "refund"}
    root, tool, chat = (f"{trace * 16 + i:016x}" for i in (1, 2, 3))

    def span(span_id: str, operation: str, at: int, **more: Any) -> dict[str, Any]:
        times = {"start_ns": start + at * SECOND, "end_ns": start + (at + 2) * SECOND}
        attributes = {**who, "gen_ai.operation.name": operation, **more.pop("attributes", {})}
        return {
            **base,
            "span_id": span_id,
            "parent_id": root,
            "name": operation,
            **times,
            "attributes": attributes,
            **more,
        }

    return [
        span(tool, "execute_tool", 1, status="error", status_message="no", attributes={"gen_ai.tool.name": "refund"}),
        span(
            chat, "chat", 4, attributes={"gen_ai.request.model": "gpt-4o", "gen_ai.output.messages": f"hello {secret}"}
        ),
        span(root, "invoke_agent", 0, parent_id=None, end_ns=start + 9 * SECOND),
    ]


def written(path: Path, *lines: Any) -> Path:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def figures() -> list[Any]:
    agents = dict(Agent.objects.values_list("pk", "key"))
    spans = [(day.at, agents.get(day.agent_id), day.kind, day.n, day.errors, day.ms) for day in SpanDay.objects.all()]
    flows = sorted(WorkflowDay.objects.values_list("at", "measure", "n", "failed", "ms"))
    runs = sorted(Run.objects.values_list("started_at", "ended_at", "status", "spans", "errors"))
    return [sorted(spans, key=str), flows, runs]


def test_spans_of_any_age_become_runs_and_figures(say: Say, workspace: Workspace, tmp_path: Path) -> None:
    path = written(tmp_path / "spans.jsonl.gz", *[span for trace in (1, 2, 3) for span in spans_of(trace)])

    said = say("import_spans", path)

    assert "9 new spans in default, 0 were there." in said
    assert Run.objects.count() == 3
    assert {run.status for run in Run.objects.all()} == {"failed"}
    assert sum(SpanHour.objects.values_list("n", flat=True)) >= 9
    assert not Delivery.objects.exists()


def test_a_second_import_changes_nothing(say: Say, tmp_path: Path) -> None:
    path = written(tmp_path / "spans.jsonl", *spans_of(1), *spans_of(2))
    say("import_spans", path)
    before = figures()

    said = say("import_spans", path)

    assert "0 new spans in default, 6 were there." in said
    assert figures() == before


def test_an_import_that_was_cut_short_goes_on_exactly(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> None:
    path = written(tmp_path / "spans.jsonl", *[span for trace in range(1, 8) for span in spans_of(trace)])
    monkeypatch.setattr(importing, "BATCH_ITEMS", 4)
    taken = 0

    def third_kills(workspace_id: int, delivery: Any) -> tuple[int, int]:
        nonlocal taken
        taken += 1
        if taken == 3:
            raise KeyboardInterrupt
        return take_in(workspace_id, delivery)

    monkeypatch.setattr(importing, "take_in", third_kills)
    with pytest.raises(KeyboardInterrupt):
        say("import_spans", path)
    assert Span.objects.count() == 8

    said = say("import_spans", path)
    after = figures()

    assert "13 new spans in default, 8 were there." in said
    assert after == figures_of_one_go(say, path)


def figures_of_one_go(say: Say, path: Path) -> list[Any]:
    """The same file in another workspace: whatever is not of it is left out."""
    make.workspace("other")
    mine = {model: list(model.objects.values_list("pk", flat=True)) for model in (SpanDay, WorkflowDay, Run)}
    say("import_spans", path, "--workspace", "other")
    for model, keys in mine.items():
        for key in keys:
            model.objects.filter(pk=key).delete()
    return figures()


def test_old_data_wakes_no_agent(say: Say, workspace: Workspace, tmp_path: Path) -> None:
    say("import_spans", written(tmp_path / "spans.jsonl", *spans_of(1)))

    now = overview.overview(workspace.pk, timedelta(hours=1), datetime.now(UTC))

    assert not Pulse.objects.exists()
    assert now.active_agents == 0
    assert now.runs_in_progress == 0


def test_what_was_imported_lives_by_receipt(say: Say, workspace: Workspace, tmp_path: Path) -> None:
    say("import_spans", written(tmp_path / "spans.jsonl", *spans_of(1)))
    log = written(
        tmp_path / "log.csv",
        "id,what,phase,at,who",
        "7,check,START,2011-10-01 12:00,ann",
        "7,check,COMPLETE,2011-10-01 12:20,ann",
    )
    say("import_events", log, "--workflow", "loan", "--map", COLUMNS)
    before = figures()

    retention.forget()
    keeping.keep()

    assert figures() == before
    assert Span.objects.count() == 3
    assert Step.objects.count() == 2


def test_secrets_are_taken_out_as_everywhere(say: Say, tmp_path: Path) -> None:
    say("import_spans", written(tmp_path / "spans.jsonl", *spans_of(1, secret="sk-abcdefghijklmnopqrstuvwx")))

    kept = json.dumps(list(Span.objects.values_list("attrs", flat=True)))

    assert "sk-abcdef" not in kept
    assert "[redacted:key]" in kept


def test_bad_lines_are_named_and_their_neighbours_taken(say: Say, tmp_path: Path) -> None:
    good = spans_of(1)
    bad = {**good[0], "span_id": "12"}
    path = written(tmp_path / "spans.jsonl", good[0], "{nonsense", bad, "", *good[1:])

    said = say("import_spans", path)

    assert "3 new spans" in said
    assert "2 bad lines were left out" in said
    assert "spans.jsonl line 2: is not a JSON object" in said
    assert "spans.jsonl line 3: span_id must be 16 hex digits" in said


def test_a_file_that_is_cut_off_gives_what_it_has(say: Say, tmp_path: Path) -> None:
    whole = gzip.compress("".join(json.dumps(span) + "\n" for n in range(1, 400) for span in spans_of(n)).encode())
    path = tmp_path / "spans.jsonl.gz"
    path.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(CommandError, match="cut off"):
        say("import_spans", path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["import_spans", "/nowhere/spans.jsonl"], "cannot be read"),
        (["import_spans", __file__, "--workspace", "nobody"], "no workspace 'nobody'"),
        (["import_spans", __file__], "Not one line is a span"),
        (["import_events", __file__, "--workflow", "x", "--map", "case=id"], "activity"),
        (["import_events", __file__, "--workflow", "x", "--map", "when=id"], "is none of"),
        (["import_events", __file__, "--workflow", "x", "--map", COLUMNS], "has no column"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(say: Say, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        say(*arguments)


def log_of(path: Path, cases: int = 3) -> Path:
    """Each case: scored by an engine at noon, checked by Ann from 12:10 to 12:30 and paid at 12:40."""
    rows = []
    for case in range(1, cases + 1):
        rows += [
            f"{case},score,COMPLETE,2026-01-{case:02}T12:00:00Z,112,1000",
            f"{case},check,START,2026-01-{case:02}T12:10:00Z,ann,1000",
            f"{case},check,COMPLETE,2026-01-{case:02}T12:30:00Z,ann,1000",
            f"{case},pay,COMPLETE,2026-01-{case:02}T12:40:00Z,112,1000",
        ]
    return written(path, "id,what,phase,at,who,amount", *rows)


def test_cases_become_runs_with_human_and_automatic_steps(say: Say, workspace: Workspace, tmp_path: Path) -> None:
    said = say(
        "import_events",
        log_of(tmp_path / "log.csv"),
        "--workflow",
        "loan",
        "--map",
        COLUMNS,
        "--automatic",
        "112=engine",
    )

    run = Run.objects.order_by("started_at").first()
    assert "12 rows of 3 cases: 12 new runs and steps" in said
    assert run
    assert (run.external_key, run.status, run.duration_ms, run.escalations) == ("loan:1", "completed", 40 * 60_000, 0)
    assert run.duration_ms - run.active_ms == 20 * 60_000
    assert (run.title, Workflow.objects.get().name) == ("1", "loan")
    assert set(StepName.objects.values_list("name", flat=True)) == {"loan", "score", "check", "pay"}
    assert list(Agent.objects.values_list("name", flat=True)) == ["engine"]
    assert not Pulse.objects.exists()


def test_a_log_that_comes_twice_is_told_once(say: Say, tmp_path: Path) -> None:
    path = log_of(tmp_path / "log.csv")
    command = ["import_events", path, "--workflow", "loan", "--map", COLUMNS]
    say(*command)
    before, revisions = figures(), set(Run.objects.values_list("revision", flat=True))

    said = say(*command)

    assert "0 new runs and steps" in said
    assert figures() == before
    assert set(Run.objects.values_list("revision", flat=True)) == revisions
