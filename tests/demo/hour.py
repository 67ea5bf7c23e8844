"""The simulated company played in no time, and received by a stand-in for the network."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchestration.demo.arrivals import Plan
from orchestration.demo.company import found
from orchestration.demo.history import PATIENT
from orchestration.demo.rhythm import MINUTE, Rhythm
from orchestration.demo.stage import Stage
from tests.client.receiver import Receiver, receiver


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


def once(seed: int, per_minute: float) -> Plan:
    """A company of long ago: the same in every run of the tests."""
    return Plan(Rhythm(1_778_750_220_000_000_000, days=0), seed, per_minute)


def lately(minutes: int, seed: int, per_minute: float) -> Plan:
    """A company that was founded so many minutes ago, in the middle of a working morning, and has no past."""
    return Plan(Rhythm(time.time_ns() - minutes * MINUTE, days=0), seed, per_minute)


def play(plan: Plan, minutes: int = 60, *, signs: bool = True) -> Hour:
    with receiver() as got:
        counts = rush(got.url, "a-key", plan, minutes, signs=signs)
        assert counts == {"taken": len(got.spans) + len(got.events), "refused": 0, "dropped": 0}
    return hour_of(got)


def hour_of(got: Receiver) -> Hour:
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


def rush(url: str, key: str, plan: Plan, minutes: int, *, signs: bool = True) -> dict[str, int]:
    """Play the first minutes of a company and send them; what is under way at the end stays so."""
    company = found(url, key, plan, Stage(), PATIENT)
    company.sight.signs = signs
    company.open(plan.rhythm.founded_ns)
    company.stage.rush(plan.rhythm.founded_ns + minutes * MINUTE)
    return company.close(60.0)
