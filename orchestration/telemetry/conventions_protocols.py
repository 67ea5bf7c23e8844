"""MCP and A2A: calls between programs, each seen from both ends.

What programs say to each other besides (who they are, which tools they have, how a task is going) stays plain: by
itself it is no run.
"""

from __future__ import annotations

from typing import Any

from orchestration.telemetry.conventions_calls import note_call
from orchestration.telemetry.spans import AGENT, HANDOFF, HUMAN, OTHER, RETRIEVAL, TOOL, Observed, RawSpan
from orchestration.telemetry.values import first, label

SERVER = 2
SENDS = frozenset({"sendmessage", "sendstreamingmessage", "message/send", "message/stream"})
ASKS_A_PERSON = frozenset({"input_required", "auth_required"})


def read_mcp(raw: RawSpan, method: Any, seen: Observed) -> None:
    attributes = raw.attributes
    name = label(method)
    seen.agent = label(attributes.get("gen_ai.agent.name"))
    if raw.span_kind == SERVER:
        seen.system = label(attributes.get("mcp.server.name")) or seen.application
    else:
        seen.system = label(first(attributes, ("mcp.server.name", "server.address", "rpc.service")))
    if name == "tools/call":
        seen.kind = TOOL
        named = first(attributes, ("gen_ai.tool.name", "mcp.tool.name", "mcp.request.argument.name"))
        seen.subject = label(named) or seen.name.rpartition("tools/call")[2].strip(" .")
        note_call(
            seen,
            first(attributes, ("gen_ai.tool.call.arguments", "mcp.request.argument")),
            first(attributes, ("gen_ai.tool.call.result", "mcp.response.value")),
        )
    elif name == "elicitation/create":
        seen.kind = HUMAN
        seen.hints["asks"] = label(attributes.get("mcp.elicitation.message")) or seen.name
    elif name == "resources/read":
        seen.kind = RETRIEVAL
        seen.subject = label(attributes.get("mcp.resource.uri"))


def read_a2a(raw: RawSpan, method: Any, seen: Observed) -> None:
    """The client hands over, the server is the agent that takes the work."""
    attributes = raw.attributes
    sends = label(method).lower().replace("_", "") in SENDS
    target = label(first(attributes, ("a2a.agent.name", "a2a.agent_card.name", "gen_ai.agent.name")))
    if raw.span_kind == SERVER:
        seen.kind = AGENT if sends else OTHER
        seen.agent = target or (seen.application if sends else "")
    elif sends:
        seen.kind = HANDOFF
        seen.hints["to"] = label(first(attributes, ("a2a.agent.name", "a2a.agent_card.name", "server.address")))
        seen.hints["a2a"] = 1
    state = label(attributes.get("a2a.task.state")).lower().removeprefix("task_state_").replace("-", "_")
    if state in ASKS_A_PERSON:
        seen.hints["wait"] = "a2a"
