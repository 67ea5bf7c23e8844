from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from orchestration.lib.stats import COLUMNS
from orchestration.telemetry.models import SpanDay, SpanHour, SpanMinute, TouchedHour
from orchestration.telemetry.rollups import (
    DAY,
    DAY_US,
    HOUR_US,
    MINUTE_US,
    SPANS,
    Tally,
    book,
    observation,
    roll_hours,
)
from orchestration.workspaces.models import Workspace
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)
TABLES = {"span": SPANS}
NOW = int(time.time()) * 1_000_000 // MINUTE_US * MINUTE_US


def tally(*durations_ms: int, at: int = NOW, agent: int = 1, sign: int = 1) -> Tally:
    made = Tally(SPANS)
    for ms in durations_ms:
        made.absorb([observation((at, 1, agent, 0, 3), (1, 0, 10, 20, 5, ms), ms * 1000, sign)])
    return made


def test_bookings_add_up() -> None:
    book(1, tally(5, 5, 900))
    book(1, tally(5))

    row = SpanMinute.objects.get(workspace_id=1)

    assert (row.n, row.tokens_in, row.tokens_out, row.cost, row.ms) == (4, 40, 80, 20, 915)
    assert getattr(row, "b07") == 3  # noqa: B009  made in a loop


def test_what_is_taken_away_leaves_nothing() -> None:
    book(1, tally(5, 7))
    book(1, tally(5, 7, sign=-1))

    row = SpanMinute.objects.get(workspace_id=1)

    assert (row.n, row.tokens_in, row.ms) == (0, 0, 0)
    assert sum(getattr(row, f"b{i:02d}") or 0 for i in range(96)) == 0


def test_the_difference_of_two_tallies_leads_from_one_to_the_other() -> None:
    old, new = tally(5, 5), tally(5, 8, agent=2)
    book(1, old)

    change = Tally(SPANS)
    change.absorb(new.observations())
    change.absorb(old.observations(), -1)
    book(1, change)

    assert dict(SpanMinute.objects.filter(workspace_id=1).values_list("agent_id", "n")) == {1: 0, 2: 2}


def test_the_observations_of_a_tally_make_the_same_tally() -> None:
    made = tally(5, 700)

    again = Tally(SPANS)
    again.absorb(made.observations())

    assert again.observations() == made.observations()


def test_an_hour_is_the_sum_of_its_minutes_also_after_a_late_span() -> None:
    hour = NOW // 3_600_000_000 * 3_600_000_000
    book(1, tally(5, at=hour))
    book(1, tally(7, 9, at=hour + MINUTE_US))
    roll_hours(TABLES)
    book(1, tally(11, at=hour + 2 * MINUTE_US))

    assert roll_hours(TABLES) == 1

    row = SpanHour.objects.get(workspace_id=1)
    assert (row.n, row.ms) == (4, 32)
    assert row.at == datetime.fromtimestamp(hour / 1e6, UTC)
    assert not TouchedHour.objects.exists()


def test_a_late_span_changes_its_minute_its_hour_and_its_day() -> None:
    day = NOW // DAY_US * DAY_US - DAY_US
    book(1, tally(5, at=day + 3 * HOUR_US))
    book(1, tally(7, at=day + 4 * HOUR_US))
    roll_hours(TABLES)

    book(1, tally(11, at=day + 3 * HOUR_US))
    roll_hours(TABLES)

    counts = [list(model.objects.order_by("at").values_list("n", "ms")) for model in (SpanMinute, SpanHour, SpanDay)]
    assert counts == [[(2, 16), (1, 7)], [(2, 16), (1, 7)], [(3, 23)]]
    assert SpanDay.objects.get().at == datetime.fromtimestamp(day / 1e6, UTC)


def test_a_day_is_the_sum_of_its_hours_in_every_column() -> None:
    day = NOW // DAY_US * DAY_US - DAY_US
    for hour in range(-1, 25):
        book(1, tally(hour + 2, 900, 70_000, at=day + hour * HOUR_US + hour * MINUTE_US, agent=1 + hour % 2))
    roll_hours(TABLES)
    of = {"workspace_id": 1, "agent_id": 1}

    made = SpanDay.objects.filter(at=datetime.fromtimestamp(day / 1e6, UTC), **of).get()

    hours = SpanHour.objects.filter(at__gte=made.at, at__lt=made.at + DAY, **of)
    assert len(hours) == 12
    for column in (*(name for name, _ in SPANS.sums), *COLUMNS):
        values = [getattr(hour, column) for hour in hours]
        assert getattr(made, column) == (None if set(values) == {None} else sum(value or 0 for value in values))


def test_a_day_whose_spans_were_all_taken_away_is_empty() -> None:
    book(1, tally(5))
    roll_hours(TABLES)
    book(1, tally(5, sign=-1))
    roll_hours(TABLES)

    assert sum(SpanDay.objects.values_list("n", flat=True)) == 0


def test_a_change_not_yet_committed_is_rolled_up_by_the_next_sweep() -> None:
    book(1, tally(5))
    ready, go = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            book(1, tally(7, at=NOW - MINUTE_US))
            ready.set()
            go.wait(5)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    ready.wait(5)
    roll_hours(TABLES)
    go.set()
    thread.join()
    roll_hours(TABLES)

    assert sum(SpanHour.objects.filter(workspace_id=1).values_list("n", flat=True)) == 2


def test_concurrent_bookings_of_the_same_rows_do_not_deadlock() -> None:
    errors: list[Exception] = []

    def work(seed: int) -> None:
        try:
            for i in range(20):
                made = Tally(SPANS)
                for agent in range(30) if (seed + i) % 2 else reversed(range(30)):
                    made.absorb(tally(5, agent=agent).observations())
                with transaction.atomic():
                    book(1, made)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not errors
    assert sum(SpanMinute.objects.filter(workspace_id=1).values_list("n", flat=True)) == 4 * 20 * 30


def test_a_sum_that_is_full_stops_counting_and_lets_others_count() -> None:
    for _ in range(5):
        most = Tally(SPANS)
        most.absorb([observation((NOW, 1, 1, 0, 3), (1, 0, 10, 0, 2**62, 5), 5000)])
        book(1, most)
    roll_hours(TABLES)

    assert SpanMinute.objects.values_list("n", "tokens_in").get(workspace_id=1) == (5, 50)
    assert SpanHour.objects.get(workspace_id=1).n == 5


def test_more_hours_than_one_slice_holds_are_all_rolled_up() -> None:
    for hour in range(120):
        book(1, tally(5, at=NOW - hour * 60 * MINUTE_US))

    assert roll_hours(TABLES) == 120

    assert SpanHour.objects.filter(workspace_id=1).count() == 120
    assert not TouchedHour.objects.exists()


def test_what_changes_an_hour_without_minutes_is_added_to_its_row() -> None:
    space = make.workspace()
    hour = NOW // HOUR_US * HOUR_US - 20 * 24 * HOUR_US
    book(space.pk, tally(5, 700, at=hour + MINUTE_US))
    roll_hours(TABLES)
    Workspace.objects.update(span_days=7)
    SpanMinute.objects.all().delete()

    change = tally(700, at=hour + MINUTE_US, sign=-1)
    change.absorb(tally(9, 9, at=hour + 2 * MINUTE_US).observations())
    book(space.pk, change)
    roll_hours(TABLES)

    for row in (SpanHour.objects.get(workspace_id=space.pk), SpanDay.objects.get(workspace_id=space.pk)):
        assert (row.n, row.tokens_in, row.ms) == (3, 10 + 20 + 0, 5 + 18)
    assert not SpanMinute.objects.exists()
