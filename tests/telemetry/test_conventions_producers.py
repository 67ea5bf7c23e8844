"""OpenInference, OpenLLMetry, MCP, A2A, plain services, and producers with words of their own."""

from __future__ import annotations

import json

import pytest

from orchestration.telemetry.spans import Kind, Outcome
from tests.telemetry.told import ERROR, observed

KIND = "openinference.span.kind"
CLIENT, SERVER = 3, 2
PARENT = b"p" * 8


@pytest.mark.parametrize(
    ("attributes", "name", "agent"),
    [
        ({"agent.name": "billing", "graph.node.id": "n1"}, "x", "billing"),
        ({"graph.node.name": "billing", "graph.node.id": "3aa4cd8f"}, "billing.run", "billing"),
        ({"graph.node.id": "refund"}, "refund.do-refund._execute_core", "refund"),
        ({}, "customer_service.run", "customer_service"),
        ({}, "billing.arun", "billing"),
    ],
)
def test_openinference_names_an_agent_in_several_ways(attributes: dict[str, str], name: str, agent: str) -> None:
    assert observed({KIND: "AGENT", **attributes}, name).agent == agent


def test_a_chain_of_its_agents_name_is_the_agent_and_others_tell_whose_they_are() -> None:
    metadata = json.dumps({"lc_agent_name": "billing", "langgraph_node": "model", "thread_id": "t-1"})

    graph = observed({KIND: "CHAIN", "metadata": metadata}, "billing", under=PARENT)
    node = observed({KIND: "CHAIN", "metadata": metadata}, "model", under=PARENT)

    assert (graph.kind, graph.agent) == (Kind.AGENT, "billing")
    assert (node.kind, node.agent, node.conversation) == (Kind.STEP, "billing", "t-1")


def test_metadata_that_was_cut_off_is_no_metadata() -> None:
    seen = observed({KIND: "CHAIN", "metadata": '{"lc_agent_name": "bil'}, "x", under=PARENT)

    assert (seen.kind, seen.agent) == (Kind.STEP, "")


def test_an_openinference_tool_may_be_named_as_the_standard_names_tools() -> None:
    seen = observed({KIND: "TOOL", "gen_ai.tool.name": "transfer_to_billing"}, "execute_tool transfer_to_billing")

    assert (seen.kind, seen.subject) == (Kind.TOOL, "transfer_to_billing")


def test_openinference_tool_and_model_calls() -> None:
    tool = observed({KIND: "TOOL", "tool.name": "get_invoice", "input.value": '{"order_id": "A-1"}'}, "SimpleTool")
    call = observed(
        {
            KIND: "LLM",
            "llm.model_name": "m-1",
            "llm.provider": "openai",
            "llm.token_count.prompt": 42,
            "llm.token_count.completion": 13,
            "llm.token_count.prompt_details.cache_read": 4,
            "llm.cost.total": "0.5",
        }
    )

    assert (tool.kind, tool.subject) == (Kind.TOOL, "get_invoice")
    assert (call.subject, call.provider, call.tokens_in, call.tokens_out, call.tokens_cached, call.cost) == (
        "m-1",
        "openai",
        42,
        13,
        4,
        0.5,
    )


def test_a_span_called_handoff_is_one() -> None:
    seen = observed({KIND: "TOOL", "input.value": "triage", "output.value": "billing"}, "handoff to billing")

    assert (seen.kind, seen.hints["from"], seen.hints["to"]) == (Kind.HANDOFF, "triage", "billing")


def test_a_tool_whose_caught_error_is_its_answer_failed() -> None:
    answer = json.dumps({"type": "tool", "data": {"content": "boom", "status": "error"}})

    assert observed({KIND: "TOOL", "tool.name": "t", "output.value": answer}, status=1).outcome == Outcome.ERROR


def test_a_chain_at_the_top_names_the_process() -> None:
    seen = observed({KIND: "CHAIN", "session.id": "s-1"}, "refund-desk.kickoff")

    assert (seen.kind, seen.workflow, seen.conversation) == (Kind.WORKFLOW, "refund-desk", "s-1")


def test_llamaindex_names_the_agent_in_what_it_passes_on() -> None:
    given = "AgentInput(input=[ChatMessage()], current_agent_name='billing')"

    seen = observed({KIND: "CHAIN", "input.value": given}, "step", under=PARENT, scope="x.llama_index")

    assert seen.agent == "billing"


def test_a_traceloop_workflow_that_calls_itself_an_agent_is_a_workflow() -> None:
    seen = observed(
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "refund-desk",
            "traceloop.span.kind": "workflow",
            "traceloop.workflow.name": "refund-desk",
            "traceloop.association.properties.thread_id": "t-1",
        }
    )

    assert (seen.kind, seen.agent, seen.workflow, seen.conversation) == (Kind.WORKFLOW, "", "refund-desk", "t-1")


def test_older_traceloop_spans_need_no_operation() -> None:
    agent = observed({"traceloop.span.kind": "agent", "traceloop.entity.name": "billing"}, "billing.agent")
    tool = observed({"traceloop.span.kind": "tool", "traceloop.entity.name": "get_invoice"}, "get_invoice.tool")
    call = observed({"llm.request.type": "chat", "gen_ai.request.model": "m", "gen_ai.usage.prompt_tokens": 4})

    assert (agent.kind, agent.agent) == (Kind.AGENT, "billing")
    assert (tool.kind, tool.subject) == (Kind.TOOL, "get_invoice")
    assert (call.kind, call.subject, call.tokens_in) == (Kind.LLM, "m", 4)


def test_an_mcp_call_touches_the_server_at_its_other_end() -> None:
    call = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "get_weather"}

    client = observed({**call, "server.address": "weather.example"}, "tools/call get_weather", kind=CLIENT)
    server = observed(call, "tools/call get_weather", kind=SERVER, service="weather-mcp")

    assert (client.kind, client.subject, client.system) == (Kind.TOOL, "get_weather", "weather.example")
    assert (server.kind, server.system) == (Kind.TOOL, "weather-mcp")


def test_an_mcp_server_that_asks_the_user_asks_a_person() -> None:
    assert observed({"mcp.method.name": "elicitation/create"}).kind == Kind.HUMAN


@pytest.mark.parametrize("kind", [CLIENT, SERVER])
@pytest.mark.parametrize("said", [{"mcp.method.name": "tools/list"}, {"a2a.method.name": "GetTask"}])
def test_what_programs_say_about_themselves_is_no_step_of_an_agent(said: dict[str, str], kind: int) -> None:
    assert observed(said, kind=kind).kind == Kind.OTHER


def test_an_mcp_call_without_a_tools_name_has_it_in_its_own() -> None:
    assert observed({"mcp.method.name": "tools/call"}, "MCP send tools/call get_weather").subject == "get_weather"


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("agent.run", Kind.AGENT),
        ("tool.execute", Kind.TOOL),
        ("call_tool", Kind.TOOL),
        ("workflow_run", Kind.WORKFLOW),
        ("invoke_swarm", Kind.WORKFLOW),
        ("tool_choice", Kind.STEP),
        ("model.chunk", Kind.STEP),
    ],
)
def test_an_unknown_operation_is_understood_by_its_words(operation: str, kind: Kind) -> None:
    assert observed({"gen_ai.operation.name": operation}).kind == kind


LOGGED = {"gen_ai.system": "openai"}


@pytest.mark.parametrize(
    ("attributes", "kind", "agent", "subject"),
    [
        ({**LOGGED, "name": "billing", "handoffs": '["refund"]', "tools": "[]"}, Kind.AGENT, "billing", ""),
        ({**LOGGED, "name": "get_invoice", "input": "{}", "output": "{}"}, Kind.TOOL, "", "get_invoice"),
        ({**LOGGED, "name": "abuse", "triggered": True}, Kind.GUARDRAIL, "", "abuse"),
        ({**LOGGED, "gen_ai.request.model": "m", "gen_ai.response.model": "m"}, Kind.LLM, "", "m"),
        ({**LOGGED, "name": "turn", "turn": 1}, Kind.STEP, "", ""),
        ({"agent_trace_id": "t-1", "group_id": "g-1", "name": "desk"}, Kind.WORKFLOW, "", ""),
    ],
)
def test_an_sdk_that_was_logged_as_it_is_tells_by_its_fields(
    attributes: dict[str, object], kind: Kind, agent: str, subject: str
) -> None:
    seen = observed(attributes, "Agent run: {name!r}")

    assert (seen.kind, seen.agent, seen.subject) == (kind, agent, subject)


def test_a_logged_handoff_tells_both_agents() -> None:
    seen = observed({**LOGGED, "from_agent": "triage", "to_agent": "billing"}, "Handoff: {from_agent} → {to_agent}")

    assert (seen.kind, seen.hints) == (Kind.HANDOFF, {"from": "triage", "to": "billing"})


def test_a_node_that_only_sounds_like_an_agent_is_a_step() -> None:
    attributes = {KIND: "AGENT", "metadata": json.dumps({"langgraph_node": "agent"})}

    seen = observed(attributes, "agent", under=PARENT)

    assert (seen.kind, seen.agent, seen.hints) == (Kind.STEP, "", {"twin": "agent"})


@pytest.mark.parametrize("state", ["TASK_STATE_INPUT_REQUIRED", "input-required", "auth-required"])
def test_an_a2a_task_that_needs_input_waits_for_a_person(state: str) -> None:
    seen = observed({"a2a.method.name": "SendMessage", "a2a.task.state": state, "a2a.task.id": "t-9"}, kind=CLIENT)

    assert (seen.kind, seen.hints["wait"], seen.joins) == (Kind.HANDOFF, "a2a", (("a2a", "t-9"),))


def test_an_a2a_server_is_the_agent_that_takes_the_work() -> None:
    seen = observed({"a2a.method.name": "message/send", "a2a.task.state": "failed"}, kind=SERVER, service="refunds")

    assert (seen.kind, seen.agent, seen.outcome) == (Kind.AGENT, "refunds", Outcome.ERROR)


@pytest.mark.parametrize(
    ("attributes", "system"),
    [
        ({"server.address": "crm.example.com"}, "crm.example.com"),
        ({"server.address": "10.0.0.7", "db.system.name": "postgresql"}, "postgresql"),
        ({"peer.service": "crm", "server.address": "10.0.0.7"}, "crm"),
        ({"http.host": "crm.local:8080"}, "crm.local"),
        ({"server.address": "localhost"}, "localhost"),
    ],
)
def test_a_plain_client_span_names_the_system_it_touched(attributes: dict[str, str], system: str) -> None:
    seen = observed(attributes, "GET", kind=CLIENT)

    assert (seen.kind, seen.system) == (Kind.OTHER, system)


def test_a_plain_server_span_names_no_system() -> None:
    assert observed({"server.address": "me.example"}, "POST /chat", kind=SERVER).system == ""


def test_messages_between_agents_of_a_runtime_are_told_from_a_broker() -> None:
    assert observed({"messaging.operation": "publish", "messaging.destination": "x"}).kind == Kind.MESSAGING
    assert observed({"messaging.system": "kafka", "messaging.operation": "publish"}).kind == Kind.OTHER


@pytest.mark.parametrize(
    ("attributes", "name", "kind", "subject"),
    [
        ({"ai.operationId": "ai.toolCall", "ai.toolCall.name": "t"}, "ai.toolCall", Kind.TOOL, "t"),
        (
            {"ai.operationId": "ai.generateText.doGenerate", "gen_ai.request.model": "m", "ai.usage.promptTokens": 3},
            "ai.generateText.doGenerate",
            Kind.LLM,
            "m",
        ),
        ({"ai.operationId": "ai.streamText", "ai.telemetry.functionId": "bot"}, "ai.streamText", Kind.AGENT, ""),
        ({"ai.operationId": "ai.embed.doEmbed"}, "ai.embed.doEmbed", Kind.EMBEDDING, ""),
        ({"langfuse.observation.type": "generation", "gen_ai.request.model": "m"}, "x", Kind.LLM, "m"),
        ({"mlflow.spanType": '"TOOL"'}, "get_invoice", Kind.TOOL, "get_invoice"),
        ({"mastra.span.type": "agent_run"}, "agent run: 'billing'", Kind.AGENT, ""),
        ({"gen_ai.request.model": "m", "gen_ai.usage.output_tokens": 2}, "call_llm", Kind.LLM, "m"),
        ({"gen_ai.tool.name": "t"}, "running tool: t", Kind.TOOL, "t"),
        ({"agent_name": "billing", "model_name": "m"}, "agent run", Kind.AGENT, ""),
        ({"workflow.name": "desk"}, "workflow.run", Kind.WORKFLOW, ""),
        ({"workflow.definition": "{}"}, "workflow.build", Kind.REGISTRATION, ""),
    ],
)
def test_producers_with_words_of_their_own(attributes: dict[str, object], name: str, kind: Kind, subject: str) -> None:
    seen = observed(attributes, name)

    assert (seen.kind, seen.subject) == (kind, subject)


def test_a_span_without_any_mark_stays_plain() -> None:
    seen = observed({"http.request.method": "GET", "url.path": "/x"}, "GET /x", status=ERROR, message="boom")

    assert (seen.kind, seen.agent, seen.outcome, seen.error) == (Kind.OTHER, "", Outcome.ERROR, "boom")
