"""How Baton itself is doing: silence is never success."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from uuid_utils.compat import uuid7

from dashboard.views.health import finding
from orchestration.control.health_figures import Health, PoisonedLine, SpanFlow
from orchestration.ledger import chain, checkpoints, entries
from orchestration.telemetry.models import Refusal
from orchestration.workspaces.models import Workspace
from tests.dashboard.conftest import region

NOW = datetime(2026, 11, 22, tzinfo=UTC)
WELL = Health(SpanFlow(1_200, 1_100, 0, 30.0), None, 0, [], [], [], [], [0] * 24, [0] * 24, 0)
BAD = PoisonedLine(uuid7(), NOW, NOW, "traces", "protobuf", 5, 900, 3, "DataError")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "All that was sent has been taken"),
        ({"flow": SpanFlow(0, 0, 0, None)}, "Nothing was sent in the last day"),
        ({"refused": 3}, "3 items were refused"),
        ({"refused": 1}, "1 item was refused"),
        ({"refused": 3, "oldest_waiting_s": 95.0}, "The oldest delivery has waited 1 m 35 s"),
        ({"oldest_waiting_s": 2.0}, "All that was sent has been taken"),
        ({"oldest_waiting_s": 95.0, "poisoned": [BAD]}, "1 delivery could not be digested"),
    ],
)
def test_the_finding_says_what_is_worst(changed: dict[str, Any], words: str) -> None:
    assert finding(replace(WELL, **changed), "the last day").words == words


def test_the_page_names_what_was_refused_and_what_is_stored(as_operator: Client, workspace: Workspace) -> None:
    Refusal.objects.create(workspace=workspace, at=timezone.now(), reason="span too old", n=7)

    text = as_operator.get("/settings/health/").content.decode()

    assert "7 items were refused" in text
    assert "span too old" in text
    assert "30 days" in text


@pytest.mark.parametrize("target", ["flow", "storage"])
def test_a_region_stands_alone(as_operator: Client, target: str) -> None:
    part = as_operator.get("/settings/health/", headers=region(target)).content.decode()

    assert f'id="{target}"' in part
    assert "<html" not in part


def test_a_ledger_that_was_cut_off_comes_first(
    as_operator: Client, workspace: Workspace, settings: Any, tmp_path: Path
) -> None:
    settings.LEDGER_CHECKPOINTS = tmp_path
    for n in range(3):
        entries.record(workspace.pk, "decision", ("decision", str(n)), "agent:bot", {}, timezone.now())
    assert chain.link() >= 3  # and what a request of another test wrote that was answered before it was done
    size = checkpoints.sign().size
    with connection.cursor() as cursor:
        cursor.execute("alter table ledger_link disable trigger all")
        cursor.execute("delete from ledger_link where seq > 1")

    text = as_operator.get("/settings/health/").content.decode()

    assert "The ledger is not signed any more" in text
    assert f"covers {size} entries, and only 1 are left" in text
    assert "manage.py verify_ledger" in text
