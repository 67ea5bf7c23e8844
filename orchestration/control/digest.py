"""From received requests to rows and figures, each exactly once. Reads like a table of contents:

1. claim     waiting deliveries of one workspace, locked
2. decode    bodies to spans, records and events, one delivery after the other; what cannot be decoded is set aside,
             what may not come in is counted
3. observe   what each span means by its own attributes; its names become ids, made in a connection of their own; a row
4. write     spans, of which the new ones are told
5. count     new spans into figures, traces and signs of life
6. tell      in a burst, traces that came whole (`whole`); all others are settled later, in transactions of their own
7. done      deliveries removed; all of it commits together

A crash anywhere repeats work and neither loses nor doubles it.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction

from orchestration.control import elsewhere, sent, whole
from orchestration.control.counting import Counted, count
from orchestration.control.settling import settle_due
from orchestration.control.trouble import trouble
from orchestration.lib import memory
from orchestration.lib.collector import paused
from orchestration.lib.pulse import publish
from orchestration.policies.elsewhere import Told
from orchestration.registry.vouching import vouched_agents
from orchestration.telemetry import (
    deliveries,
    intake,
    liveness,
    logs,
    packing,
    recent,
    retention,
    rollups,
    rows,
    writer,
)
from orchestration.telemetry.admission import ANY_DAYS, Decoded, Undecodable
from orchestration.telemetry.alike import Alike, Memory
from orchestration.telemetry.deliveries import HISTORY, IMPORTED, Waiting
from orchestration.telemetry.events import decode_events
from orchestration.telemetry.models import Signal
from orchestration.telemetry.neutral import decode_lines
from orchestration.telemetry.otlp import as_any, decode_known, decode_logs, decode_traces
from orchestration.telemetry.reading import raw_cursor
from orchestration.telemetry.spans import RawEvent, RawLog, RawSpan
from orchestration.workflows import traces
from orchestration.workflows.booking import Change
from orchestration.workspaces.models import Workspace

log = structlog.get_logger(__name__)
SETTLE_EACH_S = 0.5
KNOWN = Memory()
RESTS = memory.Rests(each_s=10.0)
HURRIED_S = 0.5  # a delivery that waits for longer means that more comes in than goes through
LATE_S = 2.0  # that a run may be settled late in the meantime
UNPACKED = 64 << 20  # bytes; the door lets in less
BATCH_UNPACKED = 32 << 20  # of bodies in one transaction: decoded they take many times that
EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
MIXED = {"40P01", "40001"}  # deadlock, serialization: the deliveries are still there, go on


@dataclass(slots=True)
class Batch:
    """What one claim held, decoded."""

    workspace: Workspace
    claimed: list[Waiting]
    spans: list[tuple[writer.Row, rows.Taken]] = field(default_factory=list)
    logs: list[tuple[RawLog, Waiting]] = field(default_factory=list)
    events: list[tuple[RawEvent, Waiting]] = field(default_factory=list)
    history: list[tuple[Told, Waiting]] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    poisoned: set[UUID] = field(default_factory=set)


def drain(seconds: float = 5.0) -> int:
    """Digest what waits, of all workspaces in turn, for at most `seconds`; returns how many deliveries.

    Now and then a suspect is tried and what is due is settled in between, so that neither waits until the queue is
    empty, which it may never be. While much waits, storing goes first: only what should have been settled some seconds
    ago is.
    """
    now = time.monotonic()
    until, settle_at, total = now + seconds, now + SETTLE_EACH_S, 0
    with paused():
        while time.monotonic() < until:
            done = sum(digest(workspace_id) for workspace_id in deliveries.workspaces_waiting())
            total += done
            gc.collect(0)
            if not done:
                break
            if time.monotonic() >= settle_at:
                total += sum(_suspect(workspace_id) for workspace_id in deliveries.workspaces_waiting())
                settle(SETTLE_EACH_S)
                settle_at = time.monotonic() + SETTLE_EACH_S
    settle()
    RESTS.after(total)
    return total


def settle(seconds: float = 3.0) -> int:
    """Settle what is due; in a burst, when more comes in than goes through, only what is overdue by `LATE_S`: what is
    acknowledged is made countable first, and what it means is told some seconds later."""
    return settle_due(seconds, overdue_s=LATE_S if deliveries.oldest_s() > HURRIED_S else 0.0)


def digest(workspace_id: int) -> int:
    """Digest one claim of a workspace; returns how many deliveries were taken (0: none waits)."""
    claimed: list[Waiting] = []
    try:
        with transaction.atomic():
            claimed = deliveries.claim(workspace_id)
            if claimed:
                _take(workspace_id, claimed)
        return len(claimed) or _suspect(workspace_id)
    except Exception as error:
        state = trouble(error)
        if state in MIXED:
            return len(claimed)
        if state is not None:
            raise
        # whatever it is, it must not stop the queue: each is tried alone from now on
        _blame(workspace_id, claimed, error)
        return len(claimed)


def _suspect(workspace_id: int) -> int:
    delivery_id = deliveries.pick_suspect(workspace_id)
    if delivery_id is None:
        return 0
    claimed: list[Waiting] = []
    try:
        with transaction.atomic():
            claimed = deliveries.claim_one(workspace_id, delivery_id)
            if claimed:
                _take(workspace_id, claimed)
    except Exception as error:
        if trouble(error) is not None:
            deliveries.forgive(workspace_id, delivery_id)
            raise
        _blame(workspace_id, claimed, error)
    return 1


def _blame(workspace_id: int, claimed: list[Waiting], error: Exception) -> None:
    log.exception("digest_failed", workspace=workspace_id, deliveries=[str(each.id) for each in claimed])
    retention.forget()  # the next try looks itself which days have a partition: perhaps one was dropped meanwhile
    deliveries.blame(workspace_id, claimed, type(error).__name__)


def take_in(workspace_id: int, delivery: Waiting) -> tuple[int, int]:
    """Digest what a command brings beside the queue, all of it or nothing; returns how many spans and steps are new.
    The command has what it was made of, so nothing needs to be set aside."""
    with transaction.atomic():
        return _take(workspace_id, [delivery])


def _take(workspace_id: int, claimed: list[Waiting]) -> tuple[int, int]:
    """Stages 2 to 7; returns how many spans and how many steps of the events API are new."""
    batch = _decode(Workspace.objects.get(pk=workspace_id), claimed)
    now = datetime.now(UTC)
    fresh: Counter[datetime] = Counter()
    counted = _spans(batch, fresh)
    logs.store(workspace_id, batch.logs, keeps_content=batch.workspace.keeps_content)
    steps = sent.take(workspace_id, batch.events, counted)
    _history(batch)
    change = _tell(batch, counted, now)
    liveness.hear(workspace_id, counted.heard)
    intake.refuse(workspace_id, batch.rejected, now)
    stored = [d for d in batch.claimed if d.id not in batch.poisoned]
    intake.book(workspace_id, stored, fresh, now)
    rollups.book(workspace_id, change.spans)
    rollups.book(workspace_id, change.workflows)
    deliveries.done(workspace_id, stored)
    spans = sum(fresh.values())
    transaction.on_commit(lambda: publish(workspace_id, "run", {"spans": spans}))
    return spans, steps


def _decode(workspace: Workspace, claimed: list[Waiting]) -> Batch:
    """Bodies that would make the batch too large are left out, and with them those that came later."""
    batch = Batch(workspace, claimed)
    vouched = vouched_agents({d.key for d in claimed if d.key})
    builder = rows.Builder(workspace.pk, keeps_content=workspace.keeps_content)
    size = 0
    for place, delivery in enumerate(claimed):
        if size > BATCH_UNPACKED:
            batch.claimed = claimed[:place]
            break
        received_ns = (delivery.received_at - EPOCH) // MICROSECOND * 1000
        try:
            body = packing.unpack(delivery.body, delivery.compression, UNPACKED)
            size += len(body)
            if delivery.signal == Signal.TRACES:
                found = _traces(body, delivery, received_ns, workspace)
                agents = vouched.get(delivery.key) if delivery.key else None
                batch.spans.extend(builder.rows(found.items, agents, place))
                batch.rejected.update(found.rejected)
            elif delivery.signal == Signal.LOGS:
                records = decode_logs(body, delivery.encoding, received_ns, workspace.span_days)
                batch.logs.extend((record, delivery) for record in records.items)
                batch.rejected.update(records.rejected)
            else:
                keep_days = ANY_DAYS if delivery.encoding == IMPORTED else workspace.span_days
                history = elsewhere.read if delivery.encoding == HISTORY else None
                events = decode_events(body, received_ns, keep_days, history)
                batch.events.extend((event, delivery) for event in events.items)
                batch.history.extend((told, delivery) for told in events.history)
        except Undecodable as error:
            deliveries.poison(workspace.pk, delivery, str(error))
            batch.poisoned.add(delivery.id)
    return batch


def _traces(body: bytes, delivery: Waiting, received_ns: int, workspace: Workspace) -> Decoded[RawSpan | Alike]:
    if delivery.encoding == IMPORTED:
        return as_any(decode_lines(body, received_ns))
    if workspace.keeps_content:
        return decode_known(body, delivery.encoding, received_ns, workspace.span_days, KNOWN)
    return as_any(decode_traces(body, delivery.encoding, received_ns, workspace.span_days))


def _history(batch: Batch) -> None:
    """Decisions made elsewhere, by who told of them."""
    for key in sorted({delivery.key or 0 for _, delivery in batch.history}):
        told = [told for told, delivery in batch.history if (delivery.key or 0) == key]
        elsewhere.store(batch.workspace, told, f"key:{key}")


def _spans(batch: Batch, fresh: Counter[datetime]) -> Counted:
    """Stages 4 and 5 for spans. `fresh` gets the number of new rows by minute of receipt."""
    pairs = rows.distinct(batch.spans)
    if pairs:
        retention.need_days(pairs[0][0][1], pairs[-1][0][1])
    with raw_cursor() as cursor:
        new = writer.store(cursor, [pair[0] for pair in pairs])
    fresh_pairs = pairs
    if len(new) < len(pairs):
        keys = {writer.key_of(row) for row in new}
        fresh_pairs = [pair for pair in pairs if writer.key_of(pair[0]) in keys]
    for place, n in Counter([taken.delivery for _, taken in fresh_pairs]).items():
        fresh[intake.minute(batch.claimed[place].received_at)] += n
    return count(fresh_pairs, [d.received_at for d in batch.claimed])


def _young(batch: Batch, now: datetime) -> set[bytes]:
    """Traces of which something came just now, so that more may be on its way."""
    just_now = now - timedelta(seconds=traces.ROOT_S)
    places = {place for place, delivery in enumerate(batch.claimed) if delivery.received_at > just_now}
    return {row[2] for row, taken in batch.spans if taken.delivery in places} if places else set()


def _tell(batch: Batch, counted: Counted, now: datetime) -> Change:
    """Stage 6: note the traces, and tell at once what came whole and has waited long enough for that. Returns what all
    of it changes of the figures."""
    workspace_id, received_at = batch.workspace.pk, max(d.received_at for d in batch.claimed)
    told = whole.Whole()
    if not batch.events:
        told = whole.tell(workspace_id, counted, received_at, _young(batch, now))
    told.leave(traces.note(workspace_id, counted.traces, received_at, told.runs))
    change = told.write(workspace_id)
    change.spans.add(counted.tally)
    rest = {trace_id: rows for trace_id, rows in counted.rows.items() if trace_id not in told.told}
    transaction.on_commit(lambda: recent.keep(workspace_id, rest))
    return change
