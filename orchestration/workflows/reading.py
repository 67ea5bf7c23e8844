"""The steps of runs, read from spans and from what the events API sent, in the shape that the fold takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.registry import labels
from orchestration.telemetry import reading
from orchestration.telemetry.reading import raw_cursor
from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows.story import Step

KINDS: Mapping[int, Kind] = {int(kind): kind for kind in Kind}
OUTCOMES: Mapping[int, Outcome] = {int(outcome): outcome for outcome in Outcome}
PERSON = '{"person": 1}'  # hints of a step that is a person's own work, and no question to one
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
    return to_steps(workspace_id, list(keyed(rows.spans + rows.sent)[0].values()))


def keyed(rows: Iterable[tuple[Any, ...]]) -> tuple[dict[tuple[bytes, bytes], tuple[Any, ...]], int]:
    """Rows by (trace id, span id), the earliest start where ids came twice, and how many came so."""
    rows = list(rows)
    found = {(row[0], row[1]): row for row in rows}
    twins = len(rows) - len(found)
    if twins:
        for row in rows:
            if row[3] < found[row[0], row[1]][3]:
                found[row[0], row[1]] = row
    return found, twins


def to_steps(workspace_id: int, rows: list[tuple[Any, ...]]) -> list[Step]:
    names, who, what = _labels(workspace_id, rows)
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
        )
        for row in rows
    ]


def _labels(workspace_id: int, rows: list[tuple[Any, ...]]) -> tuple[dict[int, str], dict[int, str], dict[int, str]]:
    """Names of the applications, agents and systems in these rows."""
    of = {row[8:11] for row in rows}  # few: most rows of a run share them
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
    """Rows of what the events API sent."""
    with raw_cursor() as cursor:
        cursor.execute(
            "select trace_id, substring(sha256(convert_to(key, 'UTF8')) for 8), "
            "case when key = '' then null else substring(sha256(convert_to(parent, 'UTF8')) for 8) end, "
            "coalesce(started_at, ended_at), ended_at, name, kind, outcome, application_id, agent_id, system_id, name, "
            "workflow, tokens_in, tokens_out, cost, error, null::text, "
            f"case when kind = {int(Kind.HUMAN)} and attrs ? 'baton.work' then '{PERSON}'::jsonb end, claimed "
            "from workflows_step where workspace_id = %s and trace_id = any(%s)",
            [workspace_id, trace_ids],
        )
        return cursor.fetchall()
