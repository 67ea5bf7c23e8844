"""Four ways to write the same step: (what, agent, subject) to a span's name and attributes.

`what` is workflow, turn, chat or tool; `subject` the workflow, model or tool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

Attributes = dict[str, Any]
Step = tuple[str, Attributes]


def genai(what: str, agent: str, subject: str) -> Step:
    operation = {"workflow": "invoke_workflow", "turn": "invoke_agent", "chat": "chat", "tool": "execute_tool"}[what]
    attributes: Attributes = {"gen_ai.operation.name": operation}
    if agent:
        attributes |= {"gen_ai.agent.name": agent, "gen_ai.agent.id": f"agt_{agent}"}
    if what == "workflow":
        attributes |= {"gen_ai.workflow.name": subject, "user.id": "u-4711", "customer.segment": "standard"}
    if what == "chat":
        attributes |= {
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": subject,
            "gen_ai.request.temperature": 0.2,
            "gen_ai.request.max_tokens": 2048,
            "gen_ai.response.model": subject,
            "gen_ai.response.finish_reasons": ["stop"],
            "server.address": "models.example.com",
        }
    if what == "tool":
        attributes |= {
            "gen_ai.tool.name": subject,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": f"call_{abs(hash((agent, subject))):020x}",
            "gen_ai.tool.call.arguments": f'{{"id":"C-1042","tool":"{subject}"}}',
        }
    return f"{operation} {subject or agent}", attributes


def older(what: str, agent: str, subject: str) -> Step:
    name, attributes = genai(what, agent, subject)
    if "gen_ai.provider.name" in attributes:
        attributes["gen_ai.system"] = attributes.pop("gen_ai.provider.name")
    return name, attributes


def openinference(what: str, agent: str, subject: str) -> Step:
    kind = {"workflow": "CHAIN", "turn": "AGENT", "chat": "LLM", "tool": "TOOL"}[what]
    attributes: Attributes = {"openinference.span.kind": kind}
    if agent:
        attributes |= {"agent.name": agent, "graph.node.id": agent}
    if what == "chat":
        attributes |= {
            "llm.model_name": subject,
            "llm.provider": "anthropic",
            "llm.invocation_parameters": '{"temperature":0.2,"max_tokens":2048}',
            "output.mime_type": "text/plain",
        }
    if what == "tool":
        attributes |= {"tool.name": subject, "input.value": '{"id":"C-1042"}', "input.mime_type": "application/json"}
    return {"workflow": subject, "turn": f"{agent}.run", "chat": "ChatCompletion", "tool": subject}[what], attributes


def traceloop(what: str, agent: str, subject: str) -> Step:
    if what == "chat":
        attributes = genai(what, "", subject)[1]
    elif what == "turn":
        attributes = {"traceloop.span.kind": "agent", "traceloop.entity.name": agent, "gen_ai.agent.name": agent}
    else:
        attributes = {"traceloop.span.kind": what, "traceloop.entity.name": subject}
    if what == "workflow":
        attributes["traceloop.workflow.name"] = subject
    return f"{subject or agent}.{what}", attributes


CONVENTIONS: dict[str, Callable[[str, str, str], Step]] = {
    "genai": genai,
    "older": older,
    "openinference": openinference,
    "traceloop": traceloop,
}
AGENT_KEYS = ("gen_ai.agent.name", "gen_ai.agent.id", "agent.name", "graph.node.id")


def tokens(convention: str, into: int, out: int) -> Attributes:
    if convention == "openinference":
        return {
            "llm.token_count.prompt": into,
            "llm.token_count.completion": out,
            "llm.token_count.total": into + out,
        }
    if convention == "older":
        return {"gen_ai.usage.prompt_tokens": into, "gen_ai.usage.completion_tokens": out}
    return {"gen_ai.usage.input_tokens": into, "gen_ai.usage.output_tokens": out}


def key_values(attributes: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def any_value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        several = AnyValue()
        several.array_value.values.extend(any_value(one) for one in value)
        return several
    return AnyValue(string_value=str(value))
