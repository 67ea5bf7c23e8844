"""Replays by the process that does them, also when it is killed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from orchestration.control import replaying
from tests.bench.stand import Stand
from tests.waiting import LONG_S

FILL = """
from django.db import connection
from django.utils import timezone
from orchestration.control import replaying
from orchestration.policies import lifecycle
from orchestration.policies.models import Decision
from orchestration.workspaces.models import User, Workspace
from uuid_utils.compat import uuid7
space = Workspace.objects.create(slug={slug!r}, name="Replays")
one = Decision.objects.create(workspace=space, id=uuid7(), at=timezone.now(), agent="bot", action_type="refund",
    effect="allow", answer={{}}, facts={{"agent.name": "bot", "action.type": "refund", "action.amount": 0.5}})
with connection.cursor() as cursor:  # the others differ in moment and amount
    cursor.execute("insert into policies_decision select made.* from policies_decision one, generate_series(1, %s) n,"
        "lateral jsonb_populate_record(one, jsonb_build_object('id', gen_random_uuid(), "
        "'at', one.at - n * interval '1 minute', "
        "'facts', one.facts || jsonb_build_object('action.amount', n %% 1000 + 0.5))) made where one.id = %s",
        [{n} - 1, one.id])
by = User.objects.first()
draft = lifecycle.create(space, "Limit", by, {{"condition": "action.amount <= limit", "then": {{"kind": "allow"}},
    "otherwise": {{"kind": "hold"}}, "limits": {{"limit": 500}}}})
replaying.start(space, draft, by)
"""


def started(baton: Stand, slug: str, n: int) -> None:
    baton.ask(FILL.format(slug=slug, n=n))


@pytest.fixture
def connection(baton: Stand) -> Iterator[psycopg.Connection[Any]]:
    """One for all that is asked while waiting: to make another costs PostgreSQL more than the answer."""
    with baton.connect() as made:
        yield made


def state(connection: psycopg.Connection[Any], slug: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = connection.execute(
        "select state, done, tries, report->>'held' from policies_replayrun r "
        "join workspaces_workspace w on w.id = r.workspace_id where w.slug = %s",
        [slug],
    ).fetchone()
    assert row
    return row


def test_a_worker_of_its_own_replays_and_keeps_nothing(baton: Stand, connection: psycopg.Connection[Any]) -> None:
    started(baton, "replays", 3_000)

    baton.until(lambda: state(connection, "replays")[0] == "done", LONG_S)

    assert state(connection, "replays") == ("done", 3_000, 1, "1500")
    baton.until(lambda: len(baton.family("replay")) == 1, LONG_S)


def test_one_that_is_killed_is_begun_again_by_itself(baton: Stand, connection: psycopg.Connection[Any]) -> None:
    def under_way() -> bool:
        how, done, *_ = state(connection, "killed")
        return bool(how == "running" and done > 0)

    started(baton, "killed", 40_000)
    baton.until(under_way, LONG_S, 0.01)

    baton.kill_children("replay")

    assert state(connection, "killed")[0] == "running"
    connection.execute(  # so long has nobody heard of it
        "update policies_replayrun set beat_at = beat_at - make_interval(secs => %s) where state = 'running'",
        [replaying.SILENT_S],
    )
    baton.until(lambda: state(connection, "killed")[0] == "done", LONG_S)
    assert state(connection, "killed")[1:] == (40_000, 2, "20000")
