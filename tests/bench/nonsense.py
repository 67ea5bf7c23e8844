"""Whatever is sent to any operation that the API describes, there is an answer, and it is as described (P3).

Schemathesis makes the requests, fitting and not, from the description that the running Baton serves, whole: what is
read, what is ordered and what is sent. The suite asks every question with values of its own (`tests/api/asked.py`).
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, settings

from tests.bench.report import Report
from tests.bench.stand import Stand

if TYPE_CHECKING:
    from schemathesis import Case

SCOPES = "ingest,decide,work,read,admin"
PATIENCE_S = 20
WAITING = "wait"  # which means what it says: a minute


def measure(stand: Stand, report: Report, examples: int) -> None:
    import schemathesis  # noqa: PLC0415  half a second that no other bench waits for

    logging.getLogger("urllib3").setLevel(logging.ERROR)
    key = stand.manage("create_key", "--workspace", "default", "--name", "nonsense", "--scopes", SCOPES)
    schema = schemathesis.openapi.from_url(f"{stand.url}/api/v1/openapi.json")
    operations: list[Any] = [result.ok() for result in schema.get_all_operations()]  # type: ignore[union-attr]
    answers: Counter[int] = Counter()
    failed: set[str] = set()
    unlike: set[str] = set()
    for place, operation in enumerate(operations, 1):
        report.say(f"{place} of {len(operations)}: {operation.label}")
        _ask(schema, operation, key, examples, (answers, failed, unlike))
    told = ", ".join(f"{status}: {n:,}" for status, n in sorted(answers.items()))
    report.add("requests", f"{sum(answers.values()):,} to {len(operations)} operations", ratio=told)
    report.none("answered with 5xx, or not at all", len(failed), "; ".join(sorted(failed)[:5]))
    report.none("answers that are not as described", len(unlike), "; ".join(sorted(unlike)[:15]))
    stand.until(stand.ready, PATIENCE_S)


def _ask(schema: Any, operation: Any, key: str, examples: int, found: tuple[Counter[int], set[str], set[str]]) -> None:
    from requests import RequestException  # noqa: PLC0415
    from schemathesis.checks import not_a_server_error  # noqa: PLC0415
    from schemathesis.core.failures import Failure, FailureGroup  # noqa: PLC0415
    from schemathesis.generation.feedback import NO_FEEDBACK  # noqa: PLC0415
    from schemathesis.pytest._test_builder import build_operation_test  # noqa: PLC0415
    from schemathesis.specs.openapi import checks  # noqa: PLC0415

    answers, failed, unlike = found
    promises: list[Any] = [
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]

    def send(case: Case[Any]) -> None:
        for given in (case.query, case.body):
            if isinstance(given, dict):
                given.pop(WAITING, None)
        try:
            response = case.call(headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE_S)
        except RequestException as error:
            failed.add(f"{operation.label}: {type(error).__name__}")
            return
        answers[response.status_code] += 1
        told: list[tuple[set[str], list[Any]]] = [(failed, [not_a_server_error]), (unlike, promises)]
        for kept, checked in told:
            try:
                case.validate_response(response, checks=checked)
            except (Failure, FailureGroup) as fault:
                kept.add(f"{operation.label}: {response.status_code} {_words(fault)}")

    build_operation_test(
        config=schema.config,
        operation=operation,
        test_func=settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(send),
        given_kwargs={},
        feedback=NO_FEEDBACK,
    )()


def _words(fault: Any) -> str:
    first = fault.exceptions[0] if hasattr(fault, "exceptions") else fault
    return " ".join(str(first).split())[:160]
