"""What takes two people: who asks can never agree, and nothing but what was asked is agreed to."""

from __future__ import annotations

import secrets

import orjson
import pytest

from orchestration.ledger.models import Entry
from orchestration.policies import agreeing, lifecycle, proposals, rulebook
from orchestration.policies.lifecycle import NotNow
from orchestration.policies.models import Policy, Proposal, Rulebook
from orchestration.policies.rulebook import Gate
from orchestration.workspaces.models import User, Workspace

BODY = {
    "scope": {"types": ["refund"]},
    "condition": "action.amount <= limit",
    "then": {"kind": "allow"},
    "otherwise": {"kind": "hold"},
    "limits": {"limit": 500},
}


@pytest.fixture
def author(admin: User) -> User:
    return admin


@pytest.fixture
def second(db: None) -> User:
    return User.objects.create_user(username=f"second-{secrets.token_hex(3)}")


@pytest.fixture
def policy(workspace: Workspace, author: User, second: User) -> Policy:
    """Sensitive, with two versions that were live; the second is."""
    made = lifecycle.create(workspace, "Refund limit", author, BODY)
    lifecycle.publish(made.policy_id, 1, author, "First")
    lifecycle.save_draft(made.policy_id, author, BODY | {"limits": {"limit": 900}})
    lifecycle.publish(made.policy_id, 2, author, "More")
    return rulebook.describe(made.policy_id, author, name="Refund limit", purpose="", sensitive=True)


def told(kind: str) -> dict[str, object]:
    found: dict[str, object] = orjson.loads(Entry.objects.get(kind=kind).body)["told"]
    return found


def test_a_revert_waits_for_another_person(policy: Policy, author: User, second: User) -> None:
    presses = [lifecycle.revert(policy.pk, 1, author, "It costs too much") for _ in range(3)]
    before = Policy.objects.get(pk=policy.pk).live

    done = lifecycle.revert(policy.pk, 1, second, "")

    assert (presses, before) == ([None] * 3, 2)
    assert done is not None
    assert (Policy.objects.get(pk=policy.pk).live, done.body["limits"]) == (3, {"limit": 500.0})
    assert told("policy.reverted")["asked_by"] == author.get_username()
    assert not Proposal.objects.exists()


def test_another_wish_takes_the_place_of_the_first_and_agrees_to_nothing(
    policy: Policy, author: User, second: User
) -> None:
    lifecycle.save_draft(policy.pk, author, BODY | {"limits": {"limit": 9000}})
    lifecycle.publish(policy.pk, 3, author, "Most")
    lifecycle.publish(policy.pk, 3, second, "")
    lifecycle.revert(policy.pk, 1, author, "")

    assert lifecycle.revert(policy.pk, 2, second, "") is None
    assert Policy.objects.get(pk=policy.pk).live == 3
    assert Proposal.objects.get().asked_by == second


def test_what_was_asked_of_another_live_version_is_not_agreed_to(policy: Policy, author: User, second: User) -> None:
    lifecycle.revert(policy.pk, 1, author, "")
    asked = Proposal.objects.get()
    Policy.objects.filter(pk=policy.pk).update(live=None)

    with pytest.raises(NotNow, match="changed since"):
        agreeing.agree(asked.pk, policy.workspace, second)
    assert Proposal.objects.get() == asked


def test_a_policy_is_retired_by_two(policy: Policy, author: User, second: User) -> None:
    assert lifecycle.retire(policy.pk, author, "No use") is False
    assert Policy.objects.get(pk=policy.pk).live == 2

    agreeing.agree(Proposal.objects.get().pk, policy.workspace, second)

    assert Policy.objects.get(pk=policy.pk).retired_at
    assert told("policy.retired") == {"policy": policy.slug, "reason": "No use", "asked_by": author.get_username()}


def test_the_gate_of_a_sensitive_policy_takes_two(policy: Policy, author: User, second: User) -> None:
    assert rulebook.ask_of_shadows(policy.pk, author, Gate(0, 0, 0.125)) is False
    assert Policy.objects.get(pk=policy.pk).shadow_decisions == 200

    agreeing.agree(Proposal.objects.get().pk, policy.workspace, second)

    assert Gate.of(Policy.objects.get(pk=policy.pk)) == Gate(0, 0, 0.125)


def test_that_it_is_sensitive_no_longer_takes_two_while_its_name_takes_one(
    policy: Policy, author: User, second: User
) -> None:
    named = rulebook.describe(policy.pk, author, name="Refunds", purpose="", sensitive=False)
    kept = Policy.objects.get(pk=policy.pk)

    agreeing.agree(Proposal.objects.get().pk, policy.workspace, second)

    assert (named.sensitive, kept.sensitive, kept.name) == (True, True, "Refunds")
    assert Policy.objects.get(pk=policy.pk).sensitive is False


def test_one_alone_cannot_switch_off_that_two_are_needed(workspace: Workspace, author: User, second: User) -> None:
    rulebook.set_two_people(workspace, True, author)

    assert rulebook.set_two_people(workspace, False, author) is False
    assert rulebook.set_two_people(workspace, False, author) is False
    assert Rulebook.objects.get(workspace=workspace).two_people
    agreeing.agree(Proposal.objects.get().pk, workspace, second)

    assert not Rulebook.objects.get(workspace=workspace).two_people


def test_who_asks_cannot_agree_but_may_withdraw(policy: Policy, author: User) -> None:
    lifecycle.retire(policy.pk, author, "No use")
    asked = Proposal.objects.get()

    with pytest.raises(NotNow, match="another admin"):
        agreeing.agree(asked.pk, policy.workspace, author)
    proposals.drop(asked.pk, policy.workspace, author)

    assert Policy.objects.get(pk=policy.pk).live == 2
    assert told("policy.withdrawn")["act"] == "retire"
    with pytest.raises(NotNow, match="settled"):
        agreeing.agree(asked.pk, policy.workspace, author)


def test_a_proposal_of_another_workspace_is_none(policy: Policy, author: User, second: User) -> None:
    lifecycle.retire(policy.pk, author, "No use")
    other = Workspace.objects.create(slug="elsewhere", name="Elsewhere")

    with pytest.raises(NotNow):
        agreeing.agree(Proposal.objects.get().pk, other, second)
    assert proposals.drop(Proposal.objects.get().pk, other, second) is None
