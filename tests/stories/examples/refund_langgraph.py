"""A refund desk in LangGraph. A refund that Baton holds pauses the graph, until a person has decided."""

import os

from baton import Baton
from langchain.agents import create_agent
from langchain.tools import tool
from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt
from opentelemetry import trace

baton = Baton(os.environ["BATON_URL"], os.environ["BATON_KEY"], service="refund-desk")
tracer = trace.get_tracer("refund-desk")


@tool
def issue_refund(order: str, amount: float) -> str:
    """Pay the customer back."""
    act = {"type": "refund", "system": "payments", "amount": amount, "currency": "USD"}
    # a graph that goes on runs its tool from the start: the same key gets the same answer
    answer = baton.decide("refund", act, run=order, key=f"refund {order} {amount}")
    effect = interrupt(answer.hold) if answer.hold else answer.effect
    return f"Paid {amount:.2f} for order {order}." if effect == "allow" else f"Not paid: {effect}."


def serve(model: BaseChatModel, order: str, request: str) -> str:
    agent = create_agent(model, [issue_refund], name="refund", checkpointer=InMemorySaver())
    given: object = {"messages": [("user", request)]}
    while True:
        with tracer.start_as_current_span("refund desk", attributes={"baton.run.id": order}):
            said = agent.invoke(given, {"configurable": {"thread_id": order}})
        if not said.get("__interrupt__"):
            return said["messages"][-1].text
        given = Command(resume=baton.wait(said["__interrupt__"][0].value).effect)
