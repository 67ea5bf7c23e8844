"""Who decides and who takes in lock in one order: of two that meet, one waits, and neither is thrown out."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.http import QueryDict
from django.utils import timezone

from escalations import acts, intake
from escalations.acts import By
from escalations.forms import ActForm
from escalations.models import Batch, Escalation
from orchestration.holds import verdicts
from orchestration.holds.models import Answered, Hold
from orchestration.holds.verdicts import Verdict
from orchestration.workspaces.models import User, Workspace
from tests.escalations.conftest import chosen, plain, second
from tests.escalations.held import holds
from tests.waiting import LONG_S

pytestmark = pytest.mark.django_db(transaction=True)
WAITS = "select count(*) from pg_locks where not granted and locktype in ('tuple', 'transactionid')"


class Aside(threading.Thread):
    """A second process; what it raises is not lost."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.work, self.error = work, ""
        self.start()

    def run(self) -> None:
        try:
            self.work()
        except Exception as error:
            self.error = repr(error)
        finally:
            connection.close()

    def has_to_wait(self) -> bool:
        until = time.monotonic() + LONG_S
        while self.is_alive() and time.monotonic() < until:
            with connection.cursor() as cursor:
                cursor.execute(WAITS)
                if cursor.fetchone()[0]:
                    return True
            time.sleep(0.02)
        return False


def batches(space: Workspace) -> tuple[Batch, Batch]:
    """Two of different keys, in the order of their ids."""
    for policy in ("low", "high"):
        due = {"due_at": timezone.now() + timedelta(minutes=20), "policy": policy}
        holds(space, [plain(place) for place in range(4)], **due)
        intake.take_in()
    low, high = Batch.objects.order_by("pk")
    return low, high


def answered(batch: Batch, by: User) -> UUID:
    """One of its cases is decided elsewhere: the next sweep has to say so in the inbox."""
    case = Escalation.objects.filter(batch=batch).order_by("number")[0]
    hold = Hold.objects.get(pk=case.pk)
    verdicts.decide(hold, Verdict(Answered.APPROVE), by, revision=hold.revision)
    return hold.pk


def lock(batch: Batch) -> None:
    """As an act does first."""
    list(Batch.objects.filter(pk=batch.pk).select_for_update(no_key=True).values_list("pk"))


def test_the_sweep_holds_no_case_while_it_waits_for_its_batch(workspace: Workspace) -> None:
    low, _ = batches(workspace)
    decided = answered(low, second(workspace))

    with transaction.atomic():
        lock(low)
        sweep = Aside(intake.take_in)
        assert sweep.has_to_wait()
        Escalation.objects.filter(pk=decided).update(seconds=3.0)
    sweep.join(LONG_S)

    assert sweep.error == ""
    assert Escalation.objects.get(pk=decided).open is False


def test_the_sweep_holds_no_batch_while_it_waits_for_an_earlier_one(workspace: Workspace) -> None:
    """A new case of the later batch, and a decided one of the earlier."""
    low, high = batches(workspace)
    decided = answered(low, second(workspace))
    (new,) = holds(workspace, [plain(2)], policy="high", due_at=timezone.now() + timedelta(minutes=20))

    with transaction.atomic():
        lock(low)
        sweep = Aside(intake.take_in)
        assert sweep.has_to_wait()
        lock(high)
    sweep.join(LONG_S)

    assert sweep.error == ""
    assert Escalation.objects.get(pk=decided).open is False
    assert Escalation.objects.get(pk=new.pk).batch_id == high.pk


def test_presses_and_sweeps_at_once_lose_nothing(workspace: Workspace) -> None:
    low, high = batches(workspace)
    people = [second(workspace, f"person-{place}") for place in range(2)]

    def press(batch: Batch, by: User) -> None:
        for case in chosen(batch):
            told, key = QueryDict(mutable=True), secrets.token_hex(8)
            told.update({"act": "approve", "key": key, "case": case})
            form = ActForm(told)
            assert form.is_valid()
            acts.undo(acts.decide(By(workspace, by, key), batch, form).act, by)

    presses = [Aside(lambda: press(low, people[0])), Aside(lambda: press(high, people[1]))]

    def sweep() -> None:
        intake.take_in()
        while any(each.is_alive() for each in presses):
            intake.take_in()

    threads = [*presses, Aside(sweep), Aside(sweep)]
    for each in threads:
        each.join(LONG_S)
    intake.take_in()

    assert [each.error for each in threads] == ["", "", "", ""]
    assert Escalation.objects.filter(open=True).count() == 8
    assert sorted(Batch.objects.filter(closed_at=None).values_list("cases", flat=True)) == [4, 4]
