"""The simulated company played in no time, and received by a stand-in for the network."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchestration.demo.company import found
from orchestration.demo.stage import Stage
from tests.client.receiver import Receiver, receiver

MINUTE_NS = 60_000_000_000


@dataclass
class Hour:
    """What arrived, with the service that each span came from."""

    spans: list[dict[str, Any]]
    events: list[dict[str, Any]]

    def of(self, key: str, value: str) -> list[dict[str, Any]]:
        return [span for span in self.spans if span["a"].get(key) == value]

    @property
    def traces(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for span in self.spans:
            found[span["traceId"]].append(span)
        return found


def play(seed: int, minutes: int = 60) -> Hour:
    with receiver() as got:
        counts = rush(got.url, "a-key", seed, minutes)
        assert counts == {"taken": len(got.spans) + len(got.events), "refused": 0, "dropped": 0}
    return Hour(list(with_service(got)), got.events)


def with_service(got: Receiver) -> Iterator[dict[str, Any]]:
    for path, _, body in got.requests:
        if path == "/v1/traces":
            (group,) = body["resourceSpans"]
            service = values(group["resource"])["service.name"]
            for span in group["scopeSpans"][0]["spans"]:
                yield span | {"service": service, "a": values(span)}


def values(of: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in of["attributes"]}


def rush(url: str, key: str, seed: int, minutes: int) -> dict[str, int]:
    """Play the last minutes and send them; what is under way at the end stays so."""
    start = time.time_ns() - minutes * MINUTE_NS
    stage = Stage(clock=lambda: start)
    company = found(url, key, seed=seed, stage=stage)
    for minute in range(minutes):
        stage.rush(start + (minute + 1) * MINUTE_NS)
        for exporter in company.exporters:
            exporter.flush()
    return company.close()
