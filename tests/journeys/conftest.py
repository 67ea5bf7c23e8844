"""A whole Baton for the journeys: engines, web, workers and beat, as `make run` starts them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.bench.stand import Stand, stand
from tests.config.running import free_port
from tests.waiting import LONG_S

expect.set_options(timeout=LONG_S * 1000)


@pytest.fixture(scope="package")
def baton() -> Iterator[Stand]:
    with stand(free_port()) as running:
        yield running
