"""Precedents that answer by themselves: only where every rule lets them, and nothing speaks against it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from escalations import about, intake, precedents, sampling
from escalations.models import Act, Competence, Descendant, Escalation, Interest, Precedent
from orchestration.control import tickets
from orchestration.holds.models import Hold
from orchestration.holds.told import told as shown
from orchestration.ledger.models import Entry
from orchestration.policies.models import Decision, Policy, PolicyVersion
from orchestration.workspaces.models import Membership, User, Workspace
from tests import make
from tests.escalations.conftest import chosen, clear, open_inbox, plain, press, refunds
from tests.escalations.held import holds
from tests.scenes import scene

pytestmark = pytest.mark.django_db
ASK = {"kind": "hold", "skill": "refunds", "precedents": "answer"}
ASKED = [{"policy": "refund-limit", "version": 3, "effect": "hold", "words": "Above the limit"}]


def begin() -> None:
    """Eleven refunds of 510 to 610, approved in one press and kept, and a policy that lets such verdicts answer in the
    version under which the tests' refunds are held."""
    space = make.workspace()
    made = Policy.objects.create(workspace=space, slug="refund-limit", name="Refund limit", live=3)
    body = {"condition": "action.amount > 500.0", "then": ASK}
    PolicyVersion.objects.create(policy=made, number=3, state="live", body=body, digest="0" * 64)
    keep(open_inbox(), space)


one_is_kept = scene(begin)


@pytest.fixture
def kept() -> Precedent:
    return Precedent.objects.get()


def keep(client: Client, space: Workspace, act: str = "approve", **said: Any) -> Precedent:
    batch = refunds(space, reversible=True)
    press(client, batch, chosen(batch), act, **said)
    client.post(f"/inbox/precedents/keep/{Act.objects.get().pk}/", {"reason": "Goods are back", "days": "90"})
    return Precedent.objects.get()


def come(space: Workspace, *asked: dict[str, Any], reasons: Any = ASKED, told: Any = None, **more: Any) -> list[Hold]:
    """New holds, taken in. `told`: more of the decision's answer."""
    values = {"due_at": timezone.now() + timedelta(minutes=20), "evidence": [{"kind": "photo"}], "reversible": True}
    made = holds(space, asked, **(values | more))
    ids = [each.decision_id for each in made]
    Decision.objects.filter(id__in=ids).update(answer={"reasons": reasons} | (told or {}))
    intake.take_in()
    return list(Hold.objects.filter(pk__in=[each.pk for each in made]).order_by("pk"))


def test_a_case_within_the_bounds_is_answered_without_a_person(kept: Precedent, workspace: Workspace) -> None:
    (hold,) = come(workspace, plain(4))

    assert (hold.state, hold.verdict, hold.precedent_id, hold.reviewer) == ("applied", "approve", kept.pk, None)
    case = Escalation.objects.select_related("batch").get(pk=hold.pk)
    assert (case.open, case.seconds) == (False, None)
    assert case.batch is not None
    assert case.batch.closed_at is not None


def test_its_words_go_with_a_no(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    keep(as_reviewer, workspace, "reject", reason="policy", note="Ask the shop")

    (hold,) = come(workspace, plain(4))

    assert (hold.state, hold.verdict, hold.note) == ("applied", "reject", "Against policy. Ask the shop")


def test_each_answer_is_a_receipt_and_is_listed(kept: Precedent, as_reviewer: Client, workspace: Workspace) -> None:
    (hold,) = come(workspace, plain(4))

    verdict = Entry.objects.get(kind="verdict", subject_id=str(hold.pk))
    assert (verdict.actor, f'"precedent":"{kept.pk}"' in verdict.body) == ("baton", True)
    assert Entry.objects.filter(kind="precedent.used", subject_id=str(kept.pk)).count() == 1
    listed = Descendant.objects.get(pk=hold.pk)
    assert (listed.precedent_id, listed.act_id, listed.agreed) == (kept.pk, None, True)
    page = as_reviewer.get(f"/inbox/precedents/{kept.pk}/").content.decode()
    assert "The precedent itself" in page
    assert "It answers by itself what can be undone" in page
    assert "by itself" in as_reviewer.get("/inbox/precedents/").content.decode()
    assert as_reviewer.get(f"/inbox/cases/{hold.pk}/", follow=True).status_code == 200


def test_agents_are_told_with_the_same_commit(kept: Precedent, workspace: Workspace) -> None:
    (hold,) = come(workspace, plain(4))

    said = shown(vars(hold))
    assert (said["state"], said["verdict"]) == ("applied", "approve")


@pytest.mark.parametrize(
    "more",
    [
        {"reversible": False},
        {"reversible": None},
        {"people": 2},
        {"reasons": []},
        {"reasons": [{**ASKED[0], "version": None}]},
        {"reasons": [*ASKED, {"policy": "structuring", "version": 1, "effect": "hold"}]},
        {"told": {"missing": ["account.age"]}},
        {"told": {"degraded": True}},
        {"version": 4},
        {"agent": "other-bot"},
    ],
)
def test_what_is_not_plainly_allowed_waits_for_a_person(
    kept: Precedent, workspace: Workspace, more: dict[str, Any]
) -> None:
    (hold,) = come(workspace, plain(4), **more)

    assert (hold.state, hold.precedent_id) == ("open", None)
    assert Escalation.objects.get(pk=hold.pk).open


def test_a_case_beyond_the_bounds_waits(kept: Precedent, workspace: Workspace) -> None:
    within, beyond = come(workspace, plain(4), plain(5) | {"amount": 700})

    assert (within.state, beyond.state) == ("applied", "open")


@pytest.mark.parametrize(
    "said",
    [
        {"then": {"kind": "hold", "skill": "refunds"}},
        {"then": ASK, "otherwise": {"kind": "hold"}},
        {"then": {"kind": "allow"}},
        {},
    ],
)
def test_a_policy_that_does_not_say_so_lets_nothing_answer(
    kept: Precedent, workspace: Workspace, said: dict[str, Any]
) -> None:
    body = {"condition": "action.amount > 500.0", **said}
    PolicyVersion.objects.update(state="draft")
    PolicyVersion.objects.all().delete()
    PolicyVersion.objects.create(policy=Policy.objects.get(), number=3, state="live", body=body, digest="1" * 64)

    assert come(workspace, plain(4))[0].state == "open"


@pytest.mark.parametrize("change", [{"sensitive": True}, {"live": 4}, {"live": None}])
def test_a_policy_that_is_wary_or_no_longer_live_lets_nothing_answer(
    kept: Precedent, workspace: Workspace, change: dict[str, Any]
) -> None:
    Policy.objects.update(**change)

    assert come(workspace, plain(4))[0].state == "open"


def test_once_people_said_otherwise_it_is_only_shown(
    kept: Precedent, as_reviewer: Client, workspace: Workspace
) -> None:
    Policy.objects.update(sensitive=True)
    (hold,) = come(workspace, plain(4))
    batch = Escalation.objects.select_related("batch").get(pk=hold.pk).batch
    assert batch is not None
    press(
        as_reviewer,
        batch,
        [each for each in chosen(batch, everything=True) if str(hold.pk) in each],
        "reject",
        reason="risk",
    )
    Policy.objects.update(sensitive=False)

    (later,) = come(workspace, plain(5))

    assert (later.state, Escalation.objects.get(pk=later.pk).before) == ("open", "approve")
    page = as_reviewer.get(f"/inbox/precedents/{kept.pk}/").content.decode()
    assert "It no longer answers by itself" in page


def test_a_revoked_one_answers_nothing_and_says_what_it_answered(
    kept: Precedent, reviewer: User, workspace: Workspace
) -> None:
    come(workspace, plain(4), plain(5))

    assert precedents.revoke(kept, reviewer, "The shop changed") == 2

    assert come(workspace, plain(6))[0].state == "open"
    assert '"by_itself":2' in Entry.objects.get(kind="precedent.revoked").body


def test_whoever_kept_it_must_still_be_allowed_to_decide_such_a_case(
    kept: Precedent, reviewer: User, workspace: Workspace
) -> None:
    asked = plain(4) | {"arguments": {"item": "Chair", "customer": "ada"}}
    membership = Membership.objects.get(user=reviewer)
    membership.roles = ["operator"]
    membership.save()
    assert come(workspace, plain(4))[0].state == "open"
    membership.roles = ["reviewer"]
    membership.save()
    Competence.objects.create(workspace=workspace, person=reviewer, skill="refunds", level=1, most=200)
    assert come(workspace, plain(4))[0].state == "open"
    Competence.objects.all().delete()
    Interest.objects.create(workspace=workspace, person=reviewer, subject="refund-bot")
    assert come(workspace, plain(4))[0].state == "open"
    Interest.objects.all().delete()
    User.objects.filter(pk=reviewer.pk).update(is_active=False)
    assert come(workspace, plain(4), asked)[0].state == "open"


def test_what_it_answers_is_nobodys_verdict(kept: Precedent, workspace: Workspace) -> None:
    """Neither learnt from nor counted as a ticket, so that it cannot prove itself right."""
    before = Escalation.objects.filter(open=False).count()
    since = timezone.now() - timedelta(days=1)
    asked = sum(day.asked for day in tickets.by_day(workspace.pk, since, timezone.now()).values())

    (hold,) = come(workspace, plain(4))

    case = Escalation.objects.select_related("batch").get(pk=hold.pk)
    assert case.batch is not None
    assert about.ended(case.batch, case).cases == before
    assert Decision.objects.get(hold_id=hold.pk).verdict == ""
    assert sum(day.asked for day in tickets.by_day(workspace.pk, since, timezone.now()).values()) == asked


def test_what_it_let_through_is_among_what_is_looked_at_afterwards(kept: Precedent, workspace: Workspace) -> None:
    holds_made = come(workspace, plain(4), plain(5))
    for each in holds_made:
        Decision.objects.filter(hold_id=each.pk).update(effect="hold")

    drawn = sampling.draw(workspace.pk, timezone.now() - timedelta(days=1), timezone.now() + timedelta(minutes=1))

    assert drawn == 2


def test_taking_in_twice_answers_once(kept: Precedent, workspace: Workspace) -> None:
    (hold,) = come(workspace, plain(4))
    intake.take_in()
    intake.look_again(workspace.pk, [hold.pk])

    assert Entry.objects.filter(kind="verdict", subject_id=str(hold.pk)).count() == 1
    assert Descendant.objects.filter(pk=hold.pk).count() == 1
    assert not Escalation.objects.filter(pk=hold.pk, open=True).exists()
