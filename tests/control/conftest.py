from __future__ import annotations

import secrets

import pytest

from orchestration.telemetry import retention
from orchestration.workspaces.models import Workspace


@pytest.fixture
def days(transactional_db: None) -> None:
    """Partitions for all days that may come in."""
    retention.ensure_partitions()


@pytest.fixture
def tenant(transactional_db: None) -> Workspace:
    """One that the served application sees too."""
    return Workspace.objects.create(slug=f"tenant-{secrets.token_hex(4)}", name="Tenant")
