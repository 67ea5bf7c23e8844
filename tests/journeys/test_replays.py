"""Replays by the process that does them, also when it is killed."""

from __future__ import annotations

from typing import Any

from tests.bench.stand import Stand

FILL = """
from datetime import timedelta
from django.utils import timezone
from orchestration.control import replaying
from orchestration.policies import lifecycle
from orchestration.policies.models import Decision
from orchestration.workspaces.models import User, Workspace
from uuid_utils.compat import uuid7
space = Workspace.objects.create(slug={slug!r}, name="Replays")
now, facts = timezone.now(), {{"agent.name": "bot", "action.type": "refund"}}
Decision.objects.bulk_create((Decision(workspace=space, id=uuid7(), at=now - timedelta(minutes=n), agent="bot",
    action_type="refund", effect="allow", facts=facts | {{"action.amount": n % 1000 + 0.5}}, answer={{}})
    for n in range({n})), batch_size=5000)
by = User.objects.first()
draft = lifecycle.create(space, "Limit", by, {{"condition": "action.amount <= limit", "then": {{"kind": "allow"}},
    "otherwise": {{"kind": "hold"}}, "limits": {{"limit": 500}}}})
replaying.start(space, draft, by)
"""


def started(baton: Stand, slug: str, n: int) -> None:
    baton.manage("shell", "-v", "0", "-c", FILL.format(slug=slug, n=n))


def state(baton: Stand, slug: str) -> tuple[Any, ...]:
    with baton.connect() as connection:
        row: tuple[Any, ...] | None = connection.execute(
            "select state, done, tries, report->>'held' from policies_replayrun r "
            "join workspaces_workspace w on w.id = r.workspace_id where w.slug = %s",
            [slug],
        ).fetchone()
    assert row
    return row


def test_a_worker_of_its_own_replays_and_keeps_nothing(baton: Stand) -> None:
    started(baton, "replays", 3_000)

    baton.until(lambda: state(baton, "replays")[0] == "done", 30)

    assert state(baton, "replays") == ("done", 3_000, 1, "1500")
    baton.until(lambda: len(baton.family("replay")) == 1, 5)


def test_one_that_is_killed_is_begun_again_by_itself(baton: Stand) -> None:
    started(baton, "killed", 60_000)
    baton.until(lambda: state(baton, "killed")[0] == "running" and state(baton, "killed")[1] > 0, 30, 0.01)

    baton.kill_children("replay")

    assert state(baton, "killed")[0] == "running"
    baton.until(lambda: state(baton, "killed")[0] == "done", 90)
    assert state(baton, "killed")[1:] == (60_000, 2, "30000")
