from typing import Any

import orjson
import pytest

from orchestration.workflows.definition import BadDefinition, parse
from orchestration.workflows.precedence import layers


def whole(**more: Any) -> dict[str, Any]:
    steps = [
        {"id": "check", "owner": {"agent": "checker"}, "retry": {"rules": [{"on": ["timeout"], "attempts": 2}]}},
        {
            "id": "sign",
            "owner": {"human": "approvals"},
            "ask": {"question": "Pay?", "proposal": "Pay it", "why": "It is much"},
            "after": ["check"],
            "guard": "context.input.amount > 100.0",
        },
        {
            "id": "pay",
            "owner": {"skill": "payments"},
            "after": ["check", "sign"],
            "idempotent": False,
            "compensation": {"owner": {"webhook": "7"}, "name": "Take it back"},
        },
    ]
    return {"name": "Refund", "steps": steps} | more


def faults_of(body: Any) -> dict[str, str]:
    with pytest.raises(BadDefinition) as error:
        parse(body)
    return {fault.path: fault.message for fault in error.value.faults}


def test_what_is_stored_is_read_as_what_it_was() -> None:
    made = parse(whole())

    assert parse(orjson.loads(orjson.dumps(made.stored()))) == made
    assert made.step("pay").compensation
    assert [each.on for each in made.triggers] == ["api"]


def test_each_fault_is_named_by_its_path_and_all_are_told_at_once() -> None:
    body = whole(if_fails="pray", colour="red")
    body["steps"][0]["retry"] = {"budget": "many", "rules": [{"attempts": 0, "on": [7]}]}
    body["steps"][1]["ask"] = None
    body["steps"][2]["owner"] = {"skill": "payments", "agent": "payer"}

    assert set(faults_of(body)) == {
        "if_fails",
        "colour",
        "steps[0].retry.budget",
        "steps[0].retry.rules[0].attempts",
        "steps[0].retry.rules[0].on[0]",
        "steps[1].ask",
        "steps[2].owner",
    }


def test_a_circle_is_named_step_by_step() -> None:
    body = whole()
    body["steps"][0]["after"] = ["pay"]

    (message,) = faults_of(body).values()

    assert "check after pay after check" in message


def test_unknown_and_repeated_steps_are_told() -> None:
    body = whole()
    body["steps"][1]["id"] = "check"
    body["steps"][2]["after"] = ["nobody"]

    assert set(faults_of(body)) == {"steps[1].id", "steps[2].after[0]"}


def test_what_may_happen_once_only_is_not_tried_again() -> None:
    body = whole()
    body["steps"][2]["retry"] = {"rules": [{"attempts": 3}]}

    assert set(faults_of(body)) == {"steps[2].retry"}

    body["steps"][2]["keyed"] = True
    assert parse(body).step("pay").retry.rules[0].attempts == 3


@pytest.mark.parametrize("body", [None, [], "x", {"name": 1, "steps": {}}, {"name": "\0", "steps": [None, 3]}])
def test_nonsense_is_refused_and_nothing_breaks(body: Any) -> None:
    assert faults_of(body)


def test_steps_lie_in_the_layer_behind_the_last_that_they_wait_for() -> None:
    made = parse(whole())

    assert layers({step.id: step.after for step in made.steps}) == [["check"], ["sign"], ["pay"]]


def test_a_long_chain_of_steps_is_no_circle() -> None:
    steps = [{"id": f"s{n}", "owner": {"skill": "x"}, "after": [f"s{n - 1}"] if n else []} for n in range(100)]

    assert len(parse({"name": "Long", "steps": steps}).steps) == 100
