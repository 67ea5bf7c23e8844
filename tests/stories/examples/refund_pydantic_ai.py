"""A refund desk in Pydantic AI. A tool call that Baton holds is deferred; the person may change its amount."""

import os
from typing import Any

from baton import Baton
from opentelemetry import trace
from pydantic_ai import Agent, ApprovalRequired, DeferredToolRequests, RunContext, ToolApproved, ToolDenied
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.models import Model

baton = Baton(os.environ["BATON_URL"], os.environ["BATON_KEY"], service="refund-desk")
tracer = trace.get_tracer("refund-desk")
agent = Agent(name="refund", output_type=[str, DeferredToolRequests])


@agent.tool
def issue_refund(context: RunContext[str], order: str, amount: float) -> str:
    """Pay the customer back."""
    if not context.tool_call_approved:
        act = {"type": "refund", "system": "payments", "amount": amount, "currency": "USD"}
        answer = baton.decide("refund", act, run=context.deps)
        if answer.hold:
            raise ApprovalRequired(metadata={"hold": answer.hold})
        if not answer.allowed:
            return f"Not paid: {answer.effect}."
    return f"Paid {amount:.2f} for order {order}."


def serve(model: Model, order: str, request: str) -> str:
    given: dict[str, Any] = {"user_prompt": request}
    while True:
        with tracer.start_as_current_span("refund desk", attributes={"baton.run.id": order}):
            said = agent.run_sync(model=model, deps=order, **given)
        asked = said.output
        if not isinstance(asked, DeferredToolRequests):
            return asked
        told = {call.tool_call_id: verdict(call, asked) for call in asked.approvals}
        given = {"message_history": said.all_messages(), "deferred_tool_results": asked.build_results(approvals=told)}


def verdict(call: ToolCallPart, asked: DeferredToolRequests) -> ToolApproved | ToolDenied:
    answer = baton.wait(asked.metadata[call.tool_call_id]["hold"])
    if answer.effect not in ("allow", "amend"):
        return ToolDenied(f"Not paid: {answer.effect}. {answer.note}")
    changed = {"amount": answer.amend["amount"]} if answer.amend else {}
    return ToolApproved(override_args=call.args_as_dict() | changed)
