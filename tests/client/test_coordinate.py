"""Agents that claim work and hand it over with the client, on the served application."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.utils import timezone

from orchestration.api import coordination
from orchestration.client import Baton, Refused
from orchestration.handoffs import returning
from orchestration.handoffs.models import Claim, Envelope, Holding
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Workspace
from tests.api.conftest import tenant
from tests.waiting import came_true

__all__ = ["tenant"]  # fixtures


@pytest.fixture
def baton(served: int, tenant: Workspace) -> Iterator[Baton]:
    key = create_key(tenant, "agents", ["work", "ingest"])[1]
    agent = Baton(f"http://127.0.0.1:{served}", key, service="desk")
    yield agent
    agent.close()


def test_one_looks_up_and_the_other_gets_what_it_found(baton: Baton) -> None:
    looked: list[str] = []
    found: list[object] = []

    def look_up(agent: str) -> None:
        with baton.claim("R-1", "customer:88", agent=agent) as work:
            if work.granted:
                looked.append(agent)
                assert came_true(lambda: len(coordination.ending) == 1)
                work.result = {"name": "Ann"}
        found.append(work.result)

    both = [threading.Thread(target=look_up, args=[agent]) for agent in ("triage", "billing")]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()

    assert len(looked) == 1
    assert found == [{"name": "Ann"}] * 2


def test_work_that_goes_wrong_is_given_back(baton: Baton) -> None:
    with pytest.raises(ZeroDivisionError), baton.claim("R-1", "customer:88", agent="triage"):
        raise ZeroDivisionError

    with baton.claim("R-1", "customer:88", agent="billing") as work:
        assert work.granted


def test_a_claim_is_kept_as_long_as_its_work_lasts_and_lost_otherwise(baton: Baton) -> None:
    with baton.claim("R-1", "customer:88", agent="triage", ttl_s=1) as work:
        before = Claim.objects.get().until
        assert came_true(lambda: Claim.objects.get().until > before)
        Claim.objects.update(state=Holding.LOST)

        assert not work.finish({"name": "Ann"})


def test_a_handoff_goes_from_hand_to_hand(baton: Baton) -> None:
    sent = baton.hand_off("R-1", "triage", "billing", "Pay it back", done=["Checked"], facts={"amount": 620})
    (waiting,) = baton.handed("billing")
    taken = baton.accept(waiting, 60)
    assert taken
    assert baton.extend(taken, 600)
    done = baton.complete(taken, {"paid": True})

    assert sent
    assert done
    assert (waiting["id"], done["state"], done["result"]) == (sent["id"], "completed", {"paid": True})
    with pytest.raises(Refused) as late:
        baton.reject(waiting["id"], "Not mine")
    assert late.value.status == 409


def test_who_was_given_up_can_not_complete_what_another_one_took(baton: Baton) -> None:
    baton.hand_off("R-1", "triage", "billing", "Pay it back")
    (waiting,) = baton.handed("billing")
    lost = baton.accept(waiting, 1)
    Envelope.objects.update(due_at=timezone.now())
    assert returning.give_up_silent() == 1
    taken = baton.accept(waiting)

    assert lost
    assert taken
    with pytest.raises(Refused) as late:
        baton.complete(lost)
    assert late.value.status == 409
    done = baton.complete(taken, "paid")
    assert done
    assert (taken["fence"], done["state"]) == (3, "completed")


def test_what_is_missing_in_a_handoff_is_told_by_field(baton: Baton) -> None:
    with pytest.raises(Refused) as told:
        baton.hand_off("R-1", "triage", "billing", "", expires_at="soon")

    assert {(error["field"], error["type"]) for error in told.value.errors} == {
        ("asked", "missing"),
        ("expires_at", "wrong_type"),
    }


def test_the_context_of_a_run_tells_what_is_under_way(baton: Baton) -> None:
    baton.hand_off("R-1", "triage", "billing", "Pay it back")
    with baton.claim("R-1", "ask:address", agent="billing"):
        context = baton.context("R-1")

    assert context
    assert context["summary"] == "Baton has seen no step of this run yet. billing waits for the customer."
    assert [each["name"] for each in context["agents"]] == ["triage", "billing"]
    assert [each["key"] for each in context["in_hand"]] == ["ask:address"]
    with pytest.raises(Refused) as unknown:
        baton.context("R-2")
    assert unknown.value.status == 404


def test_with_baton_away_nothing_is_granted_unless_one_says_so() -> None:
    lost = Baton("http://127.0.0.1:9", "bat_none", service="desk")

    for fail, granted in (("closed", False), ("open", True)):
        with lost.claim("R-1", "x", agent="a", wait_s=0, timeout_s=0.2, fail=fail) as work:
            assert (work.granted, work.away, work.result) == (granted, True, None)
    assert lost.hand_off("R-1", "a", "b", "Do it", timeout_s=0.2) is None
    assert lost.handed("b", wait_s=0, timeout_s=0.2) == []
    lost.close(0.1)
