from __future__ import annotations

import secrets
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from orchestration.outbox import endpoints
from orchestration.outbox.models import Endpoint
from orchestration.workspaces.models import User, Workspace
from tests.outbox.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.stop()


@pytest.fixture
def inside(settings: Any) -> None:
    """Receivers may stand on this machine."""
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.1/32")]


@pytest.fixture
def endpoint(workspace: Workspace, admin: User, receiver: Receiver, inside: None) -> Endpoint:
    return endpoints.add(workspace, receiver.url, ["hold.applied"], admin, secrets.token_hex(8))[0]
