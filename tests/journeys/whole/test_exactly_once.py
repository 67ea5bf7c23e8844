"""Every acknowledged span counts once, whatever happens between the door and the figures."""

from __future__ import annotations

import random

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.bench.books import booked, lost_and_doubled, wrong_figures
from tests.bench.exactness import killer
from tests.bench.load import one_run, templates
from tests.bench.replay import as_json, at_once, halves, reversed_order
from tests.bench.sending import Line, Sent, Taken, closed_loop
from tests.bench.stand import Stand, Tenant
from tests.bench.traces import Shape
from tests.waiting import LONG_S


@pytest.fixture
def tenant(baton: Stand) -> Tenant:
    return baton.workspace()


def test_totals_by_agent_application_and_workflow_equal_what_was_sent(tenant: Tenant) -> None:
    requests = templates(8, Shape(spans=256, seed=11))

    sent = closed_loop(tenant.stand.url, tenant.key, requests)

    assert sent.spans == 8 * 256
    assert sent.totals.all[1] > 50  # some of it failed
    assert wrong_figures(tenant, sent, hours=False) == []
    assert lost_and_doubled(tenant, sent) == (0, 0, 0)


def test_totals_are_exact_though_each_request_comes_twice_and_workers_are_killed(tenant: Tenant) -> None:
    requests = templates(24, Shape(spans=200, seed=12))

    with killer(tenant.stand, random.Random(1), kills=5, every_s=0.1) as killed:
        sent = closed_loop(tenant.stand.url, tenant.key, requests, twice=True)
        tenant.stand.until(lambda: len(killed) >= 2, LONG_S)
        tenant.digested()

    assert sent.codes.keys() <= {200, 0, 429, 502, 503, 504}
    assert wrong_figures(tenant, sent) == []
    assert lost_and_doubled(tenant, sent) == (0, 0, 0)


def test_a_batch_again_in_every_way_changes_no_figure(tenant: Tenant) -> None:
    template = templates(1, Shape(spans=90, seed=13))[0]
    body, heads = template.fresh()
    sent = Sent(taken=[Taken(template, heads, 0.0, 0.0)])
    line = Line(tenant.stand.url, tenant.key)
    whole = ExportTraceServiceRequest.FromString(body)

    codes = [line.post(body)[0] for _ in range(5)] + at_once(tenant.stand.url, tenant.key, body, 16)
    codes += [line.post(again.SerializeToString())[0] for again in (reversed_order(whole), *halves(whole))]
    codes.append(line.post(as_json(whole), encoding="json")[0])
    tenant.settled()

    assert set(codes) == {200}
    assert sent.totals.differences(booked(tenant)) == []
    assert lost_and_doubled(tenant, sent) == (0, 0, 0)


def test_a_long_run_that_comes_in_random_order_is_told_whole(tenant: Tenant) -> None:
    bodies, trace = one_run(1500, 30)
    line = Line(tenant.stand.url, tenant.key)

    assert {line.post(body)[0] for body in bodies} == {200}
    tenant.settled()

    (run,) = tenant.get("/api/v1/runs")["items"]
    assert [run["spans"], run["errors"], run["tokens"]["input"], run["tokens"]["output"]] == trace.sums
    assert trace.totals.differences(booked(tenant)) == []
