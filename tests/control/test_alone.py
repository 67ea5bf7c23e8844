"""How much of a workflow ended without a person, against what is wanted of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestration.control.alone import Alone
from orchestration.control.human_load import alone_of, human_load
from orchestration.control.wished import Wished, wish
from orchestration.ledger.models import Entry
from orchestration.workflows.models import Workflow
from orchestration.workspaces.models import User, Workspace
from tests import make

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def alone(runs: int, asked: int, target: float | None = None) -> Alone:
    return Alone(1, "Refund", "refund", runs, asked, target)


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (alone(1000, 100), "none"),
        (alone(29, 0, 0.5), "few"),
        (alone(1000, 100, 0.85), "met"),
        (alone(1000, 100, 0.95), "missed"),
        (alone(100, 10, 0.9), "open"),
        (alone(100, 0, 1.0), "open"),
    ],
)
def test_a_target_is_met_or_missed_only_where_the_whole_interval_says_so(found: Alone, state: str) -> None:
    assert found.state == state


def test_below_thirty_runs_there_is_no_share() -> None:
    assert (alone(29, 4).share, alone(29, 4).interval, alone(29, 4).alone) == (None, None, 25)
    assert alone(30, 3).share == 0.9


@pytest.mark.django_db
def test_it_counts_thirty_days_and_puts_the_farthest_below_first(workspace: Workspace) -> None:
    good, bad = make.workflow(workspace, "good"), make.workflow(workspace, "bad")
    idle = make.workflow(workspace, "idle")
    make.ended(good, *[10] * 40, asked=2, at=NOON)
    make.ended(bad, *[10] * 40, asked=20, at=NOON - timedelta(days=29))
    make.ended(bad, *[10] * 40, asked=40, at=NOON - timedelta(days=31))
    Workflow.objects.filter(pk__in=[good.pk, bad.pk]).update(alone_target=0.9)

    found = human_load(workspace.pk, NOON).alone

    assert [(each.workflow, each.runs, each.alone, each.share) for each in found] == [
        ("bad", 40, 20, 0.5),
        ("good", 40, 38, 0.95),
    ]
    assert alone_of(workspace.pk, bad.pk, NOON) == found[0]
    assert alone_of(workspace.pk, idle.pk, NOON) is None


@pytest.mark.django_db
def test_a_wish_is_a_receipt_and_the_same_wish_again_is_none(workspace: Workspace, admin: User) -> None:
    flow = make.workflow(workspace)

    assert [wish(flow, Wished(0.855, True), admin) for _ in range(2)] == [True, False]

    flow.refresh_from_db()
    assert (flow.alone_target, flow.asks_when_failed) == (0.855, True)
    kinds = Entry.objects.filter(subject_kind="workflow").order_by("kind").values_list("kind", "subject_id")
    assert list(kinds) == [("workflow.failures_asked", flow.slug), ("workflow.target_set", flow.slug)]
    assert '"85.5%"' in Entry.objects.get(kind="workflow.target_set").body
