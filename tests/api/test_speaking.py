"""A key for `desk/billing` speaks for no agent of that name in another application, at whatever door."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from orchestration.handoffs import claims
from orchestration.handoffs.given import Speaker
from orchestration.holds.models import Hold
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Workspace
from tests.api.door import JSON, Door
from tests.handoffs.spoken import envelope, work

OTHER, MINE = "shop/billing", "Desk/Billing"
QUESTION = {"question": "Pay?", "proposal": "Pay", "why": "Asked", "evidence": [], "cost_of_waiting": "Time"}


@pytest.fixture
def bound(served: int, tenant: Workspace) -> Door:
    return Door(served, create_key(tenant, "bound", ["decide", "work"], ["desk/billing"])[1])


def post(door: Door, path: str, body: dict[str, Any]) -> int:
    return int(door.send(f"/api/v1/{path}", orjson.dumps(body), JSON).status)


def get(door: Door, path: str) -> tuple[int, Any]:
    answer = door.send(f"/api/v1/{path}", method="GET")
    return int(answer.status), answer.json()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("decisions", {"action": {"type": "refund.create"}}),
        ("holds", QUESTION | {"reversible": True}),
        ("leases", {}),
        ("claims", {name: value for name, value in work().items() if name != "agent"}),
        ("handoffs", {name: value for name, value in envelope(to="triage").items() if name != "from"}),
    ],
)
def test_it_asks_and_takes_as_its_own_agent_alone(bound: Door, path: str, body: dict[str, Any]) -> None:
    who = "from" if path == "handoffs" else "agent"

    assert post(bound, path, {**body, who: OTHER}) == 403
    assert post(bound, path, {**body, who: MINE}) == 200
    assert post(bound, path, {**body, who: "billing"}) == 200


def test_it_sees_holds_of_its_own_agent_alone(bound: Door, tenant: Workspace) -> None:
    told = {"workspace": tenant, "run": "R", "source": "agent", **QUESTION}
    rows = [Hold.objects.create(agent=who, **told) for who in (OTHER, MINE, "billing")]

    reads = Door(bound.port, create_key(tenant, "reads", ["read"], ["desk/billing"])[1])

    assert {each["agent"] for each in get(reads, "holds")[1]["items"]} == {MINE, "billing"}
    assert [get(bound, f"holds/{row.pk}")[0] for row in rows] == [404, 200, 200]


def test_it_sees_runs_in_which_its_own_agent_has_a_part(bound: Door, tenant: Workspace) -> None:
    for who in (OTHER, MINE):
        claims.claim(Speaker(tenant.pk, 1), work(run=f"R-{who[0]}", agent=who))

    assert [get(bound, f"runs/{run}/context")[0] for run in ("R-s", "R-D")] == [404, 200]


def test_two_agents_of_one_name_are_two_in_what_is_told_of_a_run(bound: Door, tenant: Workspace) -> None:
    for who in (OTHER, MINE):
        claims.claim(Speaker(tenant.pk, 1), work(agent=who, key=f"of {who}"))

    told = get(bound, "runs/R-1/context")[1]["agents"]

    assert {(each["name"], *each["doing"]) for each in told} == {(who, f"of {who}") for who in (OTHER, MINE)}
