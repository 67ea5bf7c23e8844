from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Workspace
from tests.api.door import Door, Server


@pytest.fixture(scope="session")
def served(django_db_setup: None) -> Iterator[int]:
    server = Server()
    yield server.start()
    server.stop()


@pytest.fixture
def door(served: int, transactional_db: None, workspace: Workspace) -> Door:
    """The served application, with a key that may send."""
    return Door(served, create_key(workspace, "test", ["ingest"])[1])
