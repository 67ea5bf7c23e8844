"""Logs of every process: one line a record, JSON unless a person watches; facts and ids, never telemetry content.

The database's errors quote the row they complain of, below their first line. So of an exception only the first line is
kept, and a message ends where such a quotation begins.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog

QUOTATION = re.compile(r"(?:\n|\\n)\s*(?:DETAIL|CONTEXT|QUERY|LINE \d+):.*", re.DOTALL)
WORDS = 300  # characters of an exception's own words
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def logging_config() -> dict[str, Any]:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    if sys.stderr.isatty():
        last: list[Any] = [structlog.dev.ConsoleRenderer()]
    else:
        last = [structlog.processors.ExceptionRenderer(told), structlog.processors.JSONRenderer()]
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, refused, unquoted, *last],
        "foreign_pre_chain": shared,
    }
    quiet = ("httpx", "httpcore", "urllib3", "asyncio")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {name: {"level": "WARNING"} for name in quiet}
        | {
            "django": {"level": "WARNING", "handlers": [], "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
            "celery": {"level": "WARNING"},
        },
    }


def refused(logger: Any, method: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A request that Django refuses is the caller's fault, and no trace of ours leads to it."""
    if record.get("logger") == "django.request" and record.get("level") == "warning":
        record.pop("exc_info", None)
    return record


def unquoted(logger: Any, method: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    record["event"] = QUOTATION.sub("", str(record.get("event", "")))
    return record


def told(exc_info: ExcInfo) -> str:
    """Where an exception came from, and the first line of what it says; causes first."""
    parts: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None and len(parts) < 5:
        words = str(error).partition("\n")[0][:WORDS]
        frames = "".join(traceback.format_tb(error.__traceback__))
        parts.append(f"{frames}{type(error).__module__}.{type(error).__qualname__}: {words}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\n".join(reversed(parts))
