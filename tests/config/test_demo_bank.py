"""The policies that the demo begins with."""

from __future__ import annotations

import secrets

import pytest

from orchestration.config.demo_bank import ensure_policies
from orchestration.demo import bank
from orchestration.policies import lifecycle, versions
from orchestration.policies.models import Decision, Policy, State
from orchestration.workspaces.models import User, Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Workspace:
    return Workspace.objects.create(slug=f"bank-{secrets.token_hex(4)}", name="Bank")


@pytest.fixture
def admin() -> User:
    return User.objects.create_user(username=f"admin-{secrets.token_hex(4)}")


def test_the_bank_has_live_policies_one_in_shadow_and_a_draft_that_wants_a_replay(
    tenant: Workspace, admin: User
) -> None:
    ensure_policies(tenant, admin)

    policies = Policy.objects.filter(workspace=tenant)
    assert policies.count() == len(bank.POLICIES)
    assert policies.exclude(live=None).count() == len(bank.POLICIES) - 1
    assert [each.name for each in policies.exclude(shadow=None)] == ["Refunds to new customers"]
    refunds = policies.get(name="Refund limit")
    assert [
        (each.number, each.state, each.body["limits"]["limit"]) for each in refunds.versions.order_by("number")
    ] == [
        (1, State.RETIRED, 250),
        (2, State.LIVE, 500),
        (3, State.DRAFT, 1000),
    ]


def test_what_people_change_in_them_stays(tenant: Workspace, admin: User) -> None:
    ensure_policies(tenant, admin)
    gone = Policy.objects.get(workspace=tenant, name="Card limit")
    lifecycle.retire(gone.pk, admin, "No longer wanted")

    ensure_policies(tenant, admin)

    assert Policy.objects.get(pk=gone.pk).live is None
    assert Policy.objects.filter(workspace=tenant).count() == len(bank.POLICIES)


def test_a_workspace_that_has_decided_gets_none(tenant: Workspace, admin: User) -> None:
    ensure_policies(tenant, admin)
    Policy.objects.filter(workspace=tenant).delete()
    Decision.objects.create(
        workspace=tenant, id="0199f7a4-0000-7000-8000-000000000001", at="2026-01-01T00:00Z", agent="a",
        action_type="b", effect="allow", facts={}, answer={},
    )  # fmt: skip

    ensure_policies(tenant, admin)

    assert not Policy.objects.filter(workspace=tenant).exists()


@pytest.mark.parametrize("policy", bank.POLICIES, ids=lambda policy: policy.name)
def test_each_says_only_what_a_version_may_say(policy: bank.Policy) -> None:
    for body in (*[body for body, _ in policy.live], policy.shadow, policy.draft):
        if body:
            assert all(case.passes for case in versions.try_examples(policy.name, versions.checked(body)))
