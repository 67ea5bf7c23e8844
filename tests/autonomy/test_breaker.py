"""An agent that runs away, from its spans to the pause."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from orchestration.autonomy import limits, ordering, work
from orchestration.autonomy.limits import Allowed
from orchestration.autonomy.models import Action, Cause, Kind, State, Stop
from orchestration.control import digest
from orchestration.control.attention import attention
from orchestration.registry.models import Price
from orchestration.telemetry import retention
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.autonomy.ordered import BY
from tests.control.test_digest import Sender, settle_all

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("ready")]


@pytest.fixture
def ready(transactional_db: None) -> Iterator[None]:
    retention.ensure_partitions()
    limits.forget()
    yield
    limits.forget()


@pytest.fixture
def space(transactional_db: None) -> Workspace:
    return make.workspace()


def allow(space: Workspace, **more: Any) -> None:
    by = User.objects.get_or_create(username="admin")[0]
    limits.allow(space, Allowed(**more), by)


def take(space: Workspace) -> None:
    while digest.digest(space.pk):
        pass
    settle_all(space)


def circles(space: Workspace, n: int, *, ago_s: float = 10, **also: Any) -> Sender:
    sender = Sender(space)
    sender.begun = time.time_ns() - int(ago_s * 1e9)
    agent: dict[str, Any] = {"gen_ai__agent__name": "refund-bot", "gen_ai__operation__name": "invoke_agent"}
    root = sender.span("invoke_agent refund-bot", took=5, **agent)
    tool: dict[str, Any] = {"gen_ai__operation__name": "execute_tool", "gen_ai__tool__name": "crm.get"}
    for place in range(n):
        asked = {"gen_ai__tool__call__arguments": '{"customer": 7}', **also}
        sender.span("execute_tool crm.get", root, at=place * 0.5, took=0.1, **tool, **asked)
    sender.deliver()
    return sender


def test_by_default_a_pause_is_proposed_with_the_reason_and_the_run(space: Workspace) -> None:
    circles(space, 4)

    take(space)

    action = Action.objects.get()
    assert (action.kind, action.state, action.cause, action.name) == (
        Kind.PAUSE,
        State.PROPOSED,
        Cause.FINDING,
        "refund-bot",
    )
    assert action.reason.startswith("It called crm.get 4 times with the same arguments")
    assert action.told["run"] in action.cause_id
    assert not Stop.objects.exists()


def test_three_equal_calls_are_none(space: Workspace) -> None:
    circles(space, 3)

    take(space)

    assert not Action.objects.exists()


def test_however_often_the_run_is_told_again_it_is_one_act(space: Workspace) -> None:
    sender = circles(space, 5)
    take(space)
    tool: dict[str, Any] = {"gen_ai__operation__name": "execute_tool", "gen_ai__tool__name": "crm.get"}
    tool["gen_ai__tool__call__arguments"] = '{"customer": 7}'
    sender.span("execute_tool crm.get", sender.spans[0].span_id, at=4, took=0.1, **tool)
    sender.deliver(sender.spans[-1])

    take(space)

    assert Action.objects.count() == 1


def test_another_run_of_the_same_agent_asks_nobody_again_meanwhile(space: Workspace) -> None:
    circles(space, 4)
    take(space)
    circles(space, 5)

    take(space)

    assert Action.objects.count() == 1


def test_where_an_admin_lets_it_the_agent_is_paused_at_once(space: Workspace) -> None:
    allow(space, loops="apply", minutes=15)
    circles(space, 4)

    take(space)
    work.carry_out()

    stop = Stop.objects.get()
    assert (stop.kind, stop.until is not None) == (Kind.PAUSE, True)
    assert Action.objects.get().state == State.DONE


def test_switched_off_nothing_is_looked_for(space: Workspace) -> None:
    allow(space, loops="off")
    circles(space, 9)

    take(space)

    assert not Action.objects.exists()


def test_history_pauses_nobody(space: Workspace) -> None:
    circles(space, 9, ago_s=3600)

    take(space)

    assert not Action.objects.exists()


def test_who_spends_more_on_a_run_than_he_may_is_noticed(space: Workspace) -> None:
    allow(space, spend=Decimal("0.01"))
    Price.objects.create(workspace=space, model="gpt-4.1", input=2, output=8)
    sender = Sender(space)
    agent: dict[str, Any] = {"gen_ai__agent__name": "writer", "gen_ai__operation__name": "invoke_agent"}
    root = sender.span("invoke_agent writer", took=5, **agent)
    chat: dict[str, Any] = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "gpt-4.1"}
    chat |= {"gen_ai__usage__input_tokens": 900_000, "gen_ai__usage__output_tokens": 90_000}
    sender.span("chat gpt-4.1", root, at=1, **chat)
    sender.deliver()

    take(space)

    assert "where 0.01 are allowed" in Action.objects.get().reason


def test_it_needs_attention_until_somebody_has_looked(space: Workspace) -> None:
    circles(space, 4)
    take(space)
    (item,) = [each for each in attention(space.pk, timezone.now()) if each.kind == "runaway"]
    assert (item.subject, item.count, item.state) == ("refund-bot", 4, "proposed")

    ordering.decline(Action.objects.get(), BY, "It is meant to")

    assert [each for each in attention(space.pk, timezone.now()) if each.kind == "runaway"] == []


def test_one_that_was_paused_stays_there_until_it_is_released(space: Workspace) -> None:
    allow(space, loops="apply")
    circles(space, 4)
    take(space)
    work.carry_out()
    assert [each.state for each in attention(space.pk, timezone.now()) if each.kind == "runaway"] == ["done"]

    action = Action.objects.get()
    wish = ordering.Wish(Kind.RESUME, BY, "x", "Looked at")
    work.carry_out_one(ordering.undo(action, wish))

    assert [each for each in attention(space.pk, timezone.now()) if each.kind == "runaway"] == []
