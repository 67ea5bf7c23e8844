"""How agents write their telemetry: three conventions, so that what reads it meets more than one.

A convention is a set of functions that give a span's name and attributes. `Actor` joins one of them to an exporter.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from orchestration.client import CLIENT, Baton, Context, Span

if TYPE_CHECKING:
    from orchestration.demo.agents import Role, System, Tool

Words = tuple[str, dict[str, Any]]  # a span's name and attributes


class Speech(Protocol):
    """What a convention must be able to say."""

    def workflow(self, name: str, conversation: str) -> Words: ...
    def resumed(self, name: str, workflow: str, conversation: str) -> Words: ...
    def turn(self, role: Role, conversation: str, workflow: str) -> Words: ...
    def asked(self, role: Role, said: str) -> Words: ...
    def answered(self, role: Role, tokens: tuple[int, int], said: str) -> dict[str, Any]: ...
    def called(self, role: Role, tool: str, arguments: dict[str, Any], *, reads: bool = False) -> Words: ...
    def returned(self, result: str) -> dict[str, Any]: ...
    def guardrail(self, name: str) -> Words: ...


class GenAI:
    """OpenTelemetry's GenAI conventions as they are today; the agent's name is on each span."""

    def workflow(self, name: str, conversation: str) -> Words:
        return f"invoke_workflow {name}", {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": name,
            "gen_ai.conversation.id": conversation,
        }

    def resumed(self, name: str, workflow: str, conversation: str) -> Words:
        return name, self.workflow(workflow, conversation)[1] | {"gen_ai.operation.name": "resume"}

    def turn(self, role: Role, conversation: str, workflow: str) -> Words:
        return f"invoke_agent {role.name}", {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.workflow.name": workflow,
            "gen_ai.agent.name": role.name,
            "gen_ai.agent.version": role.version,
            "gen_ai.provider.name": role.provider,
            "gen_ai.conversation.id": conversation,
        }

    def asked(self, role: Role, said: str) -> Words:
        messages = [{"role": "user", "parts": [{"type": "text", "content": said}]}]
        return f"chat {role.model}", {
            "gen_ai.operation.name": "chat",
            "gen_ai.agent.name": role.name,
            "gen_ai.provider.name": role.provider,
            "gen_ai.request.model": role.model,
            "gen_ai.request.temperature": 0.2,
            "gen_ai.input.messages": json.dumps(messages),
        }

    def answered(self, role: Role, tokens: tuple[int, int], said: str) -> dict[str, Any]:
        messages = [{"role": "assistant", "parts": [{"type": "text", "content": said}]}]
        return {
            "gen_ai.response.model": role.model,
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": tokens[0],
            "gen_ai.usage.output_tokens": tokens[1],
            "gen_ai.output.messages": json.dumps(messages),
        }

    def called(self, role: Role, tool: str, arguments: dict[str, Any], *, reads: bool = False) -> Words:
        named: dict[str, Any] = {"gen_ai.agent.name": role.name}
        if reads:
            return f"retrieval {tool}", named | {
                "gen_ai.operation.name": "retrieval",
                "gen_ai.data_source.id": tool,
            }
        return f"execute_tool {tool}", named | {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.arguments": json.dumps(arguments),
        }

    def returned(self, result: str) -> dict[str, Any]:
        return {"gen_ai.tool.call.result": result}

    def guardrail(self, name: str) -> Words:
        return f"apply_guardrail {name}", {
            "gen_ai.operation.name": "apply_guardrail",
            "gen_ai.guardrail.component.name": name,
        }


class OlderGenAI(GenAI):
    """The same of two years ago: other names for provider and tokens, and only the turn says which agent it is."""

    def turn(self, role: Role, conversation: str, workflow: str) -> Words:
        name, attributes = super().turn(role, conversation, workflow)
        return name, _renamed(attributes)

    def asked(self, role: Role, said: str) -> Words:
        name, attributes = super().asked(role, said)
        return name, _renamed(attributes, without="gen_ai.agent.name")

    def answered(self, role: Role, tokens: tuple[int, int], said: str) -> dict[str, Any]:
        return {
            "gen_ai.response.model": role.model,
            "gen_ai.response.finish_reasons": ["end_turn"],
            "gen_ai.usage.prompt_tokens": tokens[0],
            "gen_ai.usage.completion_tokens": tokens[1],
        }

    def called(self, role: Role, tool: str, arguments: dict[str, Any], *, reads: bool = False) -> Words:
        name, attributes = super().called(role, tool, arguments, reads=reads)
        return name, _renamed(attributes, without="gen_ai.agent.name")


class OpenInference:
    """OpenInference; the agent's name is on its AGENT span alone."""

    def workflow(self, name: str, conversation: str) -> Words:
        return name, {"openinference.span.kind": "CHAIN", "session.id": conversation}

    def resumed(self, name: str, workflow: str, conversation: str) -> Words:
        return name, self.workflow(name, conversation)[1] | {"gen_ai.workflow.name": workflow}

    def turn(self, role: Role, conversation: str, workflow: str) -> Words:
        return f"{role.name}.run", {
            "openinference.span.kind": "AGENT",
            "gen_ai.workflow.name": workflow,
            "agent.name": role.name,
            "session.id": conversation,
        }

    def asked(self, role: Role, said: str) -> Words:
        return "ChatCompletion", {
            "openinference.span.kind": "LLM",
            "llm.provider": role.provider,
            "llm.model_name": role.model,
            "input.value": said,
            "input.mime_type": "text/plain",
        }

    def answered(self, role: Role, tokens: tuple[int, int], said: str) -> dict[str, Any]:
        return {
            "llm.token_count.prompt": tokens[0],
            "llm.token_count.completion": tokens[1],
            "llm.token_count.total": sum(tokens),
            "output.value": said,
        }

    def called(self, role: Role, tool: str, arguments: dict[str, Any], *, reads: bool = False) -> Words:
        return tool, {
            "openinference.span.kind": "RETRIEVER" if reads else "TOOL",
            "tool.name": tool,
            "input.value": json.dumps(arguments),
            "input.mime_type": "application/json",
        }

    def returned(self, result: str) -> dict[str, Any]:
        return {"output.value": result}

    def guardrail(self, name: str) -> Words:
        return name, {"openinference.span.kind": "GUARDRAIL"}


def _renamed(attributes: dict[str, Any], without: str = "") -> dict[str, Any]:
    kept = {("gen_ai.system" if k == "gen_ai.provider.name" else k): v for k, v in attributes.items()}
    kept.pop(without, None)
    return kept


class Actor:
    """An agent and its exporter. Each method starts a span; whoever started it finishes it."""

    def __init__(self, role: Role, baton: Baton) -> None:
        self.role, self.baton = role, baton

    def workflow(self, name: str, conversation: str) -> Span:
        return self.baton.span(*self.role.speech.workflow(name, conversation))

    def resume(self, name: str, workflow: str, conversation: str) -> Span:
        """The root of what goes on in a trace of its own, called by what it had waited for."""
        return self.baton.span(*self.role.speech.resumed(name, workflow, conversation))

    def turn(self, parent: Context | Span | None, conversation: str, workflow: str) -> Span:
        return self.baton.span(*self.role.speech.turn(self.role, conversation, workflow), parent=parent)

    def person(self, root: Span) -> Span:
        """The work of a person, as the program tells it that they work in. People are no agents."""
        about = {"gen_ai.operation.name": "human_review", "gen_ai.agent.name": "human"}
        return self.baton.span("human_review", about, parent=root)

    def ask(self, turn: Span, said: str) -> Span:
        return self.baton.span(*self.role.speech.asked(self.role, said), parent=turn, kind=CLIENT)

    def call(self, turn: Span, name: str, arguments: dict[str, Any], *, reads: bool = False) -> Span:
        return self.baton.span(*self.role.speech.called(self.role, name, arguments, reads=reads), parent=turn)

    def guardrail(self, turn: Span, name: str) -> Span:
        return self.baton.span(*self.role.speech.guardrail(name), parent=turn)

    def reach(self, call: Span, tool: Tool) -> Span:
        """The request to the system behind a tool, as an instrumented HTTP or database client writes it."""
        system: System = tool.system
        about = {"server.address": system.name, "server.port": 5432 if system.protocol != "http" else 443}
        if system.protocol == "http":
            about["http.request.method"] = system.request.partition(" ")[0]
        else:
            about["db.system.name"] = system.protocol
        return self.baton.span(system.request, about, parent=call, kind=CLIENT)
