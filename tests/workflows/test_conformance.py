"""Whether runs went the way they should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from orchestration.telemetry.spans import Kind
from orchestration.workflows import declared, kept_trails
from orchestration.workflows.conformance import Judged, Path, Verdict, judge, of_workflow, path_of, told_of
from orchestration.workflows.definition import parse
from orchestration.workflows.trails import Act
from orchestration.workspaces.models import Workspace
from tests import make
from tests.make import Made

S = 1_000_000_000
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)


def line(names: str) -> list[Act]:
    """Acts one after another."""
    return [Act(name, "desk", False, place * S, place * S + 1) for place, name in enumerate(names.split())]


def path(**more: Any) -> Path:
    steps = [
        {"id": "hear", "owner": {"agent": "a"}},
        {"id": "check", "owner": {"agent": "a"}, "after": ["hear"], **more},
        {"id": "note", "owner": {"agent": "a"}, "after": ["check"]},
        {"id": "pay", "name": "Pay it back", "owner": {"agent": "a"}, "after": ["hear", "check"]},
    ]
    return path_of(parse({"name": "Refund", "steps": steps}))


@pytest.mark.parametrize(
    ("acts", "verdict", "step"),
    [
        ("hear check note pay_it_back", Verdict.CONFORMING, ""),
        ("Hear CHECK pay-it-back note", Verdict.CONFORMING, ""),  # in no order to each other
        ("hear look check note other payItBack", Verdict.CONFORMING, ""),  # more than the path says
        ("hear note pay_it_back", Verdict.SKIPPED, "check"),
        ("hear check note pay_it_back check", Verdict.REPEATED, "check"),
        ("hear pay_it_back check note", Verdict.OUT_OF_ORDER, "check"),
        ("something else", Verdict.UNLIKE, ""),
        ("", Verdict.UNLIKE, ""),
    ],
)
def test_a_run_is_judged_by_the_first_way_in_which_it_left_the_path(acts: str, verdict: Verdict, step: str) -> None:
    assert judge(path(), line(acts)) == (verdict, step)


def test_a_guarded_step_and_what_stands_on_it_alone_may_be_left_out() -> None:
    assert judge(path(guard="context.input.much == true"), line("hear pay_it_back")) == (Verdict.CONFORMING, "")
    assert judge(path(), line("hear pay_it_back"))[0] == Verdict.SKIPPED


def test_a_run_that_failed_owes_no_later_steps_but_those_that_others_stand_on() -> None:
    assert judge(path(), line("hear check"), whole=False) == (Verdict.CONFORMING, "")
    assert judge(path(), line("hear pay_it_back"), whole=False) == (Verdict.SKIPPED, "check")


def test_shares_are_counted_by_agent_and_version_without_what_cannot_be_compared() -> None:
    verdicts = [Verdict.CONFORMING, Verdict.SKIPPED, Verdict.CONFORMING, Verdict.UNLIKE]
    judged = [Judged(UUID(int=n), each, "x", NOON + timedelta(days=n), "") for n, each in enumerate(verdicts)]
    by = {UUID(int=n): {("clerk", "1" if n < 2 else "2")} for n in range(4)}

    found = told_of("declared", 1, judged, by)

    assert found.compared == 3
    assert [(each.agent, each.version, each.runs, each.conforming) for each in found.shares] == [
        ("clerk", "1", 2, 1),
        ("clerk", "2", 1, 1),
    ]
    assert [(conforming, compared) for _, conforming, compared in found.days] == [(1, 1), (0, 1), (1, 1)]
    assert found.deviating == (("x", Verdict.SKIPPED, 1),)


@pytest.mark.django_db
def test_stored_runs_are_compared_with_what_is_live(workspace: Workspace) -> None:
    flow, clerk = make.workflow(workspace, "Refund"), make.agent(workspace, "clerk")
    told = {"attrs": {"a": {"gen_ai.agent.version": "7"}}}
    for n, names in enumerate((["look", "pay"], ["pay"])):
        began, trace = NOON + timedelta(minutes=n), bytes([n]) * 16
        root = Made("invoke_agent clerk", Kind.AGENT, clerk, ms=900, values=told)
        acts = [Made(name, Kind.TOOL, clerk, parent=root, at_ms=10 + 50 * m, ms=20) for m, name in enumerate(names)]
        make.spans(workspace, trace, began, root, *acts)
        make.run(workspace, flow, started_at=began, traces=[trace], spans=3)
    kept_trails.sweep()
    assert of_workflow(flow, NOON - timedelta(days=1), NOON + timedelta(days=1)).source == ""  # too few to learn from
    steps = [{"id": "look", "owner": {"agent": "clerk"}}, {"id": "pay", "owner": {"agent": "clerk"}, "after": ["look"]}]
    version = declared.save(workspace.pk, parse({"name": "Refund", "steps": steps}), "person:x")
    declared.publish(version.pk, "person:x", "So it goes")

    found = of_workflow(flow, NOON - timedelta(days=1), NOON + timedelta(days=1))

    assert [(each.verdict, each.step) for each in found.runs] == [(Verdict.SKIPPED, "look"), (Verdict.CONFORMING, "")]
    assert (found.source, found.number, found.compared) == ("declared", 1, 2)
    assert [(each.agent, each.version, each.conforming, each.runs) for each in found.shares] == [("clerk", "7", 1, 2)]
    assert of_workflow(flow, NOON + timedelta(days=1), NOON + timedelta(days=2)).compared == 0
