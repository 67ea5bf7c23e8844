from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from allauth.account.internal.flows.login import record_authentication
from django.core.cache import cache
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone

from orchestration.policies.models import Policy
from orchestration.registry.models import Agent
from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows.models import Run, Workflow
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.make import Made


@dataclass(frozen=True, slots=True)
class Scene:
    """A workspace in which something has happened: one run of two agents, a failed call and its retry."""

    workspace: Workspace
    triage: Agent
    billing: Agent
    flow: Workflow
    run: Run
    failed: Made
    policy: Policy


FAILED = b"failed.."


def play(space: Workspace) -> Scene:
    began = timezone.now() - timedelta(minutes=2, seconds=20)  # no minute ends while a test looks
    triage, billing = make.agent(space, "triage"), make.agent(space, "billing")
    payments, flow = make.system(space, "payments"), make.workflow(space, "Refund")
    trace = bytes(range(16))
    root = Made("invoke_agent triage", Kind.AGENT, triage, ms=900)
    asked = Made("chat gpt-4.1", Kind.LLM, triage, parent=root, ms=200, values={"tokens_in": 120, "tokens_out": 30})
    child = Made("invoke_agent billing", Kind.AGENT, billing, parent=root, at_ms=250, ms=600)
    wrong = {"error": "Timeout: no answer from payments", "subject": "charge"}
    failed = Made("execute_tool charge", Kind.TOOL, billing, payments, child, 260, 90, Outcome.ERROR, wrong, FAILED)
    again = Made("execute_tool charge", Kind.TOOL, billing, payments, child, 360, 80, values={"subject": "charge"})
    make.spans(space, trace, began, root, asked, child, failed, again)
    run = make.run(space, flow, started_at=began, traces=[trace], agents=[triage.pk, billing.pk], spans=5, errors=1)
    make.calls(space, triage, n=40, failures=1, kind=Kind.LLM, on=make.system(space, "gpt-4.1", "model"))
    make.calls(space, billing, n=50, failures=20, on=payments)
    make.ended(flow, *[900.0] * 40, failed=3, asked=2, waiting_ms=500)
    make.stepped(flow, "charge", "billing", n=40, failed=3, work_ms=200, wait_ms=500)
    make.pulse(billing, timezone.now(), trace_id=trace)
    return Scene(space, triage, billing, flow, run, failed, make.policy(space))


def played(space: Workspace) -> Scene:
    """What `play` left, for the tests of a file that begin with it."""
    triage, billing = (Agent.objects.get(workspace=space, slug=f"desk-{name}") for name in ("triage", "billing"))
    flow = Workflow.objects.get(workspace=space, slug="refund")
    policy = Policy.objects.get(workspace=space, slug="refund-limit")
    run = Run.objects.get(workspace=space, workflow_id=flow.pk)
    failed = Made("execute_tool charge", Kind.TOOL, billing, id=FAILED)
    return Scene(space, triage, billing, flow, run, failed, policy)


@pytest.fixture(autouse=True)
def no_tries_counted() -> Iterator[None]:
    """Log-ins are counted in the cache: those of one test are not those of the next."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def scene(workspace: Workspace) -> Scene:
    return play(workspace)


@pytest.fixture
def as_reviewer(client: Client, reviewer: User) -> Client:
    client.force_login(reviewer)
    return client


@pytest.fixture
def as_admin(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


@pytest.fixture
def proven(client: Client, admin: User) -> Client:
    """An admin who has just given the password, as the session remembers it."""
    client.force_login(admin)
    request = HttpRequest()
    request.session = client.session
    record_authentication(request, admin, method="password")
    request.session.save()
    return client


def region(target: str) -> dict[str, str]:
    """Headers by which htmx asks for one region of a page."""
    return {"HX-Request": "true", "HX-Target": target}
