"""What a settled run adds to the figures: pure values, from its story and the rows it was told from.

The digest has counted each span by its own attributes. Here stand only the differences that the neighbours make (a
nameless span belongs to the agent above it, a tool call was a transfer) and what only a whole run can tell. A run that
is settled again books the new contributions minus the old ones, so any order and repetition ends at the same figures.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from orchestration.lib.stats import bucket
from orchestration.telemetry.packing import pack, unpack
from orchestration.telemetry.rollups import MINUTE_US, SPANS, Observation, Table, Tally, observation
from orchestration.telemetry.spans import AGAIN, AGENT, EMBEDDING, ERROR, HANDOFF, LLM, RUN, STEP, TOOL, Kind
from orchestration.workflows.models import Measure
from orchestration.workflows.story import Placed, Step, Story, ToolCall

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
OFTEN = 4  # the try from which on a call counts as made again and again
MS = 1_000_000  # nanoseconds
MINUTE_NS = MINUTE_US * 1000
MANY = 400
MOST_BYTES = 1 << 30  # of one unpacked
NOBODY = (0, 0)

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


def contributions(story: Story, steps: Sequence[Step], sent: Collection[bytes], names: Names) -> Booking:
    """`steps` are all that were read, also what the fold leaves out; `sent` are the span ids of those that the events
    API sent, which nobody has counted before."""
    booking = Booking()
    liars = {step.ids[:2] for step in steps if step.claimed}
    calls = {call.span_id: call for call in story.tool_calls}
    agents, read, doubtful = names.agents, story.read_systems, bool(liars or sent)
    for placed in story.placed:  # every span of every run: nothing is called that can be done without
        step, kind = placed.step, placed.kind
        application, own, system = step.ids
        error = failed = step.outcome is ERROR
        agent = own
        if not own and placed.agent:
            agent = agents.get((placed.application, placed.agent), NOBODY)[1]
        if kind is TOOL or kind is HANDOFF or read:
            kind, system, failed = _called(placed, calls, read, names)
        if doubtful and (step.claimed or (application, agent) in liars):
            agent = 0
        if (
            agent != own
            or kind is not step.kind
            or system != step.ids[2]
            or failed is not error
            or placed.repeats
            or (doubtful and (step.claimed or step.span_id in sent))
        ):
            now = (application, agent, system, int(kind))
            _moved(booking.spans, placed, now, failed=failed, unseen=step.span_id in sent)
        if story.retries and placed.attempt >= OFTEN:
            again = step.start_ns // MINUTE_NS * MINUTE_US, application, agent, system, int(AGAIN)
            booking.spans.append(observation(again, (1, int(failed), 0, 0, 0, 0), None))
    _sums_of_agents(booking.spans, story, names)
    if story.status in ENDED:
        said = {step.ids[:2] for step in steps if step.ids[1] and step.span_id in sent} if sent else set()
        who = {names.agents.get(one, NOBODY) for one in story.agents} | said
        _ended(booking, story, {(app, agent) for app, agent in who if agent and (app, agent) not in liars}, names)
    return booking


def _called(
    placed: Placed, calls: Mapping[bytes, ToolCall], read: Mapping[bytes, str], names: Names
) -> tuple[Kind, int, bool]:
    """Kind, system and failure of a step that may have touched a system, by what the fold found; else as it says."""
    kind, step = placed.kind, placed.step
    own = step.outcome is ERROR
    if kind is HANDOFF:
        return kind, 0, own
    call = calls.get(step.span_id) if kind is TOOL else None
    if kind is TOOL and call is None:
        return STEP, 0, own
    found = call.system if call is not None else read.get(step.span_id, "")
    system = names.systems.get(found, step.ids[2]) if found else step.ids[2]
    return kind, system, own if call is None else not call.ok


def _moved(into: list[Observation], placed: Placed, now: tuple[int, ...], *, failed: bool, unseen: bool) -> None:
    """A span that counts elsewhere than the digest counted it: taken away there, added here. What the fold knows to be
    no call of a system (an agent's final answer, a call seen a second time from further inside) is a step."""
    step = placed.step
    minute = step.start_ns // MINUTE_NS * MINUTE_US
    tokens_in, tokens_out, cost = step.tokens_in, step.tokens_out, step.cost or 0
    ms, column = 0, -1
    if step.end_ns:
        us = (step.end_ns - step.start_ns) // 1000 if step.end_ns > step.start_ns else 0
        ms, column = us // 1000, bucket(us)
    n = 0 if column < 0 else 1
    if not unseen:
        application, agent, system = step.ids
        was = (minute, application, 0 if step.claimed else agent, system, int(step.kind))
        less = (-1, -1 if step.outcome is ERROR else 0, -tokens_in, -tokens_out, -cost, -ms)
        into.append((was, less, column, -n))
    if placed.repeats:  # its tokens are those of calls below it
        tokens_in = tokens_out = cost = 0
    into.append(((minute, *now), (1, int(failed), tokens_in, tokens_out, cost, ms), column, n))


def _sums_of_agents(into: list[Observation], story: Story, names: Names) -> None:
    """Of a run without a single LLM span: the totals its agents state are all there is."""
    if any(placed.kind in MODELS for placed in story.placed):
        return
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
            if step.wait_ns:  # nearly no step waits; whoever reads this knows how many worked (`paces.waits`)
                waited = (*counts, step.wait_ns // MS)
                into.append(observation((minute, workflow, step_id, WAIT), waited, step.wait_ns // 1000))
            if step.retry_ns:
                again = minute, workflow, step_id, RETRY
                into.append(observation(again, (*counts, step.retry_ns // MS), step.retry_ns // 1000))
