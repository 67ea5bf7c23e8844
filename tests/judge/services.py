"""Plain traces of services, without an agent: nothing is lost, nothing becomes a run, every service is a system."""

from __future__ import annotations

from collections import Counter

from tests.judge.agreement import Agreement, same
from tests.judge.imported import Imports

NAME = "service_faults"


def judge(imports: Imports, agreement: Agreement) -> None:
    if not imports.has(NAME):
        return
    spans = imports.lines(NAME)
    told = imports.spans(NAME)
    truth = {(s["trace_id"], s["span_id"], s["start_ns"] // 1000): s["attributes"]["service.name"] for s in spans}
    by_service = Counter(truth.values())
    rows = told.tenant.rows(
        "select a.name, count(*) from telemetry_span s join registry_application a on a.id = s.application_id "
        "where s.workspace_id = %s group by a.name"
    )
    said = {str(row[0]): int(row[1]) for row in rows}
    agreement.add(NAME, "lines of the file", f"{len(spans):,}", "", f"{len(spans) - len(truth):,} are repeats")
    agreement.count(NAME, "different spans", len(truth), sum(said.values()))
    agreement.share(NAME, "services with as many spans", same(by_service, said), len(by_service))
    known = {row[0] for row in told.tenant.rows("select name from registry_system where workspace_id = %s")}
    agreement.share(NAME, "services that are known as systems", len(known & set(by_service)), len(by_service))
    listed = {line["name"] for line in told.systems()}  # of those that somebody called in the last hour
    agreement.share(NAME, "… and listed, years after they were called", len(listed & set(by_service)), len(by_service))
    agreement.count(NAME, "runs (traffic between services is none)", 0, len(told.runs()))
    seen = sum(label["root_cause_seen"] for label in imports.lines(NAME, "labels.jsonl.gz"))
    agreement.silent(NAME, "root-cause instance of an injected fault", f"{seen}", "top 1 38% / 4%, top 3 50% / 21%")
