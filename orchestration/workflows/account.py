"""One run, told from its stored spans by the same fold that settles it, so that page, API and figures agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

from orchestration.lib.collector import paused
from orchestration.lib.money import money
from orchestration.registry import prices
from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows import span_attributes
from orchestration.workflows.account_lines import (
    EscalationLine,
    GuardrailLine,
    HandoffLine,
    SpanDetail,
    StepLine,
    ToolCallLine,
)
from orchestration.workflows.duplicates import Duplicate, duplicates
from orchestration.workflows.fold import fold
from orchestration.workflows.groups import traces_of_run
from orchestration.workflows.joins import Join, joins_of
from orchestration.workflows.models import Run, RunStatus
from orchestration.workflows.outline import shown
from orchestration.workflows.reading import steps_of
from orchestration.workflows.run_search import find_run
from orchestration.workflows.runs import UNENDED, RunLine, Tokens, lines
from orchestration.workflows.story import Placed, Rules, Story
from orchestration.workspaces.models import Workspace


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run alone. `steps` holds those asked for, each below its parent and brothers by start; `step_count` is how many
    there are, `shown_count` how many of these the view has. `failures` are those that count, wherever they stand.
    `opened` is the step that was asked for by its id."""

    run: RunLine
    steps: list[StepLine]
    step_count: int
    shown_count: int
    steps_from: int
    failures: list[StepLine]
    tool_call_list: list[ToolCallLine]
    handoff_list: list[HandoffLine]
    escalation_list: list[EscalationLine]
    guardrail_hits: list[GuardrailLine]
    joins: list[Join]
    findings: list[str]
    duplicates: list[Duplicate]
    story: Story
    opened: SpanDetail | None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = 1_000_000  # nanoseconds
_STATUS: Mapping[Outcome, str] = {Outcome.OK: "ok", Outcome.ERROR: "failed", Outcome.CONTROL: "interrupted"}


def run(
    workspace_id: int,
    id_or_trace_or_text: str,
    *,
    steps_from: int = 0,
    steps: int | None = 200,
    listed: int | None = None,
    view: str = "all",
    opened: str = "",
    content: bool = False,
) -> RunDetail | None:
    """The run called so (see `run_search.find_run`), None when there is none. A merged one answers as the run that
    took it.

    Rows `steps_from` and following of `view` (see `outline.shown`), at most `steps` of them (None: all); the first
    `listed` of each list (None: all). `opened` is the id of a step to be told with its attributes.
    """
    with paused():
        told = _tell(workspace_id, id_or_trace_or_text)
        return _detail(workspace_id, told, _Wanted(steps_from, steps, listed, view, opened, content)) if told else None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What of a run is asked for, as `run` takes it."""

    steps_from: int
    steps: int | None
    listed: int | None
    view: str
    opened: str
    content: bool


def _detail(workspace_id: int, told: tuple[RunLine, Story, str], wanted: _Wanted) -> RunDetail:
    line, story, currency = told
    listed = wanted.listed
    slugs = _slugs(line)
    twice = duplicates(story)
    marked = {span_id for each in twice for span_id in (each.first, each.again)}
    rows = shown(story.placed, wanted.view, {*marked, _span_id(wanted.opened)})
    end = None if wanted.steps is None else wanted.steps_from + wanted.steps
    return RunDetail(
        run=line,
        steps=[
            replace(
                _step(row.placed, story.started_ns, slugs, currency),
                folded=row.folded,
                repeats=row.placed.step.span_id in marked,
            )
            for row in rows[wanted.steps_from : end]
        ],
        step_count=len(story.placed),
        shown_count=len(rows),
        steps_from=wanted.steps_from,
        failures=[
            _step(placed, story.started_ns, slugs, currency)
            for placed in islice((each for each in story.placed if each.failed), listed)
        ],
        tool_call_list=[
            ToolCallLine(
                call.agent or None,
                call.tool,
                call.system or None,
                call.ok,
                call.attempt,
                _at(call.at_ns),
                call.duration_ns / _MS,
                call.error or None,
                call.span_id.hex(),
            )
            for call in story.tool_calls[:listed]
        ],
        handoff_list=[
            HandoffLine(each.from_agent, each.to_agent, _at(each.at_ns), each.rule, each.span_id.hex())
            for each in story.handoffs[:listed]
        ],
        escalation_list=[
            EscalationLine(
                each.agent or None, each.question, _at(each.at_ns), each.state, each.rule, each.span_id.hex()
            )
            for each in story.escalations[:listed]
        ],
        guardrail_hits=[
            GuardrailLine(each.agent or None, each.guardrail, _at(each.at_ns), each.span_id.hex())
            for each in story.guardrail_hits[:listed]
        ],
        joins=joins_of(workspace_id, line.trace_ids),
        findings=[],
        duplicates=twice,
        story=story,
        opened=_opened(workspace_id, told, wanted.opened, content=wanted.content) if wanted.opened else None,
    )


def span(workspace_id: int, run_id: UUID, span_id: str, *, content: bool = False) -> SpanDetail | None:
    """A row of the run opened, by span id in hex."""
    told = _tell(workspace_id, str(run_id))
    return _opened(workspace_id, told, span_id, content=content) if told else None


def _opened(workspace_id: int, told: tuple[RunLine, Story, str], span_id: str, *, content: bool) -> SpanDetail | None:
    line, story, currency = told
    placed = next((each for each in story.placed if each.step.span_id.hex() == span_id), None)
    if placed is None:
        return None
    attributes, hidden = span_attributes.of(workspace_id, placed.step, content=content)
    return SpanDetail(_step(placed, story.started_ns, _slugs(line), currency), attributes, hidden)


def _tell(workspace_id: int, text: str) -> tuple[RunLine, Story, str] | None:
    """The run's line as its spans tell it now, its story and the workspace's currency. Once retention has taken the
    spans, the line stays as it was settled and the story is empty."""
    run_id = find_run(workspace_id, text)
    row = Run.objects.filter(workspace_id=workspace_id, id=run_id).first() if run_id else None
    if row is None:
        return None
    (line,) = lines(workspace_id, [row])
    currency = Workspace.objects.values_list("currency", flat=True).get(pk=workspace_id)
    rules = Rules(systems=prices.tool_systems(workspace_id))
    story = fold(steps_of(workspace_id, [trace.bounds for trace in traces_of_run(workspace_id, row.id)]), rules)
    return (_refreshed(line, story, currency) if story.placed else line), story, currency


def _refreshed(line: RunLine, story: Story, currency: str) -> RunLine:
    """The line with what the story says, which may be some spans ahead of what was settled last."""
    stalled = line.status == RunStatus.STALLED and story.status == RunStatus.RUNNING
    settled = stalled or line.status == RunStatus.CANCELLED
    status = line.status if settled else story.status
    last_at = _at(story.ended_ns)
    return replace(
        line,
        status=status,
        root_said_ok=story.root_said_ok,
        started_at=_at(story.started_ns),
        ended_at=None if status in UNENDED else last_at,
        last_at=last_at,
        duration_ms=max(0, story.ended_ns - story.started_ns) // _MS,
        active_ms=story.active_ns // _MS,
        agents=[name for _, name in story.agents],
        spans=len(story.placed),
        errors=story.errors,
        retries=story.retries,
        tokens=Tokens(story.tokens_in, story.tokens_out),
        cost=money(story.cost, currency),
        tool_calls=len(story.tool_calls),
        tool_failures=sum(not call.ok for call in story.tool_calls),
        handoffs=len(story.handoffs),
        escalations=len(story.escalations),
        guardrails=len(story.guardrail_hits),
        orphans=story.orphans,
    )


def _step(placed: Placed, started_ns: int, slugs: Mapping[tuple[str, str], str], currency: str) -> StepLine:
    step = placed.step
    spent = step.tokens_in or step.tokens_out or placed.kind in (Kind.LLM, Kind.EMBEDDING)
    return StepLine(
        id=step.span_id.hex(),
        trace_id=step.trace_id.hex(),
        parent=placed.parent.hex() or None,
        depth=placed.depth,
        orphan=placed.orphan,
        kind=placed.kind.word,
        detail=placed.kind.name.lower(),
        name=step.name,
        subject=step.subject,
        agent=placed.agent or None,
        agent_slug=slugs.get((placed.application, placed.agent)),
        system=step.system or None,
        status=_STATUS[step.outcome] if step.end_ns else "running",
        counted=placed.failed,
        attempt=placed.attempt,
        started_at=_at(step.start_ns),
        ended_at=_at(step.end_ns) if step.end_ns else None,
        offset_ms=(step.start_ns - started_ns) / _MS,
        duration_ms=max(0, step.end_ns - step.start_ns) / _MS if step.end_ns else None,
        tokens=Tokens(step.tokens_in, step.tokens_out) if spent else None,
        cost=money(step.cost, currency),
        error=step.error or None,
    )


def _slugs(line: RunLine) -> dict[tuple[str, str], str]:
    return {(agent.application, agent.name): agent.slug for agent in line.agent_list}


def _span_id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _at(ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=ns // 1000)
