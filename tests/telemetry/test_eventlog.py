from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestration.telemetry.eventlog import ENDED_BY, PERSON, QUEUED, WORK, BadRow, Log, Reading

COLUMNS = {"case": ("id",), "activity": ("what",), "time": ("at",), "lifecycle": ("phase",), "resource": ("who",)}
STATES = {"case": ("id",), "activity": ("what", "phase"), "time": ("at",), "resource": ("who",)}


def row(what: str, minute: int, phase: str = "COMPLETE", who: str = "ann", **more: str) -> dict[str, str]:
    return {"id": "7", "what": what, "phase": phase, "at": f"2026-01-31T12:{minute:02}:00+01:00", "who": who, **more}


def told(reading: Reading, *rows: dict[str, str]) -> list[dict[str, Any]]:
    log = Log(reading)
    return [event for each in rows for event in log.events(each)] + list(log.ends())


def minutes(events: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Of each step, when it began and when it ended."""
    found: dict[str, list[int]] = {}
    for event in events:
        if "step" in event:
            found.setdefault(event["step"].partition("@")[0], []).append(event["at"] // 60_000_000_000 % 60)
    return found


def test_start_and_complete_make_one_step() -> None:
    events = told(Reading("loan", COLUMNS), row("check", 1, "START"), row("check", 5))

    assert minutes(events) == {"check": [1, 5]}
    assert [event["type"] for event in events] == ["run.started", "step.started", "step.finished", "run.finished"]
    assert {event["run"] for event in events} == {"loan:7"}


def test_of_two_that_run_at_once_the_first_ends_first() -> None:
    rows = [row("call", 1, "START"), row("call", 2, "START"), row("call", 3), row("call", 9)]

    steps = [event["step"] for event in told(Reading("loan", COLUMNS), *rows) if "step" in event]

    assert steps[2:] == steps[:2]


def test_an_end_without_a_beginning_is_a_moment() -> None:
    assert minutes(told(Reading("loan", COLUMNS), row("paid", 4))) == {"paid": [4, 4]}


def test_two_at_the_same_time_are_two() -> None:
    events = told(Reading("loan", COLUMNS), row("paid", 4), row("paid", 4))

    assert len({event["step"] for event in events if "step" in event}) == 2


def test_a_step_knows_since_when_it_waited() -> None:
    events = told(Reading("loan", COLUMNS), row("check", 1, "SCHEDULE"), row("check", 5, "START"), row("check", 6))

    assert events[1]["attributes"][QUEUED] == "2026-01-31T11:01:00+00:00"


def test_a_person_never_becomes_an_agent() -> None:
    event = told(Reading("loan", COLUMNS), row("check", 1, "START", team="B2"))[1]

    assert event["kind"] == "human"
    assert event["attributes"] == {"team": "B2", PERSON: "ann", WORK: "own"}
    assert "agent" not in event


def test_whoever_ends_what_somebody_else_began_is_named_beside() -> None:
    events = told(Reading("loan", COLUMNS), row("check", 1, "START"), row("check", 5, who="bob"))

    assert events[2]["attributes"] == {ENDED_BY: "bob"}


def test_a_resource_that_is_called_automatic_is_an_agent() -> None:
    reading = Reading("loan", COLUMNS, automatic=(("112", "engine"), ("svc-*", "")))

    events = told(reading, row("score", 1, who="112"), row("mail", 2, who="svc-mail"))

    assert [event["agent"] for event in events if "agent" in event] == ["loan/engine", "loan/svc-mail"]


def test_a_state_lasts_until_the_next_one() -> None:
    reading = Reading("ticket", STATES, states=True)

    events = told(reading, row("open", 1, "new"), row("open", 4, "work"), row("closed", 9, ""))

    assert minutes(events) == {"open / new": [1, 4], "open / work": [4, 9], "closed": [9, 9]}


def test_nobody_works_while_a_ticket_waits() -> None:
    reading = Reading("ticket", STATES, states=True, waiting=("queued*",))

    events = told(reading, row("queued", 1, ""), row("work", 7, ""), row("done", 9, ""))

    assert minutes(events) == {"queued": [1, 1], "work": [7, 9], "done": [9, 9]}
    assert events[1]["kind"] == "other"


def test_a_time_without_a_zone_is_in_the_zone_of_the_log() -> None:
    log = Log(Reading("loan", COLUMNS, zone=ZoneInfo("Europe/Brussels")))

    events = list(log.events(row("paid", 0) | {"at": "2026-01-31 12:00:00"}))

    assert events[0]["at"] == 1_769_857_200_000_000_000


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": " "}, "case"),
        ({"what": ""}, "activity"),
        ({"at": "noon"}, "time"),
        ({"phase": "In Progress"}, "lifecycle"),
    ],
)
def test_a_bad_row_is_named_by_its_field_and_leaves_no_trace(changes: dict[str, str], field: str) -> None:
    log = Log(Reading("loan", COLUMNS))

    with pytest.raises(BadRow) as caught:
        log.events(row("check", 1) | changes)

    assert caught.value.field == field
    assert not log.cases
