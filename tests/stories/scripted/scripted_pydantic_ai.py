"""A model for the Pydantic AI story that says what it is told to, and the framework's own telemetry switched on."""

from __future__ import annotations

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel


def model(order: str, amount: float) -> FunctionModel:
    def scripted(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        last = messages[-1].parts[-1]
        if isinstance(last, ToolReturnPart):
            return ModelResponse([TextPart(str(last.content))])
        return ModelResponse([ToolCallPart("issue_refund", {"order": order, "amount": amount}, f"call-{order}")])

    Agent.instrument_all()
    return FunctionModel(scripted)
