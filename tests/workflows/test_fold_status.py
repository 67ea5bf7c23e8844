"""How a run ended: failures, what made up for them, and waiting for people."""

from __future__ import annotations

import pytest

from orchestration.workflows.story import Rules, Story
from tests.telemetry.told import ERROR, Told, names, thrown, tools

WORKFLOW = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "desk"}
PLAIN = {"http.request.method": "GET"}
INTERRUPT = thrown("langgraph.errors.GraphInterrupt", "(Interrupt(value={'question': 'approve?'}),)")


def ended(story: Story) -> tuple[str, bool, int, int]:
    return story.status, story.root_said_ok, story.errors, story.retries


def test_a_run_goes_on_until_its_root_has_come_and_ended() -> None:
    early, open_root, done = Told(), Told(), Told()
    early.chat(under=b"parent!!")
    open_root.agent("billing", at=(0, 0))
    done.agent("billing", at=(0, 9))

    assert [told.story().status for told in (early, open_root, done)] == ["running", "running", "completed"]


def test_a_root_in_error_failed() -> None:
    told = Told()
    told.agent("billing", at=(0, 9), status=ERROR, message="boom")

    assert ended(told.story()) == ("failed", False, 1, 0)


def test_a_failure_that_climbs_is_counted_where_it_began() -> None:
    told = Told()
    root = told.span("desk", WORKFLOW, at=(0, 100), status=ERROR)
    agent = told.agent("billing", under=root, at=(1, 90), status=ERROR)
    told.chat(under=told.span("step", {}, under=agent, at=(2, 80), status=ERROR), at=(3, 70), status=ERROR)

    story = told.story()

    assert ended(story) == ("failed", False, 1, 0)
    assert [placed.failed for placed in story.placed] == [False, False, False, True]


def test_a_failed_call_that_was_tried_again_is_a_retry() -> None:
    told = Told()
    root = told.agent("refund", at=(0, 100))
    told.tool("issue_refund", under=root, at=(1, 9), status=ERROR, message="timeout")
    told.tool("issue_refund", under=root, at=(10, 19), status=ERROR, message="timeout")
    told.tool("issue_refund", under=root, at=(20, 29))
    told.tool("issue_refund", under=root, at=(30, 39))

    story = told.story()

    assert ended(story) == ("completed", True, 2, 2)
    assert [(call.ok, call.attempt) for call in story.tool_calls] == [(False, 1), (False, 2), (True, 3), (True, 1)]


def test_other_arguments_are_another_call() -> None:
    told = Told()
    root = told.agent("refund", at=(0, 100))
    for start, order, status in ((1, "A-1", ERROR), (10, "A-2", 0), (20, "A-1", 0)):
        arguments = {"gen_ai.tool.call.arguments": f'{{"order": "{order}"}}'}
        told.tool("issue_refund", under=root, at=(start, start + 5), status=status, also=arguments)

    assert [call.attempt for call in told.story().tool_calls] == [1, 1, 2]


def test_a_model_call_is_tried_again_too() -> None:
    told = Told()
    root = told.agent("refund", at=(0, 100))
    told.chat(under=root, at=(1, 9), status=ERROR, also={"gen_ai.request.model": ""})
    told.chat(under=root, at=(10, 19))

    assert ended(told.story()) == ("completed", True, 1, 1)


@pytest.mark.parametrize(
    ("asked", "answered", "status"),
    [
        ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "completed"),
        ("gpt-4.1", "gpt-4.1-2025-04-14", "completed"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929-v1:0", "completed"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929-v1:0", "completed"),
        ("llama3:latest", "llama3", "completed"),
        ("claude-sonnet-4", "claude-sonnet-4@20250929", "completed"),
        ("gpt-4.1", "gpt-4.1-mini", "failed"),
        ("gpt-4.1", "gpt-4.1-mini-2025-04-14", "failed"),
        ("gpt-4.1-2025-04-14", "gpt-4.1-2026-01-01", "failed"),
        ("llama3:8b", "llama3:70b", "failed"),
        ("deepseek-v2", "deepseek-v3", "failed"),
    ],
)
def test_a_release_of_the_model_that_failed_makes_up_for_it_and_another_model_does_not(
    asked: str, answered: str, status: str
) -> None:
    told = Told()
    root = told.agent("refund", at=(0, 100))
    told.chat(under=root, at=(1, 9), status=ERROR, also={"gen_ai.request.model": asked})
    told.chat(under=root, at=(10, 19), also={"gen_ai.request.model": asked, "gen_ai.response.model": answered})

    assert told.story().status == status


def test_a_failure_that_nothing_made_up_for_failed_the_run_whatever_its_root_says() -> None:
    told = Told()
    root = told.agent("triage", at=(0, 100), status=1)
    billing = told.agent("billing", under=told.tool("ask", under=root, at=(1, 50)), at=(2, 40))
    told.tool("issue_refund", under=billing, at=(3, 9), status=ERROR)
    told.chat(under=root, at=(60, 90))

    assert ended(told.story()) == ("failed", True, 1, 0)


def test_another_agents_success_makes_up_for_nothing() -> None:
    told = Told()
    root = told.agent("triage", at=(0, 100))
    told.chat(under=told.agent("billing", under=told.tool("ask", under=root, at=(1, 50)), at=(2, 40)), status=ERROR)
    told.chat(under=root, at=(60, 90))

    assert told.story().status == "failed"


def test_the_last_turn_in_error_failed_the_run() -> None:
    told = Told()
    root = told.span("desk", WORKFLOW, at=(0, 100))
    told.agent("triage", under=root, at=(1, 20))
    told.agent("billing", under=root, at=(30, 90), status=ERROR)

    assert ended(told.story()) == ("failed", True, 1, 0)


def test_an_agent_that_failed_after_its_tools_had_recovered_failed_for_itself() -> None:
    told = Told()
    root = told.agent("refund", at=(0, 100), status=ERROR, message="too many turns")
    told.tool("t", under=root, at=(1, 9), status=ERROR)
    told.tool("t", under=root, at=(10, 19))

    assert ended(told.story()) == ("failed", False, 2, 1)


def test_control_flow_is_no_failure() -> None:
    told = Told()
    root = told.span("desk", WORKFLOW, at=(0, 100))
    told.agent("triage", under=root, at=(1, 20), status=ERROR, events=thrown("langgraph.errors.ParentCommand"))

    assert ended(told.story()) == ("completed", True, 0, 0)


def test_what_a_tool_dealt_with_inside_itself_failed_nothing() -> None:
    told = Told()
    call = told.tool("get_invoice", under=told.agent("billing", at=(0, 100)), at=(1, 90))
    told.span("GET", PLAIN, under=call, at=(2, 9), status=ERROR)
    told.span("GET", PLAIN, under=call, at=(10, 19))

    story = told.story()

    assert ended(story) == ("completed", True, 1, 0)
    assert tools(story) == [("get_invoice", "get_invoice", True, 1)]


def test_a_tool_that_failed_because_of_what_it_called_is_one_failure() -> None:
    told = Told()
    call = told.tool("get_invoice", under=told.agent("billing", at=(0, 100)), at=(1, 90), status=ERROR)
    told.span("GET", PLAIN, under=call, at=(2, 9), status=ERROR)

    story = told.story()

    assert ended(story) == ("failed", True, 1, 0)
    assert tools(story) == [("get_invoice", "get_invoice", False, 1)]


def test_an_escalation_after_which_the_run_goes_on_is_no_waiting() -> None:
    told = Told()
    root = told.agent("refund", at=(0, 100))
    arguments = {"gen_ai.tool.call.arguments": '{"order": "A-1", "reason": "over the limit"}'}
    told.tool("escalate_to_human", under=root, at=(1, 9), also=arguments)
    told.chat(under=root, at=(10, 20))

    story = told.story()

    assert story.status == "completed"
    assert [(e.agent, e.question, e.state) for e in story.escalations] == [("refund", "over the limit", "open")]
    assert len(story.tool_calls) == 1


def test_an_escalation_that_nothing_follows_waits() -> None:
    told = Told()
    told.tool("request_approval_now", under=told.agent("refund", at=(0, 100)), at=(1, 9))

    assert told.story().status == "waiting"


def test_a_failure_counts_for_more_than_a_question() -> None:
    told = Told()
    root = told.agent("refund", at=(0, 100))
    told.tool("issue_refund", under=root, at=(1, 5), status=ERROR)
    told.tool("escalate", under=root, at=(6, 9))

    assert told.story().status == "failed"


def paused() -> Told:
    told = Told()
    root = told.span("desk", WORKFLOW, at=(0, 50))
    outer = told.span("sub", {"gen_ai.operation.name": "execute_task"}, under=root, at=(10, 40), events=INTERRUPT)
    told.span("review", {"gen_ai.operation.name": "execute_task"}, under=outer, at=(20, 30), events=INTERRUPT)
    told.chat(under=root, at=(25, 45))
    return told


def test_a_program_that_stopped_for_a_person_waits_also_while_other_branches_end() -> None:
    story = paused().story()

    assert story.status == "waiting"
    assert [(e.question, e.state, e.rule) for e in story.escalations] == [("approve?", "open", "interrupt")]


def test_it_goes_on_in_another_trace_once_it_was_answered() -> None:
    told = paused()
    told.span("desk", WORKFLOW, at=(1050, 1100), trace=b"u" * 16)

    story = told.story()

    assert (story.status, story.escalations[0].state) == ("completed", "answered")
    assert (story.active_ns, story.ended_ns - story.started_ns) == (90_000_000, 1_100_000_000)


def test_tool_calls_that_need_approval_wait() -> None:
    told = Told()
    result = {"final_result": '{"approvals":[{"tool_name":"issue_refund"}]}'}
    told.agent("refund", at=(0, 9), also=result)

    story = told.story()

    assert (story.status, story.escalations[0].question) == ("waiting", "Approve issue_refund?")


def test_a_person_at_work_is_waited_for() -> None:
    told, done = Told(), Told()
    human = {"gen_ai.operation.name": "await_human_input"}
    told.span("ask", human, under=told.agent("refund", at=(0, 0)), at=(5, 0))
    done.span("ask", human, under=done.agent("refund", at=(0, 90)), at=(5, 60))

    assert (told.story().status, done.story().status) == ("waiting", "completed")
    assert done.story().escalations[0].state == "answered"
    assert done.story().people_ns == 55_000_000


@pytest.mark.parametrize(
    ("attributes", "status", "hit"),
    [
        ({"openinference.span.kind": "GUARDRAIL"}, ERROR, ["pii_check"]),
        ({"openinference.span.kind": "GUARDRAIL"}, 1, []),
        ({"gen_ai.operation.name": "apply_guardrail", "gen_ai.guardrail.result.value": "GUARDRAIL_X"}, 0, []),
        ({"gen_ai.operation.name": "apply_guardrail", "gen_ai.guardrail.result.value": "Blocked"}, 0, ["pii_check"]),
    ],
)
def test_a_guardrail_is_hit_when_it_failed_or_its_verdict_is_on_the_list(
    attributes: dict[str, str], status: int, hit: list[str]
) -> None:
    told = Told()
    told.span("pii_check", attributes, under=told.agent("triage", at=(0, 50)), at=(1, 5), status=status)

    story = told.story()

    assert [h.guardrail for h in story.guardrail_hits] == hit
    assert (story.status, story.errors) == ("completed", 0)


def test_a_tripped_guardrail_that_only_the_step_around_it_tells_is_named() -> None:
    told = Told()
    turn = told.span("turn", {}, under=told.agent("triage", at=(0, 50)), at=(1, 40), status=ERROR, message="guardrail!")
    told.span("abuse_check", {"openinference.span.kind": "GUARDRAIL"}, under=turn, at=(2, 9))

    story = told.story()

    assert [(hit.guardrail, hit.agent) for hit in story.guardrail_hits] == [("abuse_check", "triage")]


def test_a_refusal_in_a_tools_answer_hits_the_policy_it_names() -> None:
    told = Told()
    answer = {"gen_ai.tool.call.result": "DENIED: 1800 exceeds auto-approval limit 500 (policy refund-limit-500)"}
    told.tool("issue_refund", under=told.agent("refund", at=(0, 50)), at=(1, 9), also=answer)

    assert [hit.guardrail for hit in told.story().guardrail_hits] == ["refund-limit-500"]
    assert told.story(Rules(denials=())).guardrail_hits == []


def test_a_filtered_answer_hits_the_content_filter() -> None:
    told = Told()
    told.chat(under=told.agent("triage", at=(0, 50)), also={"gen_ai.response.finish_reasons": '["content_filter"]'})

    assert [hit.guardrail for hit in told.story().guardrail_hits] == ["content_filter"]


def test_lists_may_be_edited() -> None:
    told = Told()
    root = told.agent("refund", at=(0, 100))
    told.tool("page_oncall", under=root, at=(1, 9))
    told.tool("escalate", under=root, at=(10, 19))
    told.chat(under=root, at=(20, 30))

    story = told.story(Rules(escalations=("page_*",)))

    assert [e.question for e in story.escalations] == ["page_oncall"]
    assert names(story) == ["refund"]
