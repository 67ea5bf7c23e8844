"""Logs hold facts, and nothing of what agents said."""

from __future__ import annotations

import json
import logging
import sys

import psycopg
from django.core.exceptions import BadRequest
from django.db import IntegrityError, connection
from structlog.stdlib import ProcessorFormatter

from orchestration.config.logs import logging_config


def line(logger: str, words: str, *values: object, failed: bool = False) -> dict[str, str]:
    """What a record becomes, read back."""
    described = logging_config()["formatters"]["line"]
    formatter = ProcessorFormatter(**{name: value for name, value in described.items() if name != "()"})
    failure = sys.exc_info() if failed else None
    record = logging.LogRecord(logger, logging.WARNING, __file__, 1, words, values, failure)
    return dict(json.loads(formatter.format(record)))


def test_a_record_is_one_line_of_json_with_its_room() -> None:
    record = line("orchestration.control.digest", "late by %d s", 3)

    assert (record["event"], record["level"]) == ("late by 3 s", "warning")
    assert record["logger"] == "orchestration.control.digest"
    assert record["timestamp"].endswith("Z")


def test_a_database_error_does_not_bring_the_row_it_complains_of(transactional_db: None) -> None:
    said = "-".join(["4111"] * 4)  # not to stand in the lines that a traceback shows
    record = {}
    with connection.cursor() as cursor:
        cursor.execute("create temp table said (words text not null, id int not null)")
        try:
            cursor.execute("insert into said values (%s, null)", [said])
        except IntegrityError as error:
            record = line("celery.app.trace", "Task raised unexpected: %r", error, failed=True)

    assert "null value in column" in record["event"]
    assert "null value in column" in record["exception"]
    assert said not in str(record)


def test_a_request_that_was_refused_is_a_line_without_a_trace() -> None:
    try:
        raise BadRequest("A range is a number and a unit")
    except BadRequest:
        refused = line("django.request", "%s: %s", "A range is a number and a unit", "/runs/", failed=True)

    assert refused["event"] == "A range is a number and a unit: /runs/"
    assert "exception" not in refused


def test_where_an_exception_came_from_is_told_with_its_cause() -> None:
    try:
        try:
            raise psycopg.OperationalError("gone\nDETAIL: secret")
        except psycopg.OperationalError as cause:
            raise RuntimeError("no digest") from cause
    except RuntimeError:
        told = line("orchestration", "failed", failed=True)["exception"]

    assert told.index("psycopg.OperationalError: gone") < told.index("builtins.RuntimeError: no digest")
    assert "test_logs.py" in told
