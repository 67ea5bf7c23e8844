"""Who is stopped takes nothing on and passes nothing on, by whatever name it comes."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.autonomy.aims import aim
from orchestration.autonomy.models import Kind, Target
from orchestration.control import facts, in_force
from orchestration.control.taking import Barred, free
from orchestration.handoffs import claims, sending
from orchestration.handoffs.given import NotYours
from orchestration.handoffs.models import Claim, Envelope
from orchestration.registry.models import Agent
from orchestration.workspaces.models import Workspace
from tests import make
from tests.autonomy.ordered import aimed, at_run, done
from tests.handoffs.spoken import envelope, speaker, work

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _forgetful() -> None:
    in_force.forget()
    facts.forget()


@pytest.fixture
def triage(workspace: Workspace) -> Agent:
    return make.agent(workspace, "triage", "desk")


@pytest.mark.parametrize(("kind", "again"), [(Kind.QUARANTINE, False), (Kind.PAUSE, True)])
def test_who_is_stopped_claims_extends_sends_and_accepts_nothing(
    workspace: Workspace, triage: Agent, kind: Kind, again: bool
) -> None:
    who = speaker(workspace)
    row, _ = claims.claim(who, work(), free=free)
    handed = sending.send(who, envelope(to="triage"), "", free)
    done(workspace, kind, aimed(triage))

    acts: list[Any] = [
        lambda: claims.claim(who, work(key="other"), free=free),
        lambda: claims.extend(who, row.pk, {"ttl_s": 90}, free),
        lambda: sending.send(who, envelope(**{"from": "Triage"}), "", free),
        lambda: sending.step(who, handed.pk, "accept", None, "", free),
    ]
    for act in acts:
        with pytest.raises(Barred) as told:
            act()
        assert (told.value.kind, bool(told.value.again_s)) == (kind.value, again)
        assert "triage" in str(told.value)
    assert (Claim.objects.count(), Envelope.objects.count()) == (1, 1)


def test_what_it_has_in_hand_it_may_finish_or_give_back(workspace: Workspace, triage: Agent) -> None:
    who = speaker(workspace)
    first, second = (claims.claim(who, work(key=key), free=free)[0] for key in "ab")
    done(workspace, Kind.QUARANTINE, aimed(triage))

    assert claims.finish(who, first.pk, {"result": 1}).state == "done"
    assert claims.release(who, second.pk).state == "released"


def test_it_may_go_on_once_it_is_released(workspace: Workspace, triage: Agent) -> None:
    done(workspace, Kind.QUARANTINE, aimed(triage))
    with pytest.raises(Barred):
        claims.claim(speaker(workspace), work(), free=free)

    done(workspace, Kind.RELEASE, aimed(triage))

    assert claims.claim(speaker(workspace), work(), free=free)[1]


@pytest.mark.parametrize("said", ["triage", "Tri-Age", "desk/triage", "nowhere/triage", "shop/triage"])
def test_a_key_that_vouches_for_a_bare_name_gets_round_it_by_no_other(
    workspace: Workspace, triage: Agent, said: str
) -> None:
    make.agent(workspace, "triage", "shop")
    done(workspace, Kind.QUARANTINE, aimed(triage))

    with pytest.raises(Barred):
        claims.claim(speaker(workspace, "triage"), work(agent=said), free=free)


def test_a_key_of_one_application_does_not_speak_for_another(workspace: Workspace, triage: Agent) -> None:
    make.agent(workspace, "triage", "shop")
    done(workspace, Kind.QUARANTINE, aimed(triage))

    with pytest.raises(NotYours):
        claims.claim(speaker(workspace, "desk/triage"), work(agent="shop/triage"), free=free)
    assert claims.claim(speaker(workspace, "shop/triage"), work(agent="shop/triage"), free=free)[1]


def test_nobody_takes_anything_on_in_a_run_that_is_cancelled_or_whose_workflow_is_paused(workspace: Workspace) -> None:
    flow = make.workflow(workspace, "Refunds")
    over, waits, other = make.run(workspace, status="running"), make.run(workspace, flow), make.run(workspace)
    found = aim(workspace.pk, Target.WORKFLOW, flow.slug)
    assert found
    done(workspace, Kind.CANCEL, at_run(over))
    done(workspace, Kind.PAUSE, found)

    for run, kind in ((over, "cancel"), (waits, "pause")):
        with pytest.raises(Barred) as told:
            claims.claim(speaker(workspace), work(run=str(run.id)), free=free)
        assert told.value.kind == kind
    assert claims.claim(speaker(workspace), work(run=str(other.id)), free=free)[1]
