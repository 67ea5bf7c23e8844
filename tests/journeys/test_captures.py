"""What real frameworks sent, through the real door, digest and API: every fact of every run as its program knew it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.test import Client

from orchestration.control import digest
from orchestration.registry.models import ToolSystem
from orchestration.telemetry import retention
from orchestration.telemetry.models import Delivery, SpanMinute
from orchestration.telemetry.spans import Kind
from orchestration.workflows.models import Run
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Workspace
from tests import captures
from tests.api.door import Door
from tests.control.test_digest import settle_all
from tests.telemetry import manifests
from tests.waiting import LONG_S

pytestmark = pytest.mark.django_db(transaction=True)
STAGES = 12  # in about so many a run comes at most: in between, what more there is comes to what is known already


@pytest.fixture
def port(served: int, transactional_db: None) -> int:
    retention.ensure_partitions()
    return served


def replay(port: int, key: str, requests: Sequence[captures.Request], workspace: Workspace, *, each: bool) -> None:
    """Send, digest and settle; after `each` request (of many after each few), or once at the end."""
    door, few = Door(port, key), max(1, len(requests) // STAGES)
    for number, request in enumerate(requests, 1):
        packed = {"content_encoding": "gzip"} if "content-encoding" in request.headers else {}
        body = [request.body] if request.chunked else request.body
        answer = door.send(request.path, body, request.headers["content-type"], timeout=LONG_S, **packed)
        assert answer.status == 200
        assert answer.headers["content-type"].split(";")[0] == request.headers["content-type"]
        if each and number % few == 0:
            digest.digest(workspace.pk)
            settle_all(workspace)
    while digest.digest(workspace.pk):
        pass
    settle_all(workspace)


def told(key: str) -> list[dict[str, Any]]:
    """Every run as the API shows it alone."""
    client, headers = Client(), {"authorization": f"Bearer {key}"}
    runs = client.get("/api/v1/runs", {"limit": 100}, headers=headers).json()["items"]
    return [client.get(f"/api/v1/runs/{run['id']}", headers=headers).json() for run in runs]


def figures(workspace: Workspace) -> dict[tuple[int, int, int], tuple[int, int, int, int]]:
    rows: dict[tuple[int, int, int], tuple[int, int, int, int]] = {}
    for row in SpanMinute.objects.filter(workspace=workspace):
        key = row.agent_id, row.system_id, row.kind
        was = rows.get(key, (0, 0, 0, 0))
        rows[key] = (was[0] + row.n, was[1] + row.errors, was[2] + row.tokens_in, was[3] + row.tokens_out)
    return {key: row for key, row in rows.items() if any(row)}


@pytest.mark.parametrize("folder", captures.FOLDERS)
def test_every_fact_of_a_capture_is_told_in_every_variant(folder: str, port: int) -> None:
    wrong, totals = [], []
    for variant in captures.VARIANTS:
        workspace = Workspace.objects.create(slug=variant, name=variant)
        for tool, system in manifests.SYSTEMS.items():
            ToolSystem.objects.create(workspace=workspace, tool=tool, system=system)
        key = create_key(workspace, "exporter", ["ingest", "read"])[1]
        replay(port, key, captures.requests(folder, variant), workspace, each=variant == "reversed")

        found = manifests.compare(manifests.facts(folder), told(key))
        print(f"{folder:20} {variant:9} {sum(f.ok for f in found)} of {len(found)} facts")
        wrong += [(variant, fact) for fact in found if not fact.ok]
        totals.append(sorted(figures(workspace).values()))

    assert not wrong
    assert not Delivery.objects.exists()
    assert totals == totals[:1] * len(totals)


@pytest.mark.parametrize("folder", ["pydantic-ai", "langgraph", "autogen"])
def test_tokens_and_calls_of_a_capture_are_counted_once_in_the_figures(folder: str, port: int) -> None:
    workspace = Workspace.objects.create(slug="w", name="w")
    key = create_key(workspace, "exporter", ["ingest", "read"])[1]
    replay(port, key, captures.requests(folder, "twice"), workspace, each=True)

    rows = figures(workspace)

    runs = Run.objects.filter(workspace=workspace, merged_into=None)
    assert sum(row[2] for row in rows.values()) == sum(run.tokens_in for run in runs)
    assert sum(row[0] for key, row in rows.items() if key[2] == Kind.RUN) == sum(len(run.agents) for run in runs)
    assert sum(row[1] for key, row in rows.items() if key[2] == Kind.TOOL) == sum(run.tool_failures for run in runs)
