from __future__ import annotations

import pytest

from orchestration.telemetry import retention


@pytest.fixture
def days(transactional_db: None) -> None:
    """Partitions for all days that may come in."""
    retention.ensure_partitions()
