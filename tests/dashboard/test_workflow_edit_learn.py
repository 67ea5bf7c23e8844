"""A draft that is learnt from runs, on its page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows import declared, kept_trails
from orchestration.workflows.declared_models import DefinitionVersion
from orchestration.workflows.definition import parse
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.make import Made

pytestmark = pytest.mark.django_db
ADDRESS = "/workflows/refund/learn/"


def seen(space: Workspace, runs: int, asked: int = 0) -> None:
    """Runs that look and pay, at the second try; and some that ask somebody in between."""
    flow, clerk = make.workflow(space, "Refund"), make.agent(space, "clerk")
    for n in range(runs):
        began, trace = timezone.now() - timedelta(minutes=10 + n), n.to_bytes(16, "big")
        root = Made("invoke_agent clerk", Kind.AGENT, clerk, ms=900)
        acts = [
            Made("look", Kind.TOOL, clerk, None, root, 10, 20),
            Made("pay", Kind.TOOL, clerk, None, root, 300, 20, Outcome.ERROR, {"error": "Timeout: slow"}),
            Made("pay", Kind.TOOL, clerk, None, root, 400, 20),
        ]
        acts += [Made("second opinion", Kind.TOOL, clerk, None, root, 100, 20)] if n < asked else []
        make.spans(space, trace, began, root, *acts)
        make.run(space, flow, started_at=began, traces=[trace], spans=len(acts) + 1)
    kept_trails.sweep()


def test_few_runs_are_not_enough_and_the_page_says_so(as_admin: Client, workspace: Workspace) -> None:
    seen(workspace, 3)

    page = as_admin.get(ADDRESS).content.decode()

    assert "3 runs are not enough" in page
    assert "Make it a draft" not in page
    as_admin.post(ADDRESS, {"share": "80"})
    assert not DefinitionVersion.objects.exists()


def test_runs_that_were_not_looked_at_yet_are_told(as_admin: Client, workspace: Workspace) -> None:
    seen(workspace, 3)
    make.run(workspace, make.workflow(workspace, "Refund"), spans=1)

    for part in ("learn", "conformance"):
        page = as_admin.get(f"/workflows/refund/{part}/").content.decode()
        assert "So far 3 of 4 runs that ended were looked at" in page
    kept_trails.sweep()
    assert "So far" not in as_admin.get(ADDRESS).content.decode()


def test_a_draft_is_learnt_once_with_what_it_stands_on_and_what_was_left_out(
    as_admin: Client, workspace: Workspace
) -> None:
    seen(workspace, 40, asked=10)

    page = as_admin.get(ADDRESS).content.decode()
    for _ in range(2):
        assert as_admin.post(ADDRESS, {"share": "80"})["Location"] == "/workflows/refund/edit/"

    assert "30 of 40 completed runs" in page
    assert "10 of 40 (25%)" in page
    version = DefinitionVersion.objects.get()
    assert (version.state, version.origin, version.number) == ("draft", "learnt", 1)
    look, pay = version.body["steps"]
    assert (look["after"], look["idempotent"], look["retry"]["rules"]) == ([], False, [])
    assert (pay["after"], pay["owner"], pay["retry"]["rules"][0]["on"]) == (["look"], {"agent": "clerk"}, ["timeout"])
    assert "second opinion" not in str(version.body)


def test_what_somebody_wrote_is_not_overwritten_unseen(as_admin: Client, workspace: Workspace) -> None:
    seen(workspace, 30)
    body = {"name": "Refund", "steps": [{"id": "a", "owner": {"agent": "b"}}]}
    written = declared.save(workspace.pk, parse(body), "person:other")

    as_admin.post(ADDRESS, {"share": "80", "seen": ""})
    written.refresh_from_db()
    assert written.origin == "written"
    as_admin.post(ADDRESS, {"share": "80", "seen": written.digest})

    written.refresh_from_db()
    assert written.origin == "learnt"


def test_only_admins_make_a_draft(client: Client, operator: User, workspace: Workspace) -> None:
    seen(workspace, 30)
    client.force_login(operator)

    assert "Make it a draft" not in client.get(ADDRESS).content.decode()
    assert client.post(ADDRESS, {"share": "80"}).status_code == 403
    assert not DefinitionVersion.objects.exists()
