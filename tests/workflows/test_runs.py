"""Lists of runs, and finding one by whatever it is called."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orchestration.lib.paging import BadCursor
from orchestration.workflows.models import TraceKey
from orchestration.workflows.run_search import find_run
from orchestration.workflows.runs import Wanted, count, listed, runs
from orchestration.workspaces.models import Workspace
from tests import make

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOBODY = "9ddfad97-8b00-40f4-9c0f-fc837aa9fc1e"


def titles(workspace: Workspace, **wanted: Any) -> list[str]:
    return [line.title for line in runs(workspace.pk, **wanted).items]


def test_the_newest_start_comes_first(workspace: Workspace) -> None:
    for minutes in (2, 1, 3):
        make.run(workspace, title=str(minutes), started_at=NOON - timedelta(minutes=minutes))

    assert titles(workspace) == ["1", "2", "3"]


def test_pages_follow_each_other_also_where_runs_started_at_once(workspace: Workspace) -> None:
    for place in range(7):
        make.run(workspace, title=str(place), started_at=NOON + timedelta(minutes=place // 4))
    seen, cursor = [], None

    for _ in range(4):
        page = runs(workspace.pk, limit=2, cursor=cursor)
        seen += [line.id for line in page.items]
        cursor = page.next

    assert cursor is None
    assert len(seen) == len(set(seen)) == 7


@pytest.mark.parametrize("cursor", ["x", "bm90IGpzb24", "W10", "WzEsMl0", "WzEsIngiXQ", "WzFlOTksIngiXQ", "é"])
def test_a_cursor_that_was_not_given_out_is_refused(workspace: Workspace, cursor: str) -> None:
    with pytest.raises(BadCursor):
        runs(workspace.pk, cursor=cursor)


def test_runs_are_narrowed_by_what_they_are(workspace: Workspace) -> None:
    refund, loan = make.agent(workspace, "refund"), make.agent(workspace, "loan officer", "bank")
    make.run(workspace, title="a", agents=[refund.pk, loan.pk], status="failed", conversation="c1")
    make.run(workspace, make.workflow(workspace, "Loan"), title="b", agents=[loan.pk], status="waiting")
    make.run(workspace, title="c", status="running", traces=[bytes.fromhex("ab" * 16)])

    assert titles(workspace, workflow="loan") == titles(workspace, workflow="Loan") == ["b"]
    assert titles(workspace, status="failed") == ["a"]
    assert sorted(titles(workspace, status="in_progress")) == ["b", "c"]
    assert titles(workspace, agent="desk-refund") == titles(workspace, agent="refund") == ["a"]
    assert sorted(titles(workspace, agent="bank/loan officer")) == ["a", "b"]
    assert titles(workspace, conversation="c1") == ["a"]
    assert titles(workspace, trace="AB" * 16) == titles(workspace, trace="ababa") == ["c"]


def test_a_filter_that_fits_nothing_gives_nothing(workspace: Workspace) -> None:
    make.run(workspace)

    for wanted in ({"workflow": "x"}, {"agent": "x"}, {"conversation": "x"}, {"trace": "zz"}, {"trace": "ab" * 40}):
        assert titles(workspace, **wanted) == []


def test_since_and_until_bound_the_start(workspace: Workspace) -> None:
    for minutes in range(4):
        make.run(workspace, title=str(minutes), started_at=NOON + timedelta(minutes=minutes))

    assert titles(workspace, since=NOON + timedelta(minutes=1), until=NOON + timedelta(minutes=3)) == ["2", "1"]


def test_a_search_looks_into_titles_and_names_of_the_caller(workspace: Workspace) -> None:
    run = make.run(workspace, title="Refund of A-1001", external_key="order-77", conversation="talk 5")
    make.run(workspace, title="Loan")

    for q in ("a-1001", "ORDER-77", "talk", str(run.id), runs(workspace.pk, q="refund").items[0].trace_ids[0][:8]):
        assert titles(workspace, q=q) == ["Refund of A-1001"]
    assert titles(workspace, q="%") == titles(workspace, q="nothing\0") == []


def test_a_run_that_was_merged_is_not_listed(workspace: Workspace) -> None:
    whole = make.run(workspace, title="whole")
    make.run(workspace, title="part", merged_into=whole.id, traces=[])

    assert titles(workspace) == ["whole"]


@pytest.mark.parametrize(
    ("status", "over"),
    [("running", False), ("waiting", False), ("stalled", False), ("completed", True), ("failed", True)],
)
def test_only_a_run_that_is_over_has_an_end(workspace: Workspace, status: str, over: bool) -> None:
    make.run(workspace, status=status)

    (line,) = runs(workspace.pk).items

    assert (line.ended_at is not None) is over


def test_a_cost_that_nobody_knows_is_no_zero(workspace: Workspace) -> None:
    make.run(workspace, cost=None)
    make.run(workspace, cost=2_500_000)

    known, unknown = runs(workspace.pk).items

    assert known.cost is not None
    assert (str(known.cost.amount), known.cost.currency, unknown.cost) == ("0.002500000", "USD", None)


def test_a_line_names_agents_in_order_and_all_traces(workspace: Workspace) -> None:
    first, second = make.agent(workspace, "triage"), make.agent(workspace, "refund")
    make.run(workspace, agents=[first.pk, second.pk], traces=[b"a" * 16, b"b" * 16])

    (line,) = runs(workspace.pk).items

    assert line.agents == ["triage", "refund"]
    assert [agent.slug for agent in line.agent_list] == ["desk-triage", "desk-refund"]
    assert line.trace_ids == ["61" * 16, "62" * 16]


def test_runs_are_listed_in_as_many_queries_however_many_there_are(
    workspace: Workspace, django_assert_num_queries: Any
) -> None:
    for name in "abcdef":
        make.run(workspace, make.workflow(workspace, name), agents=[make.agent(workspace, name).pk])

    with django_assert_num_queries(6):  # runs, currency, workflows, traces, agents, applications
        assert len(runs(workspace.pk).items) == 6


def test_a_run_is_found_by_each_of_its_names(workspace: Workspace) -> None:
    run = make.run(workspace, traces=[b"t" * 16])
    TraceKey.objects.create(workspace=workspace, kind="baton", key="order 77", trace_id=b"t" * 16)

    for text in (str(run.id), run.id.hex, ("t" * 16).encode().hex(), "order 77"):
        assert find_run(workspace.pk, text) == run.id


def test_a_merged_run_leads_to_the_one_that_took_it(workspace: Workspace) -> None:
    whole = make.run(workspace)
    middle = make.run(workspace, merged_into=whole.id)
    part = make.run(workspace, merged_into=middle.id)

    assert find_run(workspace.pk, str(part.id)) == whole.id


def test_runs_that_were_merged_in_a_circle_are_found_nowhere(workspace: Workspace) -> None:
    one, other = uuid4(), uuid4()
    make.run(workspace, id=one, merged_into=other)
    make.run(workspace, id=other, merged_into=one)

    assert find_run(workspace.pk, str(one)) is None


@pytest.mark.parametrize("text", ["", "x", "\0", "0" * 32, NOBODY, "é" * 32, f"{{{NOBODY}}}"])
def test_what_names_no_run_finds_none(workspace: Workspace, text: str) -> None:
    make.run(workspace)

    assert find_run(workspace.pk, text) is None


def test_a_run_of_another_workspace_is_not_found(workspace: Workspace) -> None:
    other = make.workspace("elsewhere")
    run = make.run(other, traces=[b"t" * 16], title="theirs", started_at=timezone.now())
    TraceKey.objects.create(workspace=other, kind="baton", key="order 77", trace_id=b"t" * 16)

    assert titles(workspace) == titles(workspace, q="theirs") == []
    assert [find_run(workspace.pk, text) for text in (str(run.id), (b"t" * 16).hex(), "order 77")] == [None] * 3


def test_pages_are_read_backwards_too(workspace: Workspace) -> None:
    for place in range(7):
        make.run(workspace, title=str(place), started_at=NOON - timedelta(minutes=place // 3))
    first = listed(workspace.pk, Wanted(), limit=3)
    second = listed(workspace.pk, Wanted(), limit=3, cursor=first.next)

    back = listed(workspace.pk, Wanted(), limit=3, cursor=second.prev, newer=True)

    assert [line.id for line in back.items] == [line.id for line in first.items]
    assert (first.prev, back.prev) == (None, None)
    assert back.next == first.next


def test_the_longest_runs_come_first_where_that_is_asked_for(workspace: Workspace) -> None:
    for ms in (200, 900, 200, 500):
        make.run(workspace, title=str(ms), duration_ms=ms)

    first = listed(workspace.pk, Wanted(), sort="took", limit=3)
    second = listed(workspace.pk, Wanted(), sort="took", limit=3, cursor=first.next)

    assert [line.title for line in first.items] == ["900", "500", "200"]
    assert [line.title for line in second.items] == ["200"]
    assert not {line.id for line in first.items} & {line.id for line in second.items}


def test_counting_ends_where_more_would_say_nothing(workspace: Workspace) -> None:
    for _ in range(5):
        make.run(workspace)

    assert [count(workspace.pk, Wanted(), most) for most in (3, 5, 9)] == [4, 5, 5]
    assert count(workspace.pk, Wanted(status="failed"), 9) == 0
    assert count(workspace.pk, Wanted(agent="\0"), 9) == 0


@pytest.mark.parametrize(
    ("sort", "workflow", "index"),
    [
        ("started", "", "run_started"),
        ("took", "", "run_took"),
        ("steps", "", "run_steps"),
        ("errors", "", "run_errors"),
        ("took", "refund", "run_workflow_took"),
        ("started", "refund", "run_workflow"),
    ],
)
def test_no_order_has_a_month_of_runs_read(workspace: Workspace, sort: str, workflow: str, index: str) -> None:
    """A list opens as many rows as it shows, so that it is as quick with a million runs as with ten."""
    make.workflow(workspace)
    with CaptureQueriesContext(connection) as asked:
        listed(workspace.pk, Wanted(workflow=workflow), sort=sort)
    (question,) = (each["sql"] for each in asked.captured_queries if "workflows_run" in each["sql"])

    with connection.cursor() as cursor:
        cursor.execute("set local enable_sort = off")
        cursor.execute("set local enable_seqscan = off")
        if workflow:  # of nothing all indexes find nothing equally fast
            cursor.execute("drop index run_took, run_started")
        cursor.execute(f"explain {question}")
        plan = str(cursor.fetchall())

    assert f"using {index} on" in plan
    assert "Sort" not in plan
