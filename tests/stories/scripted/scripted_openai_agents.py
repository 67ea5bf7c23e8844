"""A model for the OpenAI Agents story that says what it is told to, and the framework's telemetry switched on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from agents import Model, ModelResponse, Usage, set_trace_processors
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor

TOKENS = Usage(requests=1, input_tokens=30, output_tokens=8, total_tokens=38)


class Scripted(Model):
    def __init__(self, order: str, amount: float) -> None:
        self.call = ResponseFunctionToolCall(
            type="function_call",
            name="issue_refund",
            arguments=json.dumps({"order": order, "amount": amount}),
            call_id=f"call-{order}",
        )

    async def get_response(self, *given: Any, **more: Any) -> ModelResponse:
        asked = more.get("input", given[1] if len(given) > 1 else "")
        last = asked[-1] if isinstance(asked, list) else {}
        answered = last.get("type") == "function_call_output"
        return ModelResponse([_said(str(last["output"])) if answered else self.call], TOKENS, None)

    def stream_response(self, *given: Any, **more: Any) -> AsyncIterator[Any]:
        raise TypeError("What is scripted is said at once, not in pieces.")


def _said(words: str) -> ResponseOutputMessage:
    text = ResponseOutputText(type="output_text", text=words, annotations=[])
    return ResponseOutputMessage(id="said", type="message", role="assistant", status="completed", content=[text])


def model(order: str, amount: float) -> Scripted:
    set_trace_processors([])  # else the framework sends its traces to its maker
    OpenAIAgentsInstrumentor().instrument()
    return Scripted(order, amount)
