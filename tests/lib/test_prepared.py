"""Statements that a connection plans once."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from orchestration.lib.prepared import Prepared, together

pytestmark = pytest.mark.django_db
TWICE = Prepared("test_twice", "select 2 * %(n)s::int")
LETTERS = Prepared("test_letters", "select * from unnest(array['a', 'b']) letter where letter <> %(but)s")


def test_several_are_answered_in_one_round_trip_each_by_itself(django_assert_num_queries: object) -> None:
    together((TWICE, LETTERS), {"n": 1, "but": ""})

    with django_assert_num_queries(1):  # type: ignore[operator]
        found = together((LETTERS, TWICE), {"n": 4, "but": "a"})

    assert found == [[("b",)], [(8,)]]
    assert TWICE.rows({"n": 5}) == [(10,)]


def test_one_that_cannot_be_made_leaves_no_other_in_the_way() -> None:
    TWICE.rows({"n": 1})
    sound, wrong = Prepared("test_sound", "select %(n)s::int"), Prepared("test_wrong", "select %(n)s from nowhere")
    with pytest.raises(DatabaseError), transaction.atomic():
        together((sound, wrong), {"n": 1})
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_prepared_statements where name = 'test_sound'")
        assert cursor.fetchone() == (1,)

    assert (sound.rows({"n": 1}), TWICE.rows({"n": 1})) == ([(1,)], [(2,)])
