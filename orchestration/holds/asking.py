"""An agent asks a person directly: what it sends is read with every fault named, and stored with its receipt in one
statement. A question without what a person needs to answer it is sent back: asking badly costs people more than asking.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from orchestration.holds.models import Source
from orchestration.holds.told import SHOWN, told
from orchestration.ledger import entries
from orchestration.outbox.models import Event
from orchestration.policies import asks
from orchestration.policies.asks import BadAsk
from orchestration.telemetry.redaction import redact_attributes, redact_text

PROSE_CHARS = 2000
LATEST = timedelta(days=365)
NEEDED = ("agent", "question", "proposal", "why", "evidence", "cost_of_waiting", "reversible")
PARTS = (*NEEDED, "run", "step", "skill", "due_at", "key")
_PROSE = ("question", "proposal", "why", "cost_of_waiting")
_NAMES = ("run", "step", "skill")

OPEN = """
with hold as (
    insert into holds_hold select r.* from jsonb_populate_record(null::holds_hold, %(hold)s::jsonb) r
    on conflict do nothing returning 1
), entry as (
    insert into ledger_entry select r.* from hold, jsonb_populate_record(null::ledger_entry, %(entry)s::jsonb) r
), message as (
    insert into outbox_message
        (id, workspace_id, endpoint_id, event, key, data, state, attempts, fence, due_at, created_at, error)
    select gen_random_uuid(), e.workspace_id, e.id, %(event)s::text, %(event)s::text || ' ' || %(id)s::text,
        %(told)s::jsonb, 'pending', 0, 0, now(), now(), ''
    from hold, outbox_endpoint e where e.workspace_id = %(workspace)s and e.events @> array[%(event)s::varchar]
)
select count(*) from hold
"""
BEFORE = f"select digest, {', '.join(SHOWN)} from holds_hold where workspace_id = %s and key = %s"


@dataclass(frozen=True, slots=True)
class Question:
    agent: str
    question: str
    proposal: str
    why: str
    evidence: list[Any]
    cost_of_waiting: str
    reversible: bool | None  # None: nobody could say, which agents may not leave open
    run: str = ""
    step: str = ""
    skill: str = ""
    due_at: datetime | None = None


def read(given: Any, now: datetime) -> Question:
    """Without secrets from here on. Raises BadAsk, which names every field that is missing or wrong."""
    if not isinstance(given, dict):
        raise BadAsk([("", f"A question is an object with {', '.join(NEEDED)}.")])
    faults = [(name, "A question has no such part.") for name in sorted(set(given) - set(PARTS))]
    names = {name: _text(given, name, asks.TEXT_CHARS, faults) for name in ("agent", *_NAMES)}
    prose = {name: redact_text(_text(given, name, PROSE_CHARS, faults))[0] for name in _PROSE}
    if not isinstance(given.get("reversible"), bool):
        faults.append(("reversible", "This is true or false, and is needed."))
    if given.get("evidence") is None:
        faults.append(("evidence", "This is needed: a list, empty where there is none."))
    evidence = asks.listed(given.get("evidence"), faults)
    due_at = _due(given.get("due_at"), now, faults)
    if faults:
        raise BadAsk(faults)
    clean = list(redact_attributes({str(place): each for place, each in enumerate(evidence)})[0].values())
    return Question(**names, **prose, evidence=clean, reversible=given["reversible"], due_at=due_at)


def digest_of(body: Any) -> bytes:
    """By which the same question is known again, however its JSON was written."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and under which idempotency key ("" none) with which body."""

    workspace_id: int
    key_id: int
    key: str
    digest: bytes
    run_id: UUID | None
    at: datetime


def opening(question: Question, asker: Asker, source: Source = Source.AGENT) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values for `OPEN`, and what the agent is told when the hold is new. `source`: who asks, if not the agent itself;
    the agent is the one it is about."""
    row = _row(question, asker) | {"source": source.value}
    entry = _entry(row, asker)
    shown = told(row)
    values = {
        "workspace": asker.workspace_id,
        "id": row["id"],
        "hold": _json(row | {"digest": f"\\x{asker.digest.hex()}"}),
        "entry": _json(entry),
        "event": Event.HOLD_OPENED.value,
        "told": _json(shown),
    }
    return values, shown


def _row(question: Question, asker: Asker) -> dict[str, Any]:
    application, _, name = question.agent.rpartition("/")
    unset = ("decision_id", "policy_id", "version", "batch", "amend", "decided_at", "apply_at", "applied_at")
    return {
        **dict.fromkeys(unset),
        "id": str(uuid7()),
        "workspace_id": asker.workspace_id,
        "source": "agent",
        "state": "open",
        "revision": 0,
        "key": asker.key,
        "agent": name or question.agent,
        "application": application,
        "run": question.run,
        "run_id": str(asker.run_id) if asker.run_id else None,
        "step": question.step,
        "question": question.question,
        "proposal": question.proposal,
        "why": question.why,
        "evidence": question.evidence,
        "cost_of_waiting": question.cost_of_waiting,
        "reversible": question.reversible,
        "policy": "",
        "skill": question.skill,
        "people": 1,
        "on_timeout": "remind",
        "opened_at": asker.at,
        "due_at": question.due_at,
        "verdict": "",
        "note": "",
    }


def _entry(row: Mapping[str, Any], asker: Asker) -> dict[str, Any]:
    """The receipt: names and numbers, and the hash of what was asked."""
    asked = {name: row[name] for name in ("question", "proposal", "why", "evidence", "cost_of_waiting", "reversible")}
    seen = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
    facts = {
        "run": row["run"],
        "step": row["step"],
        "skill": row["skill"],
        "asked_sha256": hashlib.sha256(seen).hexdigest(),
        "key": asker.key_id,
    }
    subject = ("hold", str(row["id"]))
    who = f"agent:{row['agent']}" if row["source"] == Source.AGENT else "baton"
    made = entries.draft(asker.workspace_id, "hold.opened", subject, who, facts, asker.at)
    values = dict(zip(entries.COLUMNS, made.values, strict=True))
    return values | {name: f"\\x{values[name].hex()}" for name in ("digest", "seal")} | {"id": str(made.id)}


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _text(given: Mapping[str, Any], name: str, most: int, faults: list[tuple[str, str]]) -> str:
    value = given.get(name)
    if value is None and name not in NEEDED:
        return ""
    if not isinstance(value, str) or (name in NEEDED and not value.strip()):
        faults.append((name, "This is a text" + (", and is needed." if name in NEEDED else ".")))
        return ""
    if len(value) > most:
        faults.append((name, f"At most {most} characters."))
    return value.replace("\0", "\ufffd").strip()


def _due(value: Any, now: datetime, faults: list[tuple[str, str]]) -> datetime | None:
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        at = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC) if found else None
    except (ValueError, OverflowError):
        at = None
    if at is None or not now < at <= now + LATEST:
        faults.append(("due_at", "A time to come within a year, as RFC 3339 has it."))
        return None
    return at
