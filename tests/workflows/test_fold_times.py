"""Where the time of a run went."""

from __future__ import annotations

from orchestration.workflows.story import Story
from tests.telemetry.told import MS, Told

WORKFLOW = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "desk"}


def spent(story: Story) -> dict[str, tuple[int, int, int]]:
    return {row.name: (row.count, row.work_ns // MS, row.wait_ns // MS) for row in story.steps}


def test_work_is_own_time_and_waiting_is_what_lies_between_steps_of_a_process() -> None:
    told = Told()
    root = told.span("desk", WORKFLOW, at=(0, 100))
    triage = told.agent("triage", under=root, at=(5, 40))
    told.chat(under=triage, at=(10, 20))
    told.tool("lookup", under=triage, at=(15, 30))
    told.chat(under=told.agent("billing", under=root, at=(60, 90)), at=(60, 80))

    assert spent(told.story()) == {
        "desk": (1, 0, 0),
        "triage": (1, 15, 5),
        "m-1": (1, 20, 0),
        "lookup": (1, 15, 0),
        "billing": (1, 10, 20),
    } | {"m-1": (1, 20, 0)}


def test_shares_add_up_to_the_elapsed_time() -> None:
    told = Told()
    root = told.span("desk", WORKFLOW, at=(0, 100))
    told.chat(under=told.agent("triage", under=root, at=(10, 30)), at=(11, 29))
    told.span("review", {"gen_ai.operation.name": "await_human_input"}, under=root, at=(30, 80))

    story = told.story()

    assert (story.agents_ns, story.people_ns, story.waiting_ns) == (20 * MS, 50 * MS, 30 * MS)
    assert story.active_ns == 50 * MS


def test_owners_are_agents_systems_and_people() -> None:
    told = Told()
    root = told.agent("refund", at=(0, 100))
    call = told.tool("issue_refund", under=root, at=(1, 20))
    told.span("POST", {"server.address": "payments.example"}, under=call, kind=3, at=(2, 10))
    told.span("review", {"gen_ai.operation.name": "await_human_input"}, under=root, at=(30, 80))

    assert [(row.name, row.owner) for row in told.story().steps] == [
        ("refund", "refund"),
        ("issue_refund", "issue_refund"),
        ("POST", "refund"),
        ("review", "people"),
    ]


def test_ids_in_names_do_not_make_steps_of_their_own() -> None:
    told = Told()
    root = told.span("desk", WORKFLOW, at=(0, 100))
    for start in (1, 20):
        told.span(f"create topic_baf71605-c50a-4262-94df-f8860f933b1{start % 9}", {}, under=root, at=(start, start + 9))

    assert [(row.name, row.count) for row in told.story().steps] == [("desk", 1), ("create topic_*", 2)]


def test_steps_that_never_ended_cover_nothing() -> None:
    told = Told()
    root = told.agent("refund", at=(0, 100))
    told.tool("issue_refund", under=root, at=(10, 0))

    assert spent(told.story()) == {"refund": (1, 100, 0), "issue_refund": (1, 0, 0)}
