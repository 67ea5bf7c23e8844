"""What a span means by its own attributes: the GenAI names, failures, and values of any shape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.telemetry.conventions import observe
from orchestration.telemetry.spans import Event, Kind, Link, Outcome, RawSpan, Resource
from tests.telemetry.told import BEGIN_NS, ERROR, observed, thrown

OPERATION = "gen_ai.operation.name"


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("invoke_agent", Kind.AGENT),
        ("create_agent", Kind.REGISTRATION),
        ("invoke_workflow", Kind.WORKFLOW),
        ("invoke_swarm", Kind.WORKFLOW),
        ("chat", Kind.LLM),
        ("generate_content", Kind.LLM),
        ("text_completion", Kind.LLM),
        ("embeddings", Kind.EMBEDDING),
        ("execute_tool", Kind.TOOL),
        ("handoff", Kind.HANDOFF),
        ("goto", Kind.HANDOFF),
        ("apply_guardrail", Kind.GUARDRAIL),
        ("await_human_input", Kind.HUMAN),
        ("plan", Kind.STEP),
        ("never_heard_of", Kind.STEP),
        (7, Kind.STEP),
    ],
)
def test_an_operation_tells_the_kind_and_an_unknown_one_is_a_step(operation: object, kind: Kind) -> None:
    assert observed({OPERATION: operation}).kind == kind


def test_a_model_call_tells_model_provider_and_tokens() -> None:
    seen = observed(
        {
            OPERATION: "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.cache_read.input_tokens": 60,
            "operation.cost": 0.0125,
            "gen_ai.conversation.id": "c-1",
        }
    )

    assert (seen.subject, seen.provider, seen.conversation) == ("gpt-4o-2024-08-06", "openai", "c-1")
    assert (seen.tokens_in, seen.tokens_out, seen.tokens_cached, seen.cost) == (100, 20, 60, 0.0125)


def test_older_names_are_read_and_one_pair_of_tokens_is_taken() -> None:
    older = {"gen_ai.system": "openai", "gen_ai.usage.prompt_tokens": "9", "gen_ai.usage.completion_tokens": 3.0}

    alone = observed({OPERATION: "chat", **older})
    beside = observed({OPERATION: "chat", **older, "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 3})

    assert (alone.provider, alone.tokens_in, alone.tokens_out) == ("openai", 9, 3)
    assert (beside.tokens_in, beside.tokens_out) == (9, 3)


def test_a_model_that_reads_unknown_gives_way_to_the_one_asked_for() -> None:
    seen = observed({OPERATION: "chat", "gen_ai.response.model": "unknown", "gen_ai.request.model": "m-1"})

    assert seen.subject == "m-1"


@pytest.mark.parametrize(
    ("attributes", "name", "agent"),
    [
        ({"gen_ai.agent.name": " billing "}, "invoke_agent x", "billing"),
        ({}, "invoke_agent billing", "billing"),
        ({"gen_ai.request.model": "gpt-4o", "gen_ai.agent.id": "a-7"}, "invoke_agent gpt-4o", "a-7"),
        ({}, "invoke_agent", ""),
        ({"gen_ai.request.model": "gpt-4o"}, "invoke_agent gpt-4o", ""),
    ],
)
def test_an_agent_is_named_by_attribute_else_by_span_else_by_its_id(
    attributes: dict[str, object], name: str, agent: str
) -> None:
    assert observed({OPERATION: "invoke_agent", **attributes}, name).agent == agent


def test_sums_that_an_agent_repeats_are_hints_and_no_tokens() -> None:
    seen = observed({OPERATION: "invoke_agent", "gen_ai.aggregated_usage.input_tokens": 5, "gen_ai.agent.name": "a"})

    assert (seen.tokens_in, seen.hints["sum"]) == (0, [5, 0])


def test_arguments_of_a_tool_are_kept_as_fingerprints_only() -> None:
    one = observed(
        {OPERATION: "execute_tool", "gen_ai.tool.name": "t", "gen_ai.tool.call.arguments": '{"a":"x","b":2}'}
    )
    other = observed(
        {OPERATION: "execute_tool", "gen_ai.tool.name": "t", "gen_ai.tool.call.arguments": {"b": 2, "a": "x"}}
    )

    assert one.hints == other.hints
    assert set(one.hints) == {"call", "names"}


@pytest.mark.parametrize(
    "answer",
    [
        "DENIED: 1800.00 exceeds the limit (policy p-1)",
        '"DENIED: 1800.00 exceeds the limit (policy p-1)"',
        '{"type":"tool","data":{"content":"DENIED: 1800.00 exceeds the limit (policy p-1)"}}',
    ],
)
def test_an_answer_that_begins_like_a_refusal_is_kept_in_short(answer: str) -> None:
    seen = observed({OPERATION: "execute_tool", "gen_ai.tool.name": "t", "gen_ai.tool.call.result": answer})

    assert seen.hints["said"].startswith("DENIED: 1800.00")


def test_an_answer_that_only_speaks_of_denial_is_not_kept() -> None:
    answer = "The manual says that access is denied by policy after three tries"

    assert observed({OPERATION: "execute_tool", "gen_ai.tool.call.result": answer}).hints == {}


def test_arguments_and_answers_may_stand_in_events() -> None:
    events = [
        Event("gen_ai.tool.message", BEGIN_NS, {"content": '{"a": 1}'}),
        Event("gen_ai.choice", BEGIN_NS, {"message": '[{"text": "DENIED by policy p-1"}]'}),
    ]

    seen = observed({OPERATION: "execute_tool", "gen_ai.tool.name": "t"}, events=events)

    assert seen.hints["said"].startswith("DENIED by policy")
    assert "call" in seen.hints


def test_tool_calls_that_wait_for_approval_are_a_question() -> None:
    result = '{"calls":[],"approvals":[{"tool_name":"issue_refund","args":{"amount":1800}}]}'

    seen = observed({OPERATION: "invoke_agent", "gen_ai.agent.name": "refund", "final_result": result})

    assert (seen.hints["wait"], seen.hints["asks"]) == ("approval", "Approve issue_refund?")


def test_a_failure_reads_type_and_message_and_is_cut() -> None:
    seen = observed(
        {OPERATION: "chat"}, status=ERROR, message="x", events=thrown("openai.BadRequestError", "no " * 400)
    )

    assert seen.outcome == Outcome.ERROR
    assert seen.error.startswith("BadRequestError: no no")
    assert len(seen.error) == 500


def test_a_failure_told_by_its_status_message_alone_keeps_it_without_the_stack() -> None:
    message = "BrainError('invalid')Traceback (most recent call last):\n File x"

    assert observed({OPERATION: "chat"}, status=ERROR, message=message).error == "BrainError('invalid')"


def test_an_exception_that_was_caught_is_no_failure() -> None:
    assert observed({OPERATION: "chat"}, events=thrown("ValueError", "noted")).outcome == Outcome.OK


@pytest.mark.parametrize("kind", ["langgraph.errors.ParentCommand", "GraphBubbleUp", "Command"])
def test_an_exception_that_steers_is_no_failure(kind: str) -> None:
    seen = observed({OPERATION: "execute_task"}, status=ERROR, events=thrown(kind, "goto"))

    assert (seen.outcome, seen.error) == (Outcome.CONTROL, "")


def test_an_interruption_carries_its_question_also_on_a_span_that_ended_well() -> None:
    said = "(Interrupt(value={'question': 'approve refund?', 'order': 'A-1'}, id='x'),)"

    seen = observed({OPERATION: "execute_task"}, status=1, events=thrown("langgraph.errors.GraphInterrupt", said))

    assert (seen.outcome, seen.hints["asks"]) == (Outcome.CONTROL, "approve refund?")


@pytest.mark.parametrize(
    "attributes",
    [{"error.type": "tool_error"}, {"gen_ai.task.status": "failure"}, {"gen_ai.tool.status": "error"}],
)
def test_some_producers_tell_a_failure_in_an_attribute_only(attributes: dict[str, str]) -> None:
    assert observed({OPERATION: "execute_tool", **attributes}).outcome == Outcome.ERROR


def test_error_types_of_plain_services_need_a_status() -> None:
    assert observed({"http.request.method": "GET", "error.type": "404"}).outcome == Outcome.OK


def test_a_tripped_guardrail_is_named_out_of_the_message() -> None:
    seen = observed({}, "turn", status=ERROR, message="Guardrail tripwire triggered: {'guardrail': 'abuse_check'}")

    assert seen.hints["hit"] == "abuse_check"


def test_names_are_cut_to_256_bytes() -> None:
    seen = observed({OPERATION: "invoke_agent", "gen_ai.agent.name": "ä" * 400}, "n" * 400)

    assert (len(seen.agent.encode()), len(seen.name)) == (256, 256)


def test_a_link_joins_only_from_a_root_and_to_one_trace_only() -> None:
    other, third = b"o" * 16, b"x" * 16

    assert observed({}, links=[other]).joins == (("link", other.hex()),)
    assert observed({}, links=[other, other]).joins == (("link", other.hex()),)
    assert observed({}, links=[other, third]).joins == ()
    assert observed({}, links=[other], under=b"p" * 8).joins == ()
    assert observed({}, links=[b"t" * 16]).joins == ()


def test_a_run_may_be_named_by_the_program() -> None:
    assert observed({"baton.run.id": "order-7"}, under=b"p" * 8).joins == (("baton", "order-7"),)


def test_a_runtime_is_recognised_by_an_id_that_stands_in_its_names_twice() -> None:
    team = "baf71605-c50a-4262-94df-f8860f933b15"

    assert observed({"messaging.destination": f"billing_{team}.({team})-T"}).joins == (("runtime", team),)
    assert observed({"gen_ai.agent.id": f"billing_{team}/{team}"}).joins == (("runtime", team),)
    assert observed({"gen_ai.agent.id": team}).joins == ()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        OPERATION,
        "openinference.span.kind",
        "traceloop.span.kind",
        "mcp.method.name",
        "a2a.method.name",
        "llm.request.type",
        "ai.operationId",
        "langfuse.observation.type",
        "gen_ai.agent.name",
        "gen_ai.tool.name",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "gen_ai.usage.input_tokens",
        "gen_ai.response.finish_reasons",
        "input.value",
        "output.value",
        "metadata",
        "final_result",
        "tool.name",
        "error.type",
        "a2a.task.state",
        "a2a.task.id",
        "baton.run.id",
        "messaging.destination",
        "workflow.name",
        "db.system",
        "handoff.target",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.name",
        "smolagents.managed_agents.0.name",
    ]
)
MARKS = st.sampled_from(
    ["invoke_agent", "chat", "execute_tool", "handoff", "AGENT", "TOOL", "LLM", "GUARDRAIL", "tool"]
)


@given(st.dictionaries(KEYS, VALUES | MARKS, max_size=12), st.text(max_size=40), st.integers(0, 5), st.integers(0, 2))
def test_nothing_that_arrives_under_any_key_raises(
    attributes: dict[str, object], name: str, kind: int, status: int
) -> None:
    events = [Event("exception", 0, {"exception.type": attributes.get("metadata")}), Event("gen_ai.choice", 0, {})]
    links = [Link(b"l" * 16, b"s" * 8, {})]

    seen = observe(
        RawSpan(
            b"t" * 16,
            b"s" * 8,
            b"",
            name,
            kind,
            5,
            1,
            status,
            name,
            attributes,
            events,
            links,
            Resource({}),
            "llama_index",
        )
    )

    assert len(seen.name.encode("utf-8", "surrogatepass")) <= 256
    assert isinstance(seen.agent, str)
    assert isinstance(seen.tokens_in, int)
    assert 0 <= seen.tokens_in <= 2**53
    assert len(seen.error) <= 500
