"""`/ledger/`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from orchestration.ledger import chain, entries, evidence
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import User, Workspace

pytestmark = pytest.mark.django_db
NAME = "bot <b>\u202e"


@pytest.fixture(autouse=True)
def outside(settings: Settings, tmp_path: Path) -> None:
    settings.LEDGER_CHECKPOINTS = tmp_path


@pytest.fixture
def entry(workspace: Workspace) -> UUID:
    told = {"effect": "hold", "action": "refund", "amount": "620", "matches": {"hold": ["refund-limit@7"]}}
    made = entries.record(workspace.pk, "decision", ("decision", "d-1"), f"agent:{NAME}", told, datetime.now(UTC))
    chain.link()
    return made


def text(client: Client, address: str, **headers: str) -> str:
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_entry_is_listed_with_who_what_rule_and_place(as_operator: Client, entry: UUID) -> None:
    page = text(as_operator, "/ledger/")

    assert "refund of 620" in page
    assert "refund-limit v7" in page
    assert "<b>\u202e" not in page
    assert f"/ledger/{entry}/" in page


def test_amounts_are_grouped_and_keys_have_their_names(as_operator: Client, workspace: Workspace) -> None:
    key, _ = create_key(workspace, "night batch", ["decide"])
    for subject, amount in (("d-1", "1254.5900"), ("d-2", "a lot"), ("d-3", "1e999999")):
        told = {"effect": "allow", "action": "payout", "amount": amount}
        entries.record(workspace.pk, "decision", ("decision", subject), f"key:{key.pk}", told, datetime.now(UTC))

    page = text(as_operator, "/ledger/")

    assert all(
        said in page for said in ("payout of 1,254.59<", "payout of a lot", "payout of 1e999999", "key night batch")
    )


def test_the_list_alone_is_what_is_in_the_page(as_operator: Client, entry: UUID) -> None:
    part = text(as_operator, "/ledger/", HX_Request="true", HX_Target="entries")

    assert "<html" not in part
    assert "refund-limit v7" in part


def test_filters_narrow_and_say_when_nothing_fits(as_operator: Client, entry: UUID) -> None:
    assert "refund of 620" in text(as_operator, "/ledger/?kind=decision&q=bot")
    assert "No entries match" in text(as_operator, "/ledger/?kind=verdict")


def test_verify_lists_each_check(as_operator: Client, entry: UUID) -> None:
    page = text(as_operator, f"/ledger/{entry}/?verify=1")

    assert "Proved." in page
    assert page.count("Good: ") == 6


def test_a_changed_entry_is_not_proved(as_operator: Client, entry: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute("alter table ledger_entry disable trigger all")
        cursor.execute("update ledger_entry set body = replace(body, '620', '62')")

    assert "Not proved." in text(as_operator, f"/ledger/{entry}/?verify=1")


def test_an_admin_can_verify_the_whole_chain(client: Client, admin: User, operator: User, entry: UUID) -> None:
    client.force_login(admin)
    assert "are as they were recorded" in text(client, "/ledger/?verify=all", HX_Request="true", HX_Target="verify")

    client.force_login(operator)
    assert "The whole chain" not in text(client, "/ledger/?verify=all")


def test_evidence_can_be_checked_elsewhere(as_operator: Client, entry: UUID) -> None:
    answer = as_operator.get("/ledger/?as=evidence")

    bundle = orjson.loads(answer.content)
    assert "attachment" in answer["Content-Disposition"]
    assert len(bundle["entries"]) == 1
    assert evidence.check(bundle) == []


def test_another_workspaces_entry_is_not_there(client: Client, stranger: User, entry: UUID) -> None:
    client.force_login(stranger)

    assert client.get(f"/ledger/{entry}/").status_code == 404
    assert "refund of 620" not in text(client, "/ledger/")


def test_nobody_is_let_in_without_logging_in(client: Client, entry: UUID) -> None:
    assert client.get("/ledger/").status_code == 302
    assert client.get(f"/ledger/{uuid4()}/").status_code == 302


def test_only_reading_is_served(as_operator: Client, entry: UUID) -> None:
    assert as_operator.post("/ledger/").status_code == 405


def test_the_api_proves_an_entry_and_no_other_workspaces(as_operator: Client, client: Client, entry: UUID) -> None:
    made = as_operator.get(f"/api/v1/ledger/entries/{entry}/proof").json()
    heads = as_operator.get("/api/v1/ledger/checkpoints").json()

    assert evidence.check({"format": evidence.FORMAT, "checkpoint": made["checkpoint"], "entries": [made]}) == []
    assert heads["items"][0] == made["checkpoint"]
    assert as_operator.get(f"/api/v1/ledger/entries/{uuid4()}/proof").status_code == 404
    assert as_operator.get("/api/v1/ledger/entries").json()["items"][0]["id"] == str(entry)
    assert as_operator.get("/api/v1/ledger/entries?cursor=x").status_code == 422


SAID = [
    (
        "key.created",
        {"name": "refund-bot", "scopes": ["ingest", "decide"], "agents": ["refund"]},
        "made",
        "key refund-bot: may ingest, decide, for refund",
    ),
    (
        "key.limited",
        {"name": "refund-bot", "spans_per_second": 1200, "bytes_per_day": None},
        "limited",
        "key refund-bot to 1,200 spans a second",
    ),
    (
        "workspace.limited",
        {"spans_per_second": None, "bytes_per_day": None},
        "limited",
        "all keys together to nothing: as much as comes",
    ),
    (
        "member.invited",
        {"for": "Ana", "roles": ["reviewer"], "sees_content": True},
        "invited",
        "Ana as reviewer, may read prompts and results",
    ),
    (
        "member.changed",
        {
            "name": "ana",
            "roles": ["admin"],
            "sees_content": False,
            "before": {"roles": ["operator"], "sees_content": False},
        },
        "set",
        "ana to admin, before operator",
    ),
    ("member.removed", {"name": "ana", "roles": []}, "removed", "ana"),
    ("person.second_step_off", {"name": "ana"}, "switched off the second step of logging in of", "ana"),
    ("person.second_step_removed", {"name": "ana"}, "took away the second step of logging in of", "ana"),
    (
        "webhook.created",
        {"host": "https://hooks.example", "events": []},
        "added the webhook to",
        "https://hooks.example",
    ),
    (
        "price.changed",
        {"model": "gpt-4.1", "input": "2.50", "output": "8", "cached": None, "before": None},
        "priced",
        "gpt-4.1 at 2.5 in, 8 out",
    ),
    (
        "workspace.retention",
        {"before": {"span_days": 30, "run_days": 400}, "after": {"span_days": 7, "run_days": 400}},
        "set what is kept:",
        "spans 7 days, runs 400 days, before spans 30 days, runs 400 days",
    ),
    ("workspace.currency", {"before": "USD", "after": "EUR"}, "set the currency to", "EUR, before USD"),
    (
        "policy.asked",
        {"policy": "refund-limit", "act": "revert", "version": 1, "live": 2},
        "asked a second person to",
        "revert refund-limit to v1",
    ),
    ("rules.two_people", {"after": False}, "let publishing take", "one person"),
    ("hold.late", {"policy": "refund-limit", "agent": "refund"}, "found a question late", "refund-limit of refund"),
    (
        "slice.found",
        {"traits": '[["agent","desk-billing"]]', "n": 1340, "failures": 9},
        "found worse than the rest",
        "agent desk-billing: 9 of 1,340 failed",
    ),
    (
        "handoff.returned",
        {"from": "triage", "to": "billing", "run": "case-1"},
        "gave up who had taken:",
        "triage to billing, run case-1",
    ),
    ("price.changed", {"model": "spoilt", "before": 3, "input": [], "output": {}}, "priced", "spoilt at"),
    ("key.created", {"name": "x", "agents": 7, "scopes": 5}, "made", "key x"),
    ("workspace.retention", {"before": None, "after": {"span_days": "many"}}, "set what is kept:", "n/a"),
]


@pytest.mark.parametrize(("kind", "told", "act", "what"), SAID)
def test_every_act_of_an_admin_reads_as_a_sentence(
    as_admin: Client, workspace: Workspace, kind: str, told: dict[str, object], act: str, what: str
) -> None:
    entries.record(workspace.pk, kind, ("thing", "n/a"), "person:mia", told, datetime.now(UTC))

    page = text(as_admin, "/ledger/")

    assert "mia" in page
    assert re.search(rf"{re.escape(act)}\s+<[^>]*>{re.escape(what)}", page), page[page.find(act) :][:300]
