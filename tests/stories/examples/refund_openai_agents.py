"""A refund desk with the OpenAI Agents SDK. A tool call that Baton does not allow is an interruption of the run."""

import asyncio
import os
from typing import Any

from agents import Agent, Model, RunContextWrapper, Runner, function_tool
from baton import Answer, Baton
from opentelemetry import trace

baton = Baton(os.environ["BATON_URL"], os.environ["BATON_KEY"], service="refund-desk")
tracer = trace.get_tracer("refund-desk")
PAUSE = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "request_approval"}
answers: dict[str, Answer] = {}


async def needs_a_person(context: RunContextWrapper[str], given: dict[str, Any], call: str) -> bool:
    act = {"type": "refund", "system": "payments", "amount": given["amount"], "currency": "USD"}
    answers[call] = await asyncio.to_thread(baton.decide, "refund", act, run=context.context, key=call)
    return not answers[call].allowed


@function_tool(needs_approval=needs_a_person)
def issue_refund(order: str, amount: float) -> str:
    """Pay the customer back."""
    return f"Paid {amount:.2f} for order {order}."


def serve(model: Model, order: str, request: str) -> str:
    agent = Agent(name="refund", model=model, tools=[issue_refund])
    given: Any = request
    while True:
        with tracer.start_as_current_span("refund desk", attributes={"baton.run.id": order}):
            said = Runner.run_sync(agent, given, context=order)
            if said.interruptions:  # of which the traces of this framework do not speak
                tracer.start_span("ask", attributes=PAUSE).end()
        if not said.interruptions:
            return said.final_output
        given = said.to_state()
        for call in said.interruptions:
            answer = baton.wait(answers[call.raw_item.call_id])
            if answer.allowed:
                given.approve(call)
            else:
                given.reject(call, rejection_message=f"Not paid: {answer.effect}. {answer.note}")
