"""What an admin wants of a workflow, on its page; and the human load as a file."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from orchestration.ledger.models import Entry
from orchestration.workflows.models import Workflow
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import User, Workspace
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def flow(workspace: Workspace) -> Workflow:
    made = make.workflow(workspace, "Refund")
    make.ended(made, *[10] * 100, asked=30, at=timezone.now())
    return made


def save(client: Client, flow: Workflow, **said: Any) -> Any:
    return client.post(f"/workflows/{flow.slug}/wishes/", said)


def test_an_admin_sets_a_target_and_a_switch_with_receipts(client: Client, admin: User, flow: Workflow) -> None:
    client.force_login(admin)

    answer = save(client, flow, target="85", asks_when_failed="1")

    assert (answer.status_code, answer["Location"]) == (302, f"/workflows/{flow.slug}/")
    flow.refresh_from_db()
    assert (flow.alone_target, flow.asks_when_failed) == (0.85, True)
    assert Entry.objects.filter(subject_kind="workflow").count() == 2
    page = client.get(f"/workflows/{flow.slug}/").content.decode()
    assert "Below target" in page
    assert "70 of 100 runs in 30 days; 95%: 60.4 to 78.1%" in page
    assert "asks a person" in page


def test_no_target_is_none(client: Client, admin: User, flow: Workflow) -> None:
    client.force_login(admin)
    save(client, flow, target="85", asks_when_failed="1")

    save(client, flow, target="")

    flow.refresh_from_db()
    assert (flow.alone_target, flow.asks_when_failed) == (None, False)
    assert "No target" in client.get(f"/workflows/{flow.slug}/").content.decode()


@pytest.mark.parametrize("target", ["101", "-1", "many", "nan", "85.55"])
def test_what_is_no_share_is_refused_and_stays_in_the_form(
    client: Client, admin: User, flow: Workflow, target: str
) -> None:
    client.force_login(admin)

    answer = save(client, flow, target=target, asks_when_failed="1")

    assert answer.status_code == 422
    assert f'value="{target}"' in answer.content.decode()
    flow.refresh_from_db()
    assert (flow.alone_target, flow.asks_when_failed) == (None, False)


def test_only_admins_want_something(client: Client, operator: User, flow: Workflow) -> None:
    client.force_login(operator)

    assert save(client, flow, target="85").status_code == 403
    assert client.get(f"/workflows/{flow.slug}/wishes/").status_code == 405
    page = client.get(f"/workflows/{flow.slug}/").content.decode()
    assert "Handled without a person" in page
    assert 'name="target"' not in page


def test_an_unknown_workflow_is_not_there(client: Client, admin: User, workspace: Workspace) -> None:
    client.force_login(admin)

    assert client.post("/workflows/none/wishes/", {"target": "85"}).status_code == 404


def test_the_overview_the_api_and_the_file_say_the_same(
    client: Client, admin: User, workspace: Workspace, flow: Workflow
) -> None:
    client.force_login(admin)
    save(client, flow, target="85")

    key = create_key(workspace, "reader", ["read"])[1]
    told = client.get("/api/v1/overview", headers={"Authorization": f"Bearer {key}"}).json()["load"]["alone"]
    sheet = client.get("/load.csv?of=workflows")
    (line,) = csv.DictReader(io.StringIO(sheet.content.decode()))
    whole = client.get("/load.json").json()["without_a_person"]
    panel = client.get("/").content.decode()

    assert [(each["workflow"], each["runs"], each["alone"], each["share"]) for each in told] == [
        ("Refund", 100, 70, 0.7)
    ]
    assert (line["runs"], line["without_a_person"], line["share"], line["state"]) == ("100", "70", "0.7", "missed")
    assert (whole[0]["share"], [whole[0]["low"], whole[0]["high"]]) == (0.7, told[0]["interval"])
    assert "1 of 1 target missed" in panel
    assert sheet["Content-Disposition"].startswith("attachment; filename=")


def test_the_days_are_a_file_too(client: Client, operator: User, flow: Workflow) -> None:
    client.force_login(operator)

    days = list(csv.DictReader(io.StringIO(client.get("/load.csv").content.decode())))

    assert len(days) == 30
    assert (days[-1]["asked"], days[-1]["runs_ended"]) == ("30", "100")
    assert client.get("/load.xlsx").status_code == 404
    assert client.post("/load.csv").status_code == 405


def test_a_name_that_is_a_formula_is_none_in_the_file(client: Client, operator: User, workspace: Workspace) -> None:
    make.ended(make.workflow(workspace, "=1+1"), 10, at=timezone.now())
    client.force_login(operator)

    assert "\n'=1+1," in client.get("/load.csv?of=workflows").content.decode()


def test_whoever_is_not_logged_in_gets_no_file(client: Client, flow: Workflow) -> None:
    assert client.get("/load.csv").status_code == 302
