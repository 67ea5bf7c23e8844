"""Every fact of every captured program, from its spans in several orders, against its manifest."""

from __future__ import annotations

import pytest

from orchestration.workflows.story import Rules
from tests.telemetry import manifests, replayed
from tests.telemetry.replayed import Body

RULES = Rules(systems=manifests.SYSTEMS)
VARIANTS = ("once", "twice", "reversed", "json")


def varied(folder: str, variant: str) -> list[Body]:
    requests = replayed.bodies(manifests.CAPTURES / folder)
    if variant == "twice":
        return [request for request in requests for _ in range(2)]
    if variant == "reversed":
        return requests[::-1]
    return [replayed.as_json(request) for request in requests] if variant == "json" else requests


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("folder", manifests.FOLDERS)
def test_the_telemetry_of_a_real_program_tells_what_happened(folder: str, variant: str) -> None:
    runs = replayed.stories(replayed.spans(varied(folder, variant)), RULES)

    found = manifests.compare(manifests.facts(folder), [replayed.shown(*run) for run in runs])

    assert [fact for fact in found if not fact.ok] == []
    assert len(found) > 20


@pytest.mark.parametrize("folder", manifests.FOLDERS)
def test_a_programs_runs_are_equal_however_its_requests_arrive(folder: str) -> None:
    first, *others = [
        sorted(replayed.stories(replayed.spans(varied(folder, variant)), RULES), key=lambda run: run[1].started_ns)
        for variant in VARIANTS
    ]

    assert all(other == first for other in others)


def test_no_run_but_the_failed_one_has_lasting_failures() -> None:
    runs = replayed.stories(replayed.spans(varied("langgraph-traceloop", "once")), RULES)

    assert [story.errors for _, story in sorted(runs, key=lambda run: run[1].started_ns)] == [0, 1, 0, 1]


def test_orphans_of_agents_that_were_never_exported_are_theirs() -> None:
    runs = replayed.stories(replayed.spans(varied("smolagents", "once")), RULES)
    story = max((story for _, story in runs), key=lambda story: story.orphans)

    lost = [placed for placed in story.placed if placed.orphan]

    assert len(lost) == 7
    assert {placed.agent for placed in lost} == {"refund"}
    assert [handoff.rule for handoff in story.handoffs].count("requested") == 7
    assert story.errors == 7
