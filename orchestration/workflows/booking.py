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

from orchestration.telemetry.packing import pack, unpack
from orchestration.telemetry.rollups import MINUTE_US, SPANS, Observation, Table, Tally, observation
from orchestration.telemetry.spans import AGENT, EMBEDDING, ERROR, HANDOFF, LLM, RUN, STEP, TOOL, Kind
from orchestration.workflows.models import Measure
from orchestration.workflows.story import Placed, Story, ToolCall

WORKFLOWS = Table(
    "workflow",
    "workflows_workflowminute",
    "workflows_workflowhour",
    "workflows_workflowday",
    (("workflow_id", "int"), ("step_id", "int"), ("measure", "smallint")),
    (("n", "int"), ("failed", "int"), ("ms", "bigint")),
)
TABLES: Mapping[str, Table] = {table.name: table for table in (SPANS, WORKFLOWS)}
MODELS = frozenset((LLM, EMBEDDING))
DURATION, AGENTS, PEOPLE, WAITING, ESCALATED, WORK, WAIT, RETRY = (int(measure) for measure in Measure)
ENDED = frozenset(("completed", "failed"))
MS = 1_000_000  # nanoseconds
MANY = 400
MOST_BYTES = 1 << 30  # of one unpacked
NOBODY = (0, 0)
FAILED = int(ERROR)

Row = tuple[Any, ...]  # telemetry.reading.COLUMNS
Who = tuple[str, str]  # application, agent


@dataclass(slots=True)
class Booking:
    """Contributions of one run to both tables."""

    spans: list[Observation] = field(default_factory=list)
    workflows: list[Observation] = field(default_factory=list)

    def packed(self) -> bytes:
        """For storing: added up where there are many, since a long run contributes many times to the same rows. Packed
        by us, a sixth of its JSON: PostgreSQL's own compression takes four times as long and leaves twice as much."""
        return pack(orjson.dumps([_few(SPANS, self.spans), _few(WORKFLOWS, self.workflows)]))

    @classmethod
    def unpacked(cls, body: bytes) -> Booking:
        """The older ones are plain JSON."""
        spans, workflows = orjson.loads(body if body.startswith(b"[") else unpack(body, "zstd", MOST_BYTES))
        return cls(
            [(tuple(o[0]), o[1], o[2], o[3]) for o in spans], [(tuple(o[0]), o[1], o[2], o[3]) for o in workflows]
        )


def _few(table: Table, observations: list[Observation]) -> list[Observation]:
    if len(observations) < MANY:
        return observations
    tally = Tally(table)
    tally.absorb(observations)
    return tally.observations()


@dataclass(slots=True)
class Change:
    """What a round of settling changes of the figures: new contributions plus, old ones minus."""

    spans: Tally = field(default_factory=lambda: Tally(SPANS))
    workflows: Tally = field(default_factory=lambda: Tally(WORKFLOWS))

    def absorb(self, booking: Booking, sign: int = 1) -> None:
        self.spans.absorb(booking.spans, sign)
        self.workflows.absorb(booking.workflows, sign)


@dataclass(frozen=True, slots=True)
class Names:
    """Ids that the names in a story have: agents as (application id, agent id), steps by (name, owner)."""

    workflow: int
    agents: Mapping[Who, tuple[int, int]]
    steps: Mapping[tuple[str, str], int]
    systems: Mapping[str, int]  # of calls whose system only the fold knows


def contributions(
    story: Story, rows: Mapping[tuple[bytes, bytes], Row], sent: frozenset[bytes], names: Names
) -> Booking:
    """`rows` by (trace id, span id); `sent` are the span ids of steps that the events API sent, which nobody has
    counted before."""
    booking = Booking()
    liars = {(row[8], row[9]) for row in rows.values() if row[19]}
    calls = {call.span_id: call for call in story.tool_calls}
    agents, read, doubtful = names.agents, story.read_systems, bool(liars or sent)
    for placed in story.placed:  # every span of every run: nothing is called that can be done without
        step, kind = placed.step, placed.kind
        row = rows[step.trace_id, step.span_id]
        agent, system, failed = row[9], row[10], row[7] == FAILED
        if not agent and placed.agent:
            agent = agents.get((placed.application, placed.agent), NOBODY)[1]
        if kind is TOOL or kind is HANDOFF or read:
            kind, system, failed = _called(placed, calls, read, row, names)
        if doubtful and (row[19] or (row[8], agent) in liars):
            agent = 0
        if (
            agent != row[9]
            or kind != row[6]
            or system != row[10]
            or failed != (row[7] == FAILED)
            or placed.repeats
            or (doubtful and (row[19] or row[1] in sent))
        ):
            now = (agent, system, int(kind), int(failed))
            _moved(booking.spans, row, now, unseen=row[1] in sent, repeats=placed.repeats)
    if not any(placed.kind in MODELS for placed in story.placed):
        _sums_of_agents(booking.spans, story, names)
    if story.status in ENDED:
        said = {(row[8], row[9]) for row in rows.values() if row[9] and row[1] in sent}
        who = {names.agents.get(one, NOBODY) for one in story.agents} | said
        _ended(booking, story, {(app, agent) for app, agent in who if agent and (app, agent) not in liars}, names)
    return booking


def _called(
    placed: Placed, calls: Mapping[bytes, ToolCall], read: Mapping[bytes, str], row: Row, names: Names
) -> tuple[Kind, int, bool]:
    """Kind, system and failure of a step that may have touched a system, by what the fold found; else as it says."""
    kind, own = placed.kind, row[7] == FAILED
    if kind is HANDOFF:
        return kind, 0, own
    call = calls.get(row[1]) if kind is TOOL else None
    if kind is TOOL and call is None:
        return STEP, 0, own
    found = call.system if call is not None else read.get(row[1], "")
    system = names.systems.get(found, row[10]) if found else row[10]
    return kind, system, own if call is None else not call.ok


def _moved(into: list[Observation], row: Row, now: tuple[int, int, int, int], *, unseen: bool, repeats: bool) -> None:
    """A span that counts elsewhere than the digest counted it: taken away there, added here. What the fold knows to be
    no call of a system (an agent's final answer, a call seen a second time from further inside) is a step."""
    minute = row[3] // MINUTE_US * MINUTE_US
    duration = max(0, row[4] - row[3]) if row[4] is not None else None
    agent, system, kind, failed = now
    rest = (row[13], row[14], row[15] or 0, (duration or 0) // 1000)
    if not unseen:
        was = (minute, row[8], 0 if row[19] else row[9], row[10], row[6])
        into.append(observation(was, (1, int(row[7] == FAILED), *rest), duration, -1))
    if repeats:  # its tokens are those of calls below it
        rest = (0, 0, 0, rest[3])
    into.append(observation((minute, row[8], agent, system, kind), (1, failed, *rest), duration))


def _sums_of_agents(into: list[Observation], story: Story, names: Names) -> None:
    """A run without a single LLM span: the totals its agents state are all there is."""
    minute = story.started_ns // 1000 // MINUTE_US * MINUTE_US
    for who, (tokens_in, tokens_out) in story.agent_tokens.items():
        application, agent = names.agents.get(who, NOBODY)
        if tokens_in or tokens_out:
            key = (minute, application, agent, 0, int(AGENT))
            into.append(observation(key, (0, 0, tokens_in, tokens_out, 0, 0), None))


def _ended(booking: Booking, story: Story, agents: set[tuple[int, int]], names: Names) -> None:
    minute = story.ended_ns // 1000 // MINUTE_US * MINUTE_US
    failed = int(story.status == "failed")
    elapsed = max(0, story.ended_ns - story.started_ns)
    for application, agent in sorted(agents):
        key = (minute, application, agent, 0, int(RUN))
        booking.spans.append(observation(key, (1, failed, 0, 0, 0, elapsed // MS), elapsed // 1000))
    into, workflow = booking.workflows, names.workflow
    for measure, ns in (
        (DURATION, elapsed),
        (AGENTS, story.agents_ns),
        (PEOPLE, story.people_ns),
        (WAITING, story.waiting_ns),
    ):
        failures = failed if measure == DURATION else 0
        into.append(observation((minute, workflow, 0, measure), (1, failures, ns // MS), ns // 1000))
    if story.escalations:
        into.append(observation((minute, workflow, 0, ESCALATED), (1, 0, len(story.escalations)), None))
    for step in story.steps:
        step_id = names.steps.get((step.name, step.owner), 0)
        if step_id:
            counts = step.count, step.failed
            into.append(
                observation((minute, workflow, step_id, WORK), (*counts, step.work_ns // MS), step.work_ns // 1000)
            )
            into.append(
                observation((minute, workflow, step_id, WAIT), (*counts, step.wait_ns // MS), step.wait_ns // 1000)
            )
            if step.retry_ns:
                again = minute, workflow, step_id, RETRY
                into.append(observation(again, (*counts, step.retry_ns // MS), step.retry_ns // 1000))
