"""Answers that say no: what is wrong, whether to try again, and for machines that read RFC 9457 as a problem."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from time import monotonic
from typing import Any

from orchestration.handoffs.given import Fault, Wrong
from orchestration.policies.asks import BadAsk


class Gone(Exception):
    """The client went away; nobody waits for an answer."""


class Refused(Exception):
    """A request that is not taken. `reason` is what the health page counts; `detail` tells the client, and quotes
    nothing of its telemetry."""

    def __init__(self, status: int, reason: str, detail: str, *, retry_after: int = 0, allow: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.workspace_id = 0  # set once a key has told whose request it is
        self.headers = {
            name: value
            for name, value in (
                ("Retry-After", str(retry_after) if retry_after else ""),
                ("Allow", allow),
                ("WWW-Authenticate", "Bearer" if status == HTTPStatus.UNAUTHORIZED else ""),
            )
            if value
        }


class Full(Refused):
    """No more may wait here."""

    def __init__(self) -> None:
        super().__init__(503, "busy", "Too many wait at the moment.", retry_after=5)


def busy(detail: str, retry_after: int = 1) -> Refused:
    """OTLP clients try again after 503 and 429 only: any other code for "not now" is data loss."""
    return Refused(503, "busy", detail, retry_after=retry_after)


class Away:
    """When somebody was last told that the database does not answer: from then on nobody is told that all is well
    before it was tried anew."""

    told_at = 0.0


def unavailable() -> Refused:
    Away.told_at = monotonic()
    return Refused(503, "database", "The database does not answer.", retry_after=2)


def problem(status: int, detail: str, **more: Any) -> dict[str, Any]:
    """The body of an error as RFC 9457 has it."""
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}


def invalid(error: Wrong, detail: str = "") -> dict[str, Any]:
    """The body of a 422. Each of `errors` names its field, and says what is wrong with it as `message`; `detail` says
    the same, for programs that have learnt to look there."""
    errors = [fault.told | {"detail": fault.message} for fault in error.faults]
    return problem(422, detail or str(error), errors=errors)


def wrong(field: str, message: str, kind: str = "invalid") -> Wrong:
    return Wrong([Fault(field, kind, message)])


def faults_of(bad: BadAsk) -> Wrong:
    return Wrong(Fault(name, "invalid", message) for name, message in bad.faults)


def only(query: Mapping[str, Sequence[Any]], known: Collection[str]) -> None:
    """Raises Wrong for parameters of an address that nobody would look at: unknown ones, and all but the last of the
    same name. Answered without them, a list that was to be narrowed looks as if it had been."""
    faults = []
    for name, values in query.items():
        if name not in known:
            there = f"there are {', '.join(sorted(known))}" if known else "there is none here"
            faults.append(Fault(name[:80], "unknown", f"no parameter of this address; {there}"))
        elif len(values) > 1:
            faults.append(Fault(name, "repeated", "once, please"))
    if faults:
        raise Wrong(faults)
