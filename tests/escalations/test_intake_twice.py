"""However often the sweep runs, in how many processes, and wherever it is killed: each hold is a case of one batch."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connection

from escalations import intake
from escalations.models import Batch, Escalation
from orchestration.holds import placing
from orchestration.holds.models import Hold
from orchestration.workspaces.models import Workspace
from tests.escalations import held

pytestmark = pytest.mark.django_db(transaction=True)


def many(workspace: Workspace, n: int, kinds: int = 4) -> None:
    held.holds(
        workspace,
        [
            {
                "amount": 300 + 7 * (place % 40),
                "context": {"item_back": place % 3 > 0},
                "policy": f"limit-{place % kinds}",
            }
            for place in range(n)
        ],
    )


def assert_each_once(n: int) -> None:
    cases = list(Escalation.objects.values_list("hold_id", "batch_id"))
    assert len(cases) == n
    assert dict(cases) == dict(Hold.objects.values_list("id", "batch"))
    counted = Counter(batch for _, batch in cases)
    assert dict(Batch.objects.filter(closed_at=None).values_list("id", "cases")) == dict(counted)
    assert max(counted.values()) <= 25
    assert not placing.with_news()


def together(*work: Callable[[], object]) -> None:
    def run(one: Callable[[], object]) -> None:
        try:
            one()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_two_sweeps_at_once_make_each_hold_one_case(workspace: Workspace) -> None:
    many(workspace, 300)

    together(intake.take_in, intake.take_in)
    intake.take_in()

    assert_each_once(300)


class Killed(Exception):
    pass


@pytest.mark.parametrize("place", ["_arrange", "store", "recount", "_turned"])
def test_a_sweep_that_is_killed_anywhere_has_done_nothing_and_the_next_does_all(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    many(workspace, 30)
    with monkeypatch.context() as broken:

        def die(*args: object, **kwargs: object) -> None:
            raise Killed

        broken.setattr(intake, place, die)
        with pytest.raises(Killed):
            intake.take_in()
    assert not Escalation.objects.exists()

    intake.take_in()

    assert_each_once(30)


def test_a_hold_that_somebody_is_deciding_is_waited_for_by_nobody(workspace: Workspace) -> None:
    many(workspace, 3, kinds=1)
    (first, *_) = Hold.objects.order_by("id")
    taken, done = threading.Event(), threading.Event()

    def decide() -> None:
        with connection.cursor() as cursor:
            cursor.execute("begin")
            cursor.execute("select 1 from holds_hold where id = %s for update", [first.pk])
            taken.set()
            done.wait(10)
            cursor.execute("rollback")

    def sweep() -> None:
        taken.wait(10)
        assert intake.take_in() == 2
        done.set()

    together(decide, sweep)
    intake.take_in()

    assert_each_once(3)


def test_whoever_has_a_batch_open_keeps_it_as_it_is(workspace: Workspace) -> None:
    many(workspace, 5, kinds=1)
    intake.take_in()
    before = dict(Escalation.objects.values_list("hold_id", "batch_id"))
    with connection.cursor() as cursor:
        cursor.execute("update escalations_batch set claimed_until = now() + interval '10 minutes'")

    many(workspace, 5, kinds=1)
    intake.take_in()

    after = dict(Escalation.objects.values_list("hold_id", "batch_id"))
    assert {hold: batch for hold, batch in after.items() if hold in before} == before
    assert not set(before.values()) & {batch for hold, batch in after.items() if hold not in before}


def test_a_thousand_new_holds_are_taken_in_within_seconds(workspace: Workspace) -> None:
    many(workspace, 1000, kinds=20)

    assert intake.take_in(60) >= 1000

    assert_each_once(1000)
