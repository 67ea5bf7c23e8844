"""Two settlers of one workspace: each has its half, and what ties the halves together waits for both locks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection

from orchestration.control import digest, settling
from orchestration.control.settling import SETTLE_LOCK
from orchestration.workflows.models import Run, Trace
from orchestration.workspaces.models import Workspace
from tests.control.test_digest import Sender, refund
from tests.control.test_settling import linked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("days")]


@contextmanager
def another_settler(workspace: Workspace, half: int) -> Iterator[None]:
    settings = connection.get_connection_params()
    plain = {key: value for key, value in settings.items() if key in ("host", "port", "dbname", "user", "password")}
    with psycopg.connect(**plain) as other, other.transaction():
        other.execute("select pg_advisory_xact_lock(%s, %s)", [SETTLE_LOCK[half], workspace.pk])
        yield


def halves(senders: list[Sender]) -> list[int]:
    return [sender.trace_id[-1] & 1 for sender in senders]


def in_both(workspace: Workspace) -> list[Sender]:
    senders: list[Sender] = []
    while set(halves(senders)) != {0, 1}:
        senders.append(Sender(workspace))
        refund(senders[-1])
    return senders


def due_now() -> None:
    with connection.cursor() as cursor:
        cursor.execute("update workflows_trace set due_at = now() - interval '1 second' where due_at is not null")


def digested(workspace: Workspace, senders: list[Sender]) -> None:
    for sender in senders:
        sender.deliver()
    while digest.digest(workspace.pk):
        pass
    due_now()


def settled() -> set[bytes]:
    return {bytes(i) for i in Trace.objects.filter(due_at=None).values_list("trace_id", flat=True)}


@pytest.mark.parametrize("taken", [0, 1])
def test_the_other_half_is_left_to_its_settler(workspace: Workspace, taken: int) -> None:
    senders = in_both(workspace)
    digested(workspace, senders)

    with another_settler(workspace, taken):
        while settling.settle(workspace.pk):
            pass
        mine = settled()

    assert mine == {s.trace_id for s in senders if s.trace_id[-1] & 1 != taken}
    while settling.settle(workspace.pk):
        pass
    assert Run.objects.filter(merged_into=None).count() == len(senders)


def test_what_ties_both_halves_waits_until_both_are_free(workspace: Workspace) -> None:
    senders = in_both(workspace)
    first, last = next((a, b) for a in senders for b in senders if a.trace_id[-1] & 1 == 0 and b.trace_id[-1] & 1 == 1)
    linked(last, first)
    digested(workspace, senders)

    with another_settler(workspace, 0):
        settling.settle(workspace.pk)
        assert last.trace_id not in settled()

    while settling.settle(workspace.pk):
        pass
    assert settled() >= {first.trace_id, last.trace_id}
    assert Run.objects.filter(merged_into=None).count() == len(senders) - 1
