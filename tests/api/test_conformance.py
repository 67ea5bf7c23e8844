"""How declared workflows stand and whether runs keep to their path, as JSON: what the pages say."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from orchestration.telemetry.spans import Kind
from orchestration.workflows import kept_trails
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.api.test_figures import Api
from tests.control import flows
from tests.make import Made

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(workspace: Workspace) -> Api:
    return Api(workspace, "read")


def test_the_page_and_the_api_say_the_same_of_conformance(
    client: Client, operator: User, workspace: Workspace, api: Api
) -> None:
    flow, clerk = make.workflow(workspace, "Refund"), make.agent(workspace, "clerk")
    flows.declare(workspace, flows.step("look"), flows.step("pay", "look"))
    for n, names in enumerate((["look", "pay"], ["pay"], ["look", "pay", "look"])):
        began, trace = timezone.now() - timedelta(minutes=5 + n), bytes([n]) * 16
        root = Made("invoke_agent clerk", Kind.AGENT, clerk, ms=900)
        acts = [Made(name, Kind.TOOL, clerk, parent=root, at_ms=10 + 50 * m, ms=20) for m, name in enumerate(names)]
        make.spans(workspace, trace, began, root, *acts)
        make.run(workspace, flow, started_at=began, traces=[trace], spans=4)
    client.force_login(operator)
    before = api.get("workflows/refund/conformance").json()
    kept_trails.sweep()

    told = api.get("workflows/refund/conformance").json()
    page = client.get("/workflows/refund/conformance/").content.decode()

    assert (told["path"], told["version"], told["runs"], told["conforming"]) == ("declared", 1, 3, 1)
    assert {each["verdict"] for each in told["deviations"]} == {"skipped", "repeated"}
    assert (before["runs"], before["looked_at"], before["ended"]) == (0, 0, 3)
    assert (told["looked_at"], told["ended"]) == (3, 3)
    assert "1 of 3 runs of" in page
    assert page.count('<tr id="r-') == 2


def test_what_waits_is_told_by_owner(workspace: Workspace, api: Api) -> None:
    make.workflow(workspace, "Refund")
    assert api.get("workflows/refund/standing").status_code == 404
    flows.declare(workspace, flows.step("pay"))
    flows.begin(workspace)
    flows.begin(workspace)
    flows.one(workspace)

    told = api.get("workflows/refund/standing").json()

    assert (told["live"], told["versions"], told["at_work"], told["waiting"]) == (
        1,
        [{"version": 1, "running": 2, "undoing": 0}],
        1,
        1,
    )
    assert [(each["owner_kind"], each["owner"], each["steps"]) for each in told["queues"]] == [("skill", "any", 1)]
