"""May I? Asked over HTTP of the served application, with PostgreSQL behind it."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import orjson
import pytest
from django.db import connection
from django.utils import timezone

from orchestration.holds.models import Hold
from orchestration.ledger.models import Entry
from orchestration.policies import lifecycle, rates
from orchestration.policies.models import Decision, Policy
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.api.door import JSON, Door

REFUND = {
    "agent": "refund-bot",
    "action": {"type": "refund", "system": "payments", "amount": 620, "arguments": {"account": "CH93"}},
    "run": "R-1",
    "context": {"returned": True},
}


@pytest.fixture
def may(served: int, tenant: Workspace) -> Door:
    return Door(served, create_key(tenant, "asks", ["decide"])[1])


@pytest.fixture
def author(tenant: Workspace) -> User:
    return User.objects.create_user(username=f"admin-{secrets.token_hex(4)}")


def ask(door: Door, body: Any = None, key: str = "") -> tuple[int, dict[str, Any]]:
    sent = orjson.dumps(body or REFUND)
    reply = door.send("/api/v1/decisions", sent, JSON, **({"Idempotency_Key": key} if key else {}))  # type: ignore[arg-type]
    return reply.status, reply.json()


def rule(tenant: Workspace, author: User, condition: str = "action.amount <= limit", **more: Any) -> Policy:
    """A live policy. There is no history to replay over in a workspace that has decided nothing."""
    body = {
        "condition": condition,
        "then": {"kind": "allow"},
        "otherwise": {"kind": "hold", "skill": "refunds", "due_s": 600},
        "limits": {"limit": 500} if "limit" in condition else {},
    } | more
    draft = lifecycle.create(tenant, "Refund limit", author, body)
    Decision.objects.filter(workspace=tenant).delete()
    return lifecycle.publish(draft.policy_id, draft.number, author, "A first rule").policy


def test_without_a_policy_the_default_is_told_as_the_last_one(may: Door, tenant: Workspace) -> None:
    status, told = ask(may)

    assert (status, told["effect"]) == (200, "allow")
    assert told["reasons"][0]["policy"] == "default"
    assert Decision.objects.get(workspace=tenant).facts["action.amount"] == 620


def test_a_hold_is_opened_with_the_decision_and_says_why(may: Door, tenant: Workspace, author: User) -> None:
    rule(tenant, author)

    _, told = ask(may)

    hold = Hold.objects.get(workspace=tenant)
    assert (told["effect"], told["hold"]) == ("hold", str(hold.pk))
    assert (hold.skill, hold.policy, hold.version, hold.run) == ("refunds", "refund-limit", 1, "R-1")
    assert "action.amount is 620, limit is 500" in hold.why
    assert hold.due_at is not None
    assert (hold.due_at - hold.opened_at).total_seconds() == 600


def test_every_decision_leaves_a_receipt_without_content(may: Door, tenant: Workspace, author: User) -> None:
    rule(tenant, author)
    secret = f"marker-{secrets.token_hex(6)}"

    _, told = ask(may, {**REFUND, "context": {"note": secret}})

    entry = Entry.objects.get(workspace=tenant.pk, subject_id=told["id"])
    assert orjson.loads(entry.body)["told"]["matches"] == {"hold": ["refund-limit@1"]}
    assert secret not in entry.body


def test_a_change_is_in_force_with_its_commit(may: Door, tenant: Workspace, author: User) -> None:
    assert ask(may)[1]["effect"] == "allow"
    policy = rule(tenant, author)
    assert ask(may)[1]["effect"] == "hold"

    lifecycle.retire(policy.pk, author, "No longer needed")

    assert ask(may)[1]["effect"] == "allow"


def test_the_same_key_gets_the_first_answer_again(may: Door, tenant: Workspace, author: User) -> None:
    rule(tenant, author)

    answers = [ask(may, key="order-17") for _ in range(3)]

    assert answers[0] == answers[1] == answers[2]
    assert Hold.objects.filter(workspace=tenant).count() == 1


def test_twenty_at_once_with_one_key_have_one_effect(may: Door, tenant: Workspace, author: User) -> None:
    rule(tenant, author)

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: ask(may, key="order-18"), range(20)))

    assert {status for status, _ in answers} == {200}
    assert len({told["id"] for _, told in answers}) == 1
    assert Hold.objects.filter(workspace=tenant).count() == 1
    assert Decision.objects.filter(workspace=tenant).count() == 1
    assert Entry.objects.filter(workspace=tenant.pk, kind="decision").count() == 1


def test_a_key_that_was_used_for_another_ask_is_refused(may: Door) -> None:
    ask(may, key="order-19")

    status, told = ask(may, {**REFUND, "run": "R-2"}, key="order-19")

    assert status == 422
    assert told["errors"][0]["field"] == "key"


def test_a_list_is_answered_in_order_and_a_bad_one_alone(may: Door, tenant: Workspace, author: User) -> None:
    rule(tenant, author)
    small = {**REFUND, "action": {"type": "refund", "amount": 10}, "key": "a"}

    status, told = ask(may, {"items": [REFUND, {"agent": "x"}, small]})

    assert status == 200
    assert [item.get("effect") for item in told["items"]] == ["hold", None, "allow"]
    assert told["items"][1]["error"]["errors"][0]["field"] == "action"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"agent": ""}, "agent"),
        ({"action": {"type": 3}}, "action.type"),
        ({"action": {"type": "x", "amount": "ten"}}, "action.amount"),
        ({"action": {"type": "x", "amount": True}}, "action.amount"),
        ({"action": {"type": "x", "currency": "francs"}}, "action.currency"),
        ({"context": []}, "context"),
        ({"evidence": "all"}, "evidence"),
        ({"urgent": True}, "urgent"),
    ],
)
def test_a_bad_ask_is_told_which_part(may: Door, change: dict[str, Any], field: str) -> None:
    status, told = ask(may, {**REFUND, **change})

    assert status == 422
    assert field in [error["field"] for error in told["errors"]]


def test_a_key_speaks_for_its_agents_only(served: int, tenant: Workspace) -> None:
    bound = Door(served, create_key(tenant, "bound", ["decide"], ["refund_bot"])[1])

    assert ask(bound)[0] == 200
    assert ask(bound, {**REFUND, "agent": "billing"})[0] == 403
    both = Door(served, create_key(tenant, "both", ["decide", "ingest"], ["refund_bot"])[1])
    listed = both.send(
        "/api/v1/decisions", orjson.dumps({"items": [REFUND, {**REFUND, "agent": "billing"}]}), JSON
    ).json()
    assert "does not speak for the agent billing" in str(listed)
    assert Decision.objects.filter(workspace=tenant, agent="billing").count() == 0


def test_who_may_not_ask_is_told_so(served: int, tenant: Workspace, door: Door) -> None:
    assert ask(Door(served))[0] == 401
    assert ask(door)[0] == 403
    assert door.send("/api/v1/decisions", b"", JSON, method="GET").status == 405


def test_ten_small_refunds_to_one_account_are_caught_at_the_third(may: Door, tenant: Workspace, author: User) -> None:
    rule(tenant, author, "past.count_account_24h < 2")
    asks = [{**REFUND, "agent": f"bot-{n}", "action": {**REFUND["action"], "amount": 499}} for n in range(4)]  # type: ignore[dict-item]

    effects = [ask(may, each)[1]["effect"] for each in asks]

    assert effects == ["allow", "allow", "hold", "hold"]


def test_at_once_they_are_caught_at_the_third_too(may: Door, tenant: Workspace, author: User) -> None:
    rule(tenant, author, "past.amount_account_1h + action.amount <= 1500")

    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(lambda n: ask(may, {**REFUND, "agent": f"bot-{n}"})[1], range(12)))

    assert [each["effect"] for each in told].count("allow") == 2


def test_who_made_a_payment_may_not_approve_it(may: Door, tenant: Workspace, author: User) -> None:
    rule(
        tenant,
        author,
        "agent.name in past.agents_run_24h",
        scope={"types": ["payment.approve"]},
        then={"kind": "deny", "words": "Maker is checker"},
        otherwise={"kind": "allow"},
    )
    made = {"agent": "billing", "action": {"type": "payment.make", "amount": 10}, "run": "P-1"}
    approved = {**made, "action": {"type": "payment.approve", "amount": 10}}

    effects = [ask(may, each)[1]["effect"] for each in (made, approved, {**approved, "agent": "controller"})]

    assert effects == ["allow", "deny", "allow"]


def test_what_is_missing_is_named_and_a_person_is_asked(may: Door, tenant: Workspace, author: User) -> None:
    rule(tenant, author, "context.years >= 3")

    _, told = ask(may)

    assert (told["effect"], told["degraded"], told["missing"]) == ("hold", True, ["context.years"])


def test_an_amount_in_another_currency_is_not_compared(may: Door, tenant: Workspace, author: User) -> None:
    rule(tenant, author)
    foreign = {**REFUND, "action": {"type": "refund", "amount": 100, "currency": "JPY"}}

    _, told = ask(may, foreign)

    assert told["missing"] == ["action.amount"]
    assert (told["effect"], told["degraded"]) == ("hold", True)
    assert (
        "(not known: action.amount for lack of an exchange rate of JPY), so a person is asked"
        in told["reasons"][0]["words"]
    )


def euros(amount: float) -> dict[str, Any]:
    return {**REFUND, "action": {**REFUND["action"], "amount": amount, "currency": "EUR"}}  # type: ignore[dict-item]


def test_with_a_rate_amounts_of_another_currency_are_compared(may: Door, tenant: Workspace, author: User) -> None:
    rule(tenant, author)
    rates.put(tenant, {"EUR": Decimal("1.25")}, author)

    below, above = ask(may, euros(400))[1], ask(may, euros(400.01))[1]

    assert (below["effect"], above["effect"], above["missing"]) == ("allow", "hold", [])
    assert Decision.objects.get(id=above["id"]).facts["action.rate"] == 1.25
    assert Hold.objects.get(id=above["hold"]).proposal == "refund of 400.01 EUR"


def test_an_amount_is_lowered_in_the_currency_that_it_was_asked_in(may: Door, tenant: Workspace, author: User) -> None:
    rule(tenant, author, otherwise={"kind": "amend"})
    rates.put(tenant, {"EUR": Decimal("1.08")}, author)

    told = ask(may, euros(620))[1]

    assert (told["effect"], told["amend"]) == ("amend", {"amount": 462.96})


def test_what_was_asked_before_counts_in_the_own_currency(may: Door, tenant: Workspace, author: User) -> None:
    rule(tenant, author, "past.amount_account_24h + action.amount <= limit")
    rates.put(tenant, {"EUR": Decimal("2")}, author)

    first, second = ask(may, euros(200))[1], ask(may, euros(60))[1]

    assert (first["effect"], second["effect"]) == ("allow", "hold")


def test_secrets_are_gone_before_a_rule_sees_them(may: Door, tenant: Workspace) -> None:
    ask(may, {**REFUND, "context": {"password": "hunter2-and-more", "note": "fine"}})

    kept = Decision.objects.get(workspace=tenant).facts["context"]

    assert kept == {"password": "[redacted:secret]", "note": "fine"}


def test_a_shadow_changes_nothing_and_is_counted(may: Door, tenant: Workspace, author: User) -> None:
    policy = rule(tenant, author)
    body = {**policy.versions.get(number=1).body, "limits": {"limit": 1000}}
    lifecycle.save_draft(policy.pk, author, body)
    lifecycle.start_shadow(policy.pk, author)

    _, told = ask(may)

    decision = Decision.objects.get(workspace=tenant)
    assert told["effect"] == "hold"
    assert decision.shadow["tried"][str(policy.pk)] == {"version": 2, "effect": "allow"}


def test_a_version_that_was_published_cannot_be_edited_in_the_database(tenant: Workspace, author: User) -> None:
    policy = rule(tenant, author)

    with pytest.raises(Exception, match="no draft any more"), connection.cursor() as cursor:
        cursor.execute("update policies_policyversion set body = '{}' where policy_id = %s", [policy.pk])


@pytest.mark.parametrize("looks_back", [False, True])
def test_a_hold_knows_its_run_though_no_rule_reads_it(
    may: Door, tenant: Workspace, author: User, looks_back: bool
) -> None:
    run = make.run(tenant)
    rule(tenant, author, "action.amount <= limit" + (" && past.count_account_24h < 9.0" if looks_back else ""))

    ask(may, REFUND | {"run": str(run.id)})
    ask(may, REFUND | {"run": "never heard of"})

    assert list(Hold.objects.filter(workspace=tenant).order_by("opened_at").values_list("run_id", flat=True)) == [
        run.id,
        None,
    ]
    assert Decision.objects.filter(workspace=tenant, run_id=run.id).count() == 1


def test_a_key_whose_answer_was_forgotten_is_not_answered_anew(may: Door, tenant: Workspace) -> None:
    ask(may, key="K-1")
    Decision.objects.filter(workspace=tenant).update(facts={}, answer={}, forgotten_at=timezone.now())

    assert ask(may, key="K-1")[0] == 410


def test_a_rule_may_speak_of_another_currency_by_what_was_stated(may: Door, tenant: Workspace, author: User) -> None:
    rule(tenant, author, "action.currency == 'JPY' && action.stated <= 10000.0")
    action = {"type": "refund", "amount": 9000, "currency": "JPY"}

    effects = [
        ask(may, {**REFUND, "action": action | more})[1]["effect"]
        for more in ({}, {"amount": 11_000}, {"currency": "USD"})
    ]

    assert effects == ["allow", "hold", "hold"]
