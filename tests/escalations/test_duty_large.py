"""Assigning and clocks with ten thousand open cases in four hundred batches."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.db import connection

from escalations import assigning, sla
from escalations.models import Batch, Clock, Escalation
from tests import make
from tests.escalations.duty import keeps_from, knows, member
from tests.escalations.test_large import BATCHES, CASES, EACH, HOLDS
from tests.scenes import scene

pytestmark = pytest.mark.django_db
SKILLS = ("refunds", "fraud", "cards", "credit")


def quickest(work: Callable[[], object], n: int = 2) -> float:
    took = []
    for _ in range(n):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)


def staff() -> None:
    workspace = make.workspace()
    with connection.cursor() as cursor:
        cursor.execute(BATCHES, {"space": workspace.pk})
        cursor.execute(HOLDS, {"space": workspace.pk})
        cursor.execute(
            "update escalations_batch set skill = (array['refunds', 'fraud', 'cards', 'credit'])[1 + n % 4] "
            "from (select id, row_number() over (order by id) n from escalations_batch) t where t.id = "
            "escalations_batch.id"
        )
        cursor.execute("update escalations_escalation set due_at = now() + interval '2 hours'")
        cursor.execute("analyze escalations_batch, escalations_escalation, holds_hold")
    for place in range(12):
        who = member(workspace, f"p{place}")
        for skill in SKILLS[: 1 + place % 4]:
            knows(workspace, who, skill, most=850 if place % 3 else None)
        keeps_from(workspace, who, f"bot-{place}")


staffed = scene(staff)


def test_four_hundred_batches_are_assigned_within_a_second() -> None:
    began = time.perf_counter()
    moved = assigning.match()
    first = time.perf_counter() - began
    again = quickest(assigning.match)

    print(f"\nassigned {moved} batches in {first * 1000:.0f} ms, looked again in {again * 1000:.0f} ms")
    assert moved == CASES // EACH - Batch.objects.filter(short__gt=0).count()
    assert moved > 300
    assert again < 1.0


def test_clocks_of_ten_thousand_cases_are_looked_at_within_a_second() -> None:
    assert sla.wind() == 3 * CASES
    Clock.objects.filter(alarm="new").update(rung_at="2026-01-01T00:00Z")

    looked = quickest(sla.sweep)
    Escalation.objects.filter(batch=Batch.objects.first()).update(due_at="2026-01-01T00:00Z")
    began = time.perf_counter()
    rung = sla.sweep()
    took = time.perf_counter() - began

    print(f"\nlooked at {3 * CASES} clocks in {looked * 1000:.0f} ms, rang {rung} in {took * 1000:.0f} ms")
    assert rung == EACH
    assert looked < 1.0
