from __future__ import annotations

import pytest
from django.test import Client

from orchestration.workspaces.models import User


@pytest.fixture
def as_reviewer(client: Client, reviewer: User) -> Client:
    client.force_login(reviewer)
    return client
