"""A whole Baton for these journeys: engines, web, workers and beat, as `make run` starts them. It ends with the last of
them, since one that only stands by takes a fifth of a processor from all tests that follow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench.stand import Stand, stand
from tests.config.running import free_port


@pytest.fixture(scope="package")
def baton() -> Iterator[Stand]:
    with stand(free_port()) as running:
        yield running
