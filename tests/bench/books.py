"""What Baton says that it holds, to be compared with what was sent."""

from __future__ import annotations

from collections import Counter

from tests.bench.sending import Sent
from tests.bench.stand import Tenant
from tests.bench.totals import Totals

RUNS_BY_AGENT = 20  # rows of this kind count runs, not spans

BY_AGENT = """
select coalesce(a.name, ''), coalesce(g.name, ''), sum(n), sum(errors), sum(tokens_in), sum(tokens_out)
from {table} f left join registry_application a on a.id = f.application_id
left join registry_agent g on g.id = f.agent_id
where f.workspace_id = %s and f.kind <> %s group by 1, 2
"""
BY_WORKFLOW = """
select w.name, count(*), sum(r.spans), sum(r.errors), sum(r.tokens_in), sum(r.tokens_out)
from workflows_run r join workflows_workflow w on w.id = r.workflow_id
where r.workspace_id = %s and r.merged_into is null group by 1
"""


def booked(tenant: Tenant, table: str = "telemetry_spanminute") -> Totals:
    """Totals out of a figure table, and of the runs."""
    totals = Totals()
    for application, agent, *sums in tenant.rows(BY_AGENT.format(table=table), [RUNS_BY_AGENT]):
        totals.span(application, agent, [int(value) for value in sums])
    for workflow, *sums in tenant.rows(BY_WORKFLOW):
        totals.flows[workflow] = [int(value) for value in sums]
    return totals


def hours_rolled(tenant: Tenant, timeout: float = 60.0) -> None:
    tenant.none_left("select count(*) from telemetry_touchedhour where workspace_id = %s", timeout)


def wrong_figures(tenant: Tenant, sent: Sent, *, hours: bool = True) -> list[str]:
    """Everything in which minutes, hours and runs differ from what was acknowledged; empty when all is exact."""
    tenant.settled()
    expected = sent.totals
    found = expected.differences(booked(tenant))
    if hours:
        hours_rolled(tenant)
        found += [f"by hour: {words}" for words in expected.differences(booked(tenant, "telemetry_spanhour"))]
    return found


def lost_and_doubled(tenant: Tenant, sent: Sent) -> tuple[int, int, int]:
    """Acknowledged spans that are not there, spans that are there too often, and spans of requests that were never
    acknowledged (a request may have been stored although its answer was lost: that is no fault)."""
    expected: Counter[bytes] = Counter()
    for one in sent.taken:
        for trace, size in zip(one.template.trace_ids(one.heads), one.template.sizes, strict=True):
            expected[trace] += size
    query = "select trace_id, count(*), count(distinct span_id) from telemetry_span where workspace_id = %s group by 1"
    stored = {bytes(trace): (rows, ids) for trace, rows, ids in tenant.rows(query)}
    lost = sum(max(0, size - stored.get(trace, (0, 0))[1]) for trace, size in expected.items())
    doubled = sum(rows - ids for rows, ids in stored.values())
    return lost, doubled, sum(ids for trace, (_, ids) in stored.items() if trace not in expected)
