"""What a settled run adds to the figures: pure values, from its story and the rows it was told from.

The digest has counted each span by its own attributes. Here stand only the differences that the neighbours make (a
nameless span belongs to the agent above it, a tool call was a transfer) and what only a whole run can tell. A run that
is settled again books the new contributions minus the old ones, so any order and repetition ends at the same figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from orchestration.telemetry.rollups import MINUTE_US, SPANS, Table, Tally
from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows.models import Measure
from orchestration.workflows.story import Placed, Story

WORKFLOWS = Table(
    "workflow",
    "workflows_workflowminute",
    "workflows_workflowhour",
    (("workflow_id", "int"), ("step_id", "int"), ("measure", "smallint")),
    (("n", "int"), ("failed", "int"), ("ms", "bigint")),
)
TABLES: Mapping[str, Table] = {table.name: table for table in (SPANS, WORKFLOWS)}
NO_SYSTEM = frozenset((Kind.HANDOFF,))
ENDED = frozenset(("completed", "failed"))
MS = 1_000_000  # nanoseconds

Row = tuple[Any, ...]  # telemetry.reading.COLUMNS
Who = tuple[str, str]  # application, agent


@dataclass(slots=True)
class Booking:
    """Contributions of one run to both tables."""

    spans: Tally = field(default_factory=lambda: Tally(SPANS))
    workflows: Tally = field(default_factory=lambda: Tally(WORKFLOWS))

    def packed(self) -> bytes:
        return orjson.dumps([self.spans.packed(), self.workflows.packed()])

    @classmethod
    def unpacked(cls, body: bytes) -> Booking:
        spans, workflows = orjson.loads(body)
        return cls(Tally.unpacked(SPANS, spans), Tally.unpacked(WORKFLOWS, workflows))

    def plus(self, other: Booking) -> None:
        self.spans.plus(other.spans)
        self.workflows.plus(other.workflows)

    def minus(self, other: Booking) -> Booking:
        return Booking(self.spans.minus(other.spans), self.workflows.minus(other.workflows))


@dataclass(frozen=True, slots=True)
class Names:
    """Ids that the names in a story have: agents as (application id, agent id), steps by (name, owner)."""

    workflow: int
    agents: Mapping[Who, tuple[int, int]]
    steps: Mapping[tuple[str, str], int]
    systems: Mapping[str, int]  # of tool calls whose system only the fold knows


def contributions(
    story: Story, rows: Mapping[tuple[bytes, bytes], Row], sent: frozenset[bytes], names: Names
) -> Booking:
    """`rows` by (trace id, span id); `sent` are the span ids of steps that the events API sent, which nobody has
    counted before."""
    booking = Booking()
    liars = {(p.application, p.agent) for p in story.placed if _row(rows, p)[19] and p.agent}
    tools = {call.span_id: call.system for call in story.tool_calls}
    models = False
    for placed in story.placed:
        row = _row(rows, placed)
        models = models or placed.kind in (Kind.LLM, Kind.EMBEDDING)
        _span(booking.spans, placed, row, (liars, tools, sent), names)
    if not models:
        _sums_of_agents(booking.spans, story, names)
    if story.status in ENDED:
        _ended(booking, story, liars, names)
    return booking


def _row(rows: Mapping[tuple[bytes, bytes], Row], placed: Placed) -> Row:
    return rows[placed.step.trace_id, placed.step.span_id]


def _span(
    tally: Tally,
    placed: Placed,
    row: Row,
    context: tuple[set[Who], Mapping[bytes, str], frozenset[bytes]],
    names: Names,
) -> None:
    liars, tools, sent = context
    claimed = row[19] or (placed.agent and (placed.application, placed.agent) in liars)
    own = 0 if row[19] else row[9]
    agent = 0 if claimed else row[9] or names.agents.get((placed.application, placed.agent), (0, 0))[1]
    system = 0 if placed.kind in NO_SYSTEM else row[10]
    if tools and (name := tools.get(placed.step.span_id)) and placed.step.system != name:
        system = names.systems.get(name, system)
    before = (row[3] // MINUTE_US * MINUTE_US, row[8], own, row[10], row[6])
    after = (before[0], row[8], agent, system, int(placed.kind))
    unseen = row[1] in sent
    if before == after and not unseen:
        return
    duration = max(0, row[4] - row[3]) if row[4] is not None else None
    sums = (1, row[7] == Outcome.ERROR, row[13], row[14], row[15] or 0, (duration or 0) // 1000)
    if not unseen:
        tally.add(before, sums, duration, -1)
    tally.add(after, sums, duration)


def _sums_of_agents(tally: Tally, story: Story, names: Names) -> None:
    """A run without a single LLM span: the totals its agents state are all there is."""
    minute = story.started_ns // 1000 // MINUTE_US * MINUTE_US
    for who, (tokens_in, tokens_out) in story.agent_tokens.items():
        application, agent = names.agents.get(who, (0, 0))
        if tokens_in or tokens_out:
            tally.add((minute, application, agent, 0, int(Kind.AGENT)), (0, 0, tokens_in, tokens_out, 0, 0), None)


def _ended(booking: Booking, story: Story, liars: set[Who], names: Names) -> None:
    minute = story.ended_ns // 1000 // MINUTE_US * MINUTE_US
    failed = int(story.status == "failed")
    elapsed = max(0, story.ended_ns - story.started_ns)
    for who in story.agents:
        application, agent = names.agents.get(who, (0, 0))
        if agent and who not in liars:
            key = (minute, application, agent, 0, int(Kind.RUN))
            booking.spans.add(key, (1, failed, 0, 0, 0, elapsed // MS), elapsed // 1000)
    tally, workflow = booking.workflows, names.workflow

    def observe(step: int, measure: Measure, n: int, failures: int, ns: int) -> None:
        tally.add((minute, workflow, step, int(measure)), (n, failures, ns // MS), ns // 1000)

    observe(0, Measure.DURATION, 1, failed, elapsed)
    observe(0, Measure.AGENTS, 1, 0, story.agents_ns)
    observe(0, Measure.PEOPLE, 1, 0, story.people_ns)
    observe(0, Measure.WAITING, 1, 0, story.waiting_ns)
    if story.escalations:
        tally.add((minute, workflow, 0, int(Measure.ESCALATED)), (1, 0, len(story.escalations)), None)
    for step in story.steps:
        step_id = names.steps.get((step.name[:256], step.owner[:256]), 0)
        if step_id:
            observe(step_id, Measure.WORK, step.count, step.failed, step.work_ns)
            observe(step_id, Measure.WAIT, step.count, step.failed, step.wait_ns)
