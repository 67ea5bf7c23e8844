"""A whole Baton for the journeys: engines, web, workers and beat, as `make run` starts them."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.bench.stand import Stand, stand


@pytest.fixture(scope="package")
def baton() -> Iterator[Stand]:
    with stand(free_port()) as running:
        yield running


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
