"""Replays as rows: asked for, worked on, cancelled, taken over, and what they leave with the version."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orchestration.control import recorded, replaying
from orchestration.ledger.models import Entry
from orchestration.policies import lifecycle
from orchestration.policies.models import Decision, PolicyVersion, Progress, ReplayRun
from orchestration.policies.replay import Replay
from orchestration.workspaces.models import User, Workspace
from tests.control.decided import BEGIN, LIMIT, decisions, draft


def done(version: PolicyVersion, **wishes: Any) -> ReplayRun:
    run = replaying.start(version.policy.workspace, version, None, **wishes)
    replaying.work()
    run.refresh_from_db()
    assert run.state == Progress.DONE, run.fault
    return run


def test_a_replay_ends_with_its_report(workspace: Workspace, admin: User) -> None:
    decisions(workspace, [n * 10 for n in range(1, 101)], verdict="reject")

    run = done(draft(workspace, admin))

    assert (run.done, run.total, run.share) == (100, 100, 1.0)
    assert run.report is not None
    assert (run.report["held"], run.report["held_right"], run.report["after"]["missed"]) == (50, 50, 50)
    assert len(run.report["held_cases"]) == 50
    assert run.report["cut"] is False


def test_what_was_replayed_may_be_published_and_what_changed_since_may_not(workspace: Workspace, admin: User) -> None:
    decisions(workspace, [100])
    version = draft(workspace, admin)
    with pytest.raises(lifecycle.NotNow, match="Replay"):
        lifecycle.publish(version.policy_id, version.number, admin, "At last")
    done(version)

    lifecycle.save_draft(version.policy_id, admin, LIMIT | {"limits": {"limit": 900}})
    with pytest.raises(lifecycle.NotNow, match="Replay"):
        lifecycle.publish(version.policy_id, version.number, admin, "At last")
    lifecycle.save_draft(version.policy_id, admin, LIMIT)

    assert lifecycle.publish(version.policy_id, version.number, admin, "At last").state == "live"
    version.refresh_from_db()
    assert version.replay["held"] == 0
    assert "held_cases" not in version.replay


def test_a_replay_of_an_older_body_is_no_replay_of_what_it_became(workspace: Workspace, admin: User) -> None:
    decisions(workspace, [100, 700])
    version = draft(workspace, admin)
    run = replaying.start(workspace, version, admin)
    lifecycle.save_draft(version.policy_id, admin, LIMIT | {"limits": {"limit": 900}})

    replaying.work()

    run.refresh_from_db()
    version.refresh_from_db()
    assert run.report is not None
    assert run.report["held"] == 1
    assert version.replayed_digest == run.digest != version.digest


def test_the_same_replay_is_started_once(workspace: Workspace, admin: User) -> None:
    version = draft(workspace, admin)

    first, again = (replaying.start(workspace, version, admin) for _ in range(2))
    other = replaying.start(workspace, version, admin, since=BEGIN)
    first.refresh_from_db()

    assert first == again
    assert other != first
    assert (first.state, replaying.latest(version)) == (Progress.CANCELLED, other)


def test_one_that_was_cancelled_does_not_go_on(
    workspace: Workspace, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "EACH_S", 0)
    decisions(workspace, range(1, 1001))
    version = draft(workspace, admin)
    run = replaying.start(workspace, version, admin)
    fed: list[int] = []
    real = Replay.feed

    def feed(self: Any, part: Any) -> None:
        fed.append(len(part))
        real(self, part)
        replaying.cancel(run)

    monkeypatch.setattr(Replay, "feed", feed)
    replaying.work()

    run.refresh_from_db()
    version.refresh_from_db()
    assert (run.state, len(fed), version.replayed_at) == (Progress.CANCELLED, 1, None)
    assert not replaying.cancel(run)


def test_a_row_whose_worker_died_is_taken_up_again_and_not_for_ever(workspace: Workspace, admin: User) -> None:
    decisions(workspace, [100])
    run = replaying.start(workspace, draft(workspace, admin), admin)
    dead = timezone.now() - timedelta(minutes=1)
    ReplayRun.objects.filter(pk=run.pk).update(state=Progress.RUNNING, beat_at=dead, tries=1)

    assert replaying.sweep() == 1
    assert replaying.work() == 1

    ReplayRun.objects.filter(pk=run.pk).update(state=Progress.RUNNING, beat_at=dead, tries=replaying.TRIES)
    replaying.work()
    run.refresh_from_db()
    assert run.state == Progress.FAILED


def test_a_row_that_somebody_works_on_is_left_alone(workspace: Workspace, admin: User) -> None:
    run = replaying.start(workspace, draft(workspace, admin), admin)
    ReplayRun.objects.filter(pk=run.pk).update(state=Progress.RUNNING, beat_at=timezone.now())

    assert (replaying.sweep(), replaying.work()) == (0, 0)


def test_without_history_a_replay_says_so(workspace: Workspace, admin: User) -> None:
    run = done(draft(workspace, admin))

    assert run.report is not None
    assert (run.report["decisions"], run.report["first"], run.report["days"]) == (0, None, 0)


def test_only_the_newest_are_replayed_and_it_says_so(
    workspace: Workspace, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "MOST", 30)
    monkeypatch.setattr(recorded, "PAGE", 7)
    rows = decisions(workspace, range(1, 101))

    run = done(draft(workspace, admin))

    assert run.report is not None
    assert (run.report["decisions"], run.report["cut"], run.report["most"]) == (30, True, 30)
    assert run.report["first"] == rows[70].at.isoformat()


def test_decisions_of_one_moment_are_each_fed_once(
    workspace: Workspace, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "PAGE", 3)
    decisions(workspace, range(1, 21), at=BEGIN)

    run = done(draft(workspace, admin))

    assert run.report is not None
    assert run.report["decisions"] == 20


def test_the_range_may_be_chosen_and_ninety_days_are_the_usual(workspace: Workspace, admin: User) -> None:
    decisions(workspace, [1, 2, 3], at=BEGIN - timedelta(days=91))
    decisions(workspace, [4, 5], at=BEGIN)
    version = draft(workspace, admin)

    usual, whole = done(version), done(version, since=BEGIN - timedelta(days=400))
    early = done(version, until=BEGIN - timedelta(days=1))

    assert [run.report and run.report["decisions"] for run in (usual, whole, early)] == [2, 5, 3]


def test_rules_that_look_back_see_what_lies_before_the_range(workspace: Workspace, admin: User) -> None:
    decisions(workspace, [499] * 100)  # two for each of 50 accounts
    version = draft(workspace, admin, condition="past.count_account_24h < 1", limits={})

    run = done(version, since=BEGIN + timedelta(minutes=50))

    assert run.report is not None
    assert (run.report["decisions"], run.report["held"]) == (50, 50)


def test_a_discarded_draft_ends_its_replay(workspace: Workspace, admin: User) -> None:
    decisions(workspace, [100])
    version = draft(workspace, admin)
    replaying.start(workspace, version, admin)

    lifecycle.discard(version.policy_id, admin)

    assert replaying.work() == 0
    assert not ReplayRun.objects.filter(workspace=workspace).exists()


def test_another_workspace_is_never_read(workspace: Workspace, admin: User) -> None:
    elsewhere = Workspace.objects.create(slug="other", name="Other")
    decisions(elsewhere, range(1, 11))

    run = done(draft(workspace, admin))

    assert run.report is not None
    assert run.report["decisions"] == 0
    assert replaying.found(run.pk, elsewhere) is None


def test_only_the_last_few_of_a_version_are_kept(workspace: Workspace, admin: User) -> None:
    version = draft(workspace, admin)

    for _ in range(replaying.KEPT + 3):
        done(version)

    assert ReplayRun.objects.filter(version=version).count() == replaying.KEPT


def test_a_replay_leaves_a_receipt(workspace: Workspace, admin: User) -> None:
    decisions(workspace, [100, 900])
    version = draft(workspace, admin)
    replaying.start(workspace, version, admin)

    replaying.work()

    entry = Entry.objects.get(workspace=workspace.pk, kind="policy.replayed")
    assert (entry.actor, version.digest in entry.body) == ("person:admin", True)


def test_what_only_a_verdict_came_for_is_not_replayed(workspace: Workspace, admin: User) -> None:
    decisions(workspace, [100], action_type="")

    run = done(draft(workspace, admin))

    assert run.report is not None
    assert (run.report["decisions"], Decision.objects.filter(workspace=workspace).count()) == (0, 1)


def test_a_long_replay_gives_signs_of_life(workspace: Workspace, admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    signs: list[int] = []
    monkeypatch.setattr(replaying, "each_beat", [lambda: signs.append(1)])
    monkeypatch.setattr(replaying, "EACH_S", 0.0)
    decisions(workspace, [10, 20, 30])

    replaying.start(workspace, draft(workspace, admin), admin)
    replaying.work()

    assert len(signs) > 1
