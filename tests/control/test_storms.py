"""Storms of retries, from spans to a circuit that opens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestration.control import digest, usage
from orchestration.routing import circuits
from orchestration.routing.models import Breaker
from orchestration.workspaces.models import Workspace
from tests.control.test_digest import Sender, settle_all

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("days")]
HOUR = timedelta(hours=1)


def test_calls_that_are_tried_again_and_again_open_where_as_many_well_made_ones_do_not(workspace: Workspace) -> None:
    """Three runs hammer, among two hundred calls that go well; told by what runs show, however often they are told."""
    sent = [Sender(workspace) for _ in range(5)]
    for place, sender in enumerate(sent):
        root = sender.span("invoke_agent", gen_ai__operation__name="invoke_agent", gen_ai__agent__name="desk", took=9)
        for call in range(25 if place < 3 else 100):
            at, error = call / 20, "Timeout" if place < 3 else ""
            tool = {"gen_ai__operation__name": "execute_tool", "gen_ai__tool__name": "crm"}
            sender.span("execute_tool crm", root, at=at, took=0.01, error=error, **tool)

    for _ in range(2):
        for sender in sent:
            sender.deliver()
        while digest.digest(workspace.pk):
            pass
        settle_all(workspace)
    now = datetime.now(UTC)
    circuits.sweep_one(workspace.pk, now)

    row = Breaker.objects.get()
    assert row.words == "A storm of retries: 66 of 75 failed calls were at least the fourth try of the same, of 275"
    assert usage.by(usage.rows_between(workspace.pk, now - HOUR, now + HOUR), ()) == {(): usage.Use(275, 75)}
