"""Parts die under load; what was acknowledged is there all the same, once."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.bench.books import lost_and_doubled, wrong_figures
from tests.bench.faults import fill_disk, kill_valkey, kill_web, kill_workers, lock_table, stop_postgres
from tests.bench.load import templates
from tests.bench.sending import for_seconds
from tests.bench.stand import Stand
from tests.bench.traces import Shape
from tests.waiting import allowed

Strike = Callable[[Stand, float], None]


@pytest.mark.parametrize(
    "strike",
    [
        pytest.param(kill_web, id="web"),
        pytest.param(kill_workers, id="workers"),
        pytest.param(stop_postgres, id="postgres"),
        pytest.param(kill_valkey, id="valkey"),
        pytest.param(lock_table("telemetry_delivery"), id="lock"),
        pytest.param(fill_disk, id="disk"),
    ],
)
def test_what_was_acknowledged_survives_the_death_of(baton: Stand, strike: Strike) -> None:
    tenant = baton.workspace()
    choice = templates(6, Shape(spans=20, trace=(4, 10), seed=14))

    def later() -> None:
        time.sleep(0.5)
        strike(baton, 1.5)

    with ThreadPoolExecutor(1) as beside:
        fault = beside.submit(later)
        sent = for_seconds(baton.url, tenant.key, choice, 2.0, connections=3, pause_s=0.02)
        fault.result()
    baton.until(baton.ready, allowed(30))

    assert sent.spans > 0
    assert sent.given_up == 0
    assert sent.codes.keys() <= {200, 0, 429, 502, 503, 504}
    tenant.settled()
    lost, doubled, unasked = lost_and_doubled(tenant, sent)
    assert (lost, doubled) == (0, 0)
    assert unasked or wrong_figures(tenant, sent, hours=False) == []
