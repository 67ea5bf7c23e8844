"""A model for the LangGraph story that says what it is told to, and the framework's own telemetry switched on."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from openinference.instrumentation.langchain import LangChainInstrumentor

TOKENS = {"input_tokens": 30, "output_tokens": 8, "total_tokens": 38}


class Scripted(BaseChatModel):
    asked: dict[str, Any]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **_: Any) -> Scripted:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        last = messages[-1]
        call = {"name": "issue_refund", "args": self.asked, "id": f"call-{self.asked['order']}"}
        said = AIMessage(last.text) if last.type == "tool" else AIMessage("", tool_calls=[call])
        said.usage_metadata = TOKENS
        return ChatResult(generations=[ChatGeneration(message=said)])


def model(order: str, amount: float) -> Scripted:
    LangChainInstrumentor().instrument()
    return Scripted(asked={"order": order, "amount": amount})
