"""The steps of runs, read from spans and from what the events API sent, in the shape that the fold takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orjson import loads

from orchestration.registry import labels
from orchestration.telemetry import reading
from orchestration.telemetry.reading import raw_cursor
from orchestration.telemetry.spans import Kind, Outcome
from orchestration.telemetry.writer import EPOCH_US, Row
from orchestration.workflows.reporting import OWN
from orchestration.workflows.story import Step

KINDS: Mapping[int, Kind] = {int(kind): kind for kind in Kind}
OUTCOMES: Mapping[int, Outcome] = {int(outcome): outcome for outcome in Outcome}
PERSON = '{"person": 1}'  # hints of a step that is a person's own work, and no question to one
ENGINE = '{"engine": true}'  # … of a run that Baton moves on, told by itself
Ids = tuple[Any, ...]  # of an application, an agent, a system
Bounds = tuple[bytes, int, int]  # trace id, least start and greatest end (Unix microseconds)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows in the order of `telemetry.reading.COLUMNS`: of stored spans, and of steps that the events API sent."""

    spans: list[tuple[Any, ...]]
    sent: list[tuple[Any, ...]]


def rows_of(workspace_id: int, traces: Iterable[Bounds]) -> Rows:
    wanted = list(traces)
    return Rows(reading.spans_of(workspace_id, wanted), sent_steps(workspace_id, [t[0] for t in wanted]))


def steps_of(workspace_id: int, traces: Iterable[Bounds]) -> list[Step]:
    """The steps of all given traces, in no order. A span whose ids came twice with different starts is one step."""
    rows = rows_of(workspace_id, traces)
    return distinct(to_steps(workspace_id, rows.spans + rows.sent))[0]


def distinct(steps: list[Step]) -> tuple[list[Step], int]:
    """Each step once, by its earliest start where ids came twice, and how many came so."""
    if len({step.span_id for step in steps}) == len(steps):
        return steps, 0
    found = {(step.trace_id, step.span_id): step for step in steps}
    twins = len(steps) - len(found)
    if not twins:
        return steps, 0
    for step in steps:
        if step.start_ns < found[step.trace_id, step.span_id].start_ns:
            found[step.trace_id, step.span_id] = step
    return list(found.values()), twins


def to_steps(workspace_id: int, rows: Sequence[tuple[Any, ...]]) -> list[Step]:
    """Steps of rows in the order of `telemetry.reading.COLUMNS`."""
    names, who, what = _labels(workspace_id, {row[8:11] for row in rows})
    return [
        Step(
            row[0],
            row[1],
            row[2] or b"",
            row[3] * 1000,
            row[4] * 1000 if row[4] else 0,
            row[5],
            KINDS[row[6]],
            OUTCOMES[row[7]],
            names.get(row[8], ""),
            who.get(row[9], ""),
            what.get(row[10], ""),
            row[11],
            row[12] or "",
            row[13],
            row[14],
            row[15],
            row[16] or "",
            row[17] or "",
            row[18] or {},
            row[8:11],
            row[19],
        )
        for row in rows
    ]


def at_hand(workspace_id: int, traces: Mapping[bytes, Sequence[Row]]) -> dict[bytes, list[Step]]:
    """The same of rows that are just being written, in the order of `telemetry.writer.COLUMNS`: as if read back."""
    names, who, what = _labels(workspace_id, {row[6:9] for rows in traces.values() for row in rows})
    return {
        trace_id: [
            Step(
                trace_id,
                row[3],
                row[4] or b"",
                (row[1] + EPOCH_US) * 1000,
                (row[5] + EPOCH_US) * 1000 if row[5] is not None else 0,
                row[12],
                KINDS[row[9]],
                OUTCOMES[row[10]],
                names.get(row[6], ""),
                who.get(row[7], ""),
                what.get(row[8], ""),
                row[13],
                row[14] or "",
                row[16],
                row[17],
                row[18],
                row[19] or "",
                row[15] or "",
                {} if row[20] is None else loads(row[20][1:]),
                row[6:9],
                row[11],
            )
            for row in rows
        ]
        for trace_id, rows in traces.items()
    }


def _labels(workspace_id: int, of: Iterable[Ids]) -> tuple[dict[int, str], dict[int, str], dict[int, str]]:
    """Names of the applications, agents and systems with these ids: few, since most steps share them."""
    of = list(of)
    applications, agents, systems = ({ids[column] for ids in of} for column in range(3))
    known = labels.applications(workspace_id, applications)
    people = labels.agents(workspace_id, agents)
    touched = labels.systems(workspace_id, systems)
    return (
        {i: known[i].name for i in applications if i in known},
        {i: people[i].name for i in agents if i in people},
        {i: touched[i] for i in systems if i in touched},
    )


def sent_steps(workspace_id: int, trace_ids: list[bytes]) -> list[tuple[Any, ...]]:
    """Rows of what the events API sent. An end before it was reopened is none."""
    over = "(reopened_at is null or ended_at > reopened_at)"
    with raw_cursor() as cursor:
        cursor.execute(
            "select trace_id, substring(sha256(convert_to(key, 'UTF8')) for 8), "
            "case when key = '' then null else substring(sha256(convert_to(parent, 'UTF8')) for 8) end, "
            f"coalesce(started_at, ended_at, reopened_at), case when {over} then ended_at end, name, kind, "
            f"case when {over} then outcome else {int(Outcome.OK)} end, application_id, agent_id, system_id, name, "
            f"workflow, tokens_in, tokens_out, cost, case when {over} then error end, null::text, "
            f"case when kind = {int(Kind.HUMAN)} and attrs ? 'baton.work' then '{PERSON}'::jsonb "
            f"when key = '' and attrs ? '{OWN}' then '{ENGINE}'::jsonb end, claimed "
            "from workflows_step where workspace_id = %s and trace_id = any(%s)",
            [workspace_id, trace_ids],
        )
        return cursor.fetchall()
