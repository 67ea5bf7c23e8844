"""Who is granted a piece of work, for how long, and what becomes of its result."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from orchestration.handoffs import claims, forgetting
from orchestration.handoffs.given import NotYours, TooLate, Wrong
from orchestration.handoffs.models import STANDING, Claim, Holding
from orchestration.ledger.models import Entry
from orchestration.workspaces.models import Workspace
from tests import make
from tests.handoffs.spoken import speaker, work

pytestmark = pytest.mark.django_db


def late(claim: Claim) -> None:
    Claim.objects.filter(pk=claim.pk).update(until=timezone.now() - timedelta(seconds=1))


def test_the_second_is_told_who_has_it_and_then_the_result(workspace: Workspace) -> None:
    all_of = speaker(workspace)
    first, granted = claims.claim(all_of, work())
    told, again = claims.claim(all_of, work(agent="billing"))

    claims.finish(all_of, first.pk, {"result": {"customer": "Ann"}})
    after, third = claims.claim(all_of, work(agent="billing"))

    assert (granted, again, third) == (True, False, False)
    assert (told.pk, told.agent, told.state) == (first.pk, "triage", "held")
    assert (after.state, after.result) == ("done", {"customer": "Ann"})
    kinds = Entry.objects.filter(workspace=workspace.pk, subject_kind="claim").order_by("id")
    assert list(kinds.values_list("kind", flat=True)) == ["claim.granted", "claim.finished"]


def test_other_work_and_other_runs_are_claims_of_their_own(workspace: Workspace) -> None:
    said = [claims.claim(speaker(workspace), work(**each))[1] for each in ({}, {"key": "b"}, {"run": "R-2"}, {})]

    assert said == [True, True, True, False]


def test_a_run_is_one_by_whatever_name_it_is_called(workspace: Workspace) -> None:
    trace = bytes(range(16))
    run = make.run(workspace, traces=[trace])

    said = [claims.claim(speaker(workspace), work(run=name))[1] for name in (trace.hex(), str(run.id))]

    assert said == [True, False]


def test_a_holder_that_dies_frees_it_and_comes_back_too_late(workspace: Workspace) -> None:
    all_of = speaker(workspace)
    dead, _ = claims.claim(all_of, work())
    late(dead)

    heir, granted = claims.claim(all_of, work(agent="billing"))
    with pytest.raises(TooLate, match="another agent was granted"):
        claims.finish(all_of, dead.pk, {"result": "old"})
    claims.finish(all_of, heir.pk, {"result": "new"})

    assert granted
    assert heir.fence == dead.fence + 1
    dead.refresh_from_db()
    assert (dead.state, dead.result, dead.refused_at is not None) == (Holding.LOST, None, True)
    assert claims.claim(all_of, work(agent="refund"))[0].result == "new"


def test_a_late_result_is_kept_and_marked_when_nobody_else_has_begun(workspace: Workspace) -> None:
    slow, _ = claims.claim(speaker(workspace), work())
    late(slow)

    done = claims.finish(speaker(workspace), slow.pk, {"result": 7})

    assert (done.state, done.result, done.late) == ("done", 7, True)


def test_a_result_is_brought_once(workspace: Workspace) -> None:
    all_of = speaker(workspace)
    row, _ = claims.claim(all_of, work())
    for _ in range(2):
        claims.finish(all_of, row.pk, {"result": [1]})

    with pytest.raises(TooLate):
        claims.finish(all_of, row.pk, {"result": [2]})
    with pytest.raises(TooLate):
        claims.extend(all_of, row.pk, None)
    assert Entry.objects.filter(workspace=workspace.pk, kind="claim.finished").count() == 1


def test_what_is_given_back_is_there_for_the_next(workspace: Workspace) -> None:
    row, _ = claims.claim(speaker(workspace), work())
    for _ in range(2):
        claims.release(speaker(workspace), row.pk)

    assert claims.claim(speaker(workspace), work(agent="billing"))[1]


def test_a_result_that_is_too_old_is_fetched_anew(workspace: Workspace) -> None:
    all_of = speaker(workspace)
    row, _ = claims.claim(all_of, work())
    claims.finish(all_of, row.pk, {"result": "stale"})
    Claim.objects.filter(pk=row.pk).update(ended_at=timezone.now() - timedelta(minutes=5))

    assert not claims.claim(all_of, work(fresh_s=600))[1]
    assert claims.claim(all_of, work(fresh_s=60))[1]


def test_the_same_idempotency_key_is_the_same_grant(workspace: Workspace) -> None:
    all_of = speaker(workspace)
    said = [claims.claim(all_of, work(), "k")[1], claims.claim(all_of, work(), "k")[1], claims.claim(all_of, work())[1]]

    assert said == [True, True, False]
    assert Claim.objects.count() == 1


def test_a_key_claims_and_finishes_for_its_own_agents_alone(workspace: Workspace) -> None:
    row, _ = claims.claim(speaker(workspace, "triage"), work(agent="Triage"))

    with pytest.raises(NotYours):
        claims.claim(speaker(workspace, "billing"), work())
    for act in (claims.release, lambda who, pk: claims.finish(who, pk, {"result": 1})):
        with pytest.raises(NotYours):
            act(speaker(workspace, "billing"), row.pk)


def test_secrets_are_no_part_of_what_is_kept(workspace: Workspace) -> None:
    secret = "sk-" + "a1B2" * 8
    row, _ = claims.claim(speaker(workspace), work(key=f"look up {secret}"))
    claims.finish(speaker(workspace), row.pk, {"result": {"note": secret, "password": "hunter2", "n": 1}})
    row.refresh_from_db()

    assert secret not in str((row.key, row.result))
    assert row.result["password"] == "[redacted:secret]"
    assert not Entry.objects.filter(body__contains=secret).exists()
    other, granted = claims.claim(speaker(workspace), work(key="look up sk-" + "z9Y8" * 8))
    assert granted
    assert other.key == row.key


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"run": ""}, "run"),
        ({"key": None}, "key"),
        ({"agent": 7}, "agent"),
        ({"key": "x" * 300}, "key"),
        ({"ttl_s": 0}, "ttl_s"),
        ({"ttl_s": "soon"}, "ttl_s"),
        ({"ttl_s": True}, "ttl_s"),
        ({"fresh_s": -1}, "fresh_s"),
        ({"more": 1}, "more"),
    ],
)
def test_a_bad_claim_is_told_which_field(workspace: Workspace, change: dict[str, Any], field: str) -> None:
    with pytest.raises(Wrong) as told:
        claims.claim(speaker(workspace), work(**change))

    assert field in [fault.field for fault in told.value.faults]


@pytest.mark.parametrize("result", [["x" * 70_000], {"a": [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}])
def test_a_result_has_bounds(workspace: Workspace, result: Any) -> None:
    row, _ = claims.claim(speaker(workspace), work())

    with pytest.raises(Wrong):
        claims.finish(speaker(workspace), row.pk, {"result": result})
    with pytest.raises(Wrong):
        claims.finish(speaker(workspace), row.pk, {})


def test_old_results_are_forgotten_before_old_claims(workspace: Workspace) -> None:
    all_of, now = speaker(workspace), timezone.now()
    old, _ = claims.claim(all_of, work())
    claims.finish(all_of, old.pk, {"result": 1})
    Claim.objects.update(since=now - timedelta(days=9), ended_at=now - timedelta(days=9))
    claims.claim(all_of, work(key="new"))

    assert forgetting.old_words(workspace.pk, now - timedelta(days=5)) == 1
    assert forgetting.forget_words(workspace.pk, now - timedelta(days=5)) == 1
    assert forgetting.old_words(workspace.pk, now - timedelta(days=5)) == 0
    old.refresh_from_db()
    assert (old.result, old.key, old.agent) == (None, "", "triage")
    assert forgetting.forget_rows(workspace.pk, now - timedelta(days=5)) == 1
    assert Claim.objects.count() == 1


class Agents(RuleBasedStateMachine):
    """Agents that claim, finish, give back and die in any order. At most one claim of the work stands, fences only
    rise, and a result that was given out is that of the claim that stood."""

    space: Workspace

    def __init__(self) -> None:
        super().__init__()
        Claim.objects.all().delete()
        self.who = speaker(self.space)
        self.mine: list[Claim] = []
        self.accepted: dict[Any, int] = {}

    @rule(agent=st.sampled_from("abc"))
    def claims_it(self, agent: str) -> None:
        row, granted = claims.claim(self.who, work(agent=agent))
        if granted:
            assert all(row.fence > before.fence or row.pk != before.pk for before in self.mine)
            self.mine.append(row)
        elif row.state == Holding.DONE:
            assert row.result == self.accepted[row.pk]

    @rule(n=st.integers(0, 9), result=st.integers(0, 3))
    def brings(self, n: int, result: int) -> None:
        if self.mine:
            row = self.mine[n % len(self.mine)]
            try:
                claims.finish(self.who, row.pk, {"result": result})
            except TooLate:
                return
            assert self.accepted.setdefault(row.pk, result) == result

    @rule(n=st.integers(0, 9))
    def gives_back(self, n: int) -> None:
        if self.mine:
            try:
                claims.release(self.who, self.mine[n % len(self.mine)].pk)
            except TooLate:
                return

    @rule()
    def dies(self) -> None:
        Claim.objects.filter(state=Holding.HELD).update(until=timezone.now() - timedelta(seconds=1))

    @invariant()
    def one_stands(self) -> None:
        assert Claim.objects.filter(state__in=STANDING).count() <= 1


def test_whatever_agents_do_at_most_one_claim_stands(workspace: Workspace) -> None:
    Agents.space = workspace

    run_state_machine_as_test(
        Agents,
        settings=settings(
            max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    assert connection.in_atomic_block
