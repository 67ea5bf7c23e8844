"""A rule on signals over what was measured."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orchestration.control import replaying, signal_replay
from orchestration.ledger.models import Entry
from orchestration.policies import lifecycle
from orchestration.policies.lifecycle import NotNow
from orchestration.policies.models import PolicyVersion, Progress, Reading, ReplayRun
from orchestration.workspaces.models import User, Workspace
from tests.control.test_signals import body

pytestmark = pytest.mark.django_db
NOW = timezone.now().replace(second=0, microsecond=0)


def draft(space: Workspace, by: User, **more: Any) -> PolicyVersion:
    return lifecycle.create(space, "Queue", by, body("queue", "workspace", **more))


def replay(version: PolicyVersion) -> dict[str, Any]:
    """By the worker, as it was asked for on the page."""
    run = replaying.start(version.policy.workspace, version, version.author)
    replaying.work()
    run.refresh_from_db()
    assert (run.state, run.done) == (Progress.DONE, run.total), run.fault
    assert run.report is not None
    return dict(run.report)


def queue(space: Workspace, *course: tuple[float, float | None]) -> None:
    """Hours ago, and the minutes that the oldest question had waited by then; None: there was none."""
    here = [str(space.pk), space.name]
    Reading.objects.bulk_create(
        Reading(
            workspace=space,
            signal="queue",
            target=here[0],
            at=NOW - timedelta(hours=hours),
            name=here[1],
            tied={"workspace": here},
            facts={} if minutes is None else {"signal.minutes": minutes, "signal.open": 1.0, "signal.late": 0.0},
        )
        for hours, minutes in course
    )


def test_it_tells_when_it_would_have_acted(workspace: Workspace, admin: User) -> None:
    queue(workspace, (50, 10.0), (49.5, 40.0), (49.25, 55.0), (49, None), (3, 31.0), (2.5, 60.0))

    report = replay(draft(workspace, admin))

    assert (report["readings"], report["episodes"], report["acts"], sum(report["days"])) == (6, 2, 2, 2)
    assert [told["acted"] for told in report["told"]] == [
        (NOW - timedelta(hours=hours)).isoformat() for hours in (3, 49.5)
    ]


def test_what_its_bounds_would_have_held_back_is_told_too(workspace: Workspace, admin: User) -> None:
    queue(workspace, (3, 40.0), (2.9, None), (2.8, 40.0), (2.7, None))

    report = replay(draft(workspace, admin, bounds={"cool_down_s": 3600, "clear_s": 60}))

    assert (report["acts"], report["held_back"], report["told"][0]["why_not"]) == (1, 1, "cool_down")


def test_what_was_clear_for_a_moment_only_is_one_episode(workspace: Workspace, admin: User) -> None:
    queue(workspace, (3, 40.0), (2.9, None), (2.8, 40.0))

    assert replay(draft(workspace, admin, bounds={"clear_s": 3600}))["episodes"] == 1


def test_what_nobody_said_anything_of_any_more_is_over(workspace: Workspace, admin: User) -> None:
    queue(workspace, (20, 40.0), (3, 40.0))

    assert replay(draft(workspace, admin))["episodes"] == 2


def test_it_has_to_be_replayed_before_it_goes_live(workspace: Workspace, admin: User) -> None:
    queue(workspace, (3, 40.0))
    made = draft(workspace, admin)
    with pytest.raises(NotNow, match="Replay this version over what was measured"):
        lifecycle.publish(made.policy_id, 1, admin, "Why not")

    replay(made)

    assert lifecycle.publish(made.policy_id, 1, admin, "Seen").state == "live"


def test_of_too_many_readings_the_newest_are_looked_at(
    workspace: Workspace, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(workspace, (50, 40.0), (49, None), (3, 31.0), (2.5, 60.0))
    monkeypatch.setattr(signal_replay, "MOST", 2)

    report = replay(draft(workspace, admin))

    assert (report["cut"], report["readings"], report["acts"]) == (True, 2, 1)
    assert report["told"][0]["began"] == (NOW - timedelta(hours=3)).isoformat()


def test_it_is_stopped_in_the_middle_and_taken_up_by_another_worker(
    workspace: Workspace, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(workspace, *((place / 10, 40.0) for place in range(1, 200)))
    monkeypatch.setattr(replaying, "EACH_S", 0)
    monkeypatch.setattr(signal_replay, "EACH", 50)
    made = draft(workspace, admin)
    run, seen = replaying.start(workspace, made, admin), []

    def stop() -> None:
        run.refresh_from_db()
        seen.append(run.done)
        if len(seen) == 3:
            raise KeyboardInterrupt  # as if it was killed

    monkeypatch.setattr(replaying, "each_beat", [stop])
    with pytest.raises(KeyboardInterrupt):
        replaying.work()
    run.refresh_from_db()
    assert (seen, run.state, run.total) == ([0, 0, 50], Progress.RUNNING, 199)

    monkeypatch.setattr(replaying, "each_beat", [lambda: replaying.cancel(run)])
    ReplayRun.objects.update(beat_at=timezone.now() - timedelta(minutes=1))
    assert replaying.work() == 0
    run.refresh_from_db()
    made.refresh_from_db()
    assert (run.state, made.replayed_at) == (Progress.CANCELLED, None)

    monkeypatch.setattr(replaying, "each_beat", [])
    assert replay(made)["readings"] == 199
    assert '"readings":199' in Entry.objects.get(kind="policy.replayed").body


def test_a_rule_that_a_later_release_cannot_read_fails_in_words(workspace: Workspace, admin: User) -> None:
    made = draft(workspace, admin)
    PolicyVersion.objects.filter(pk=made.pk).update(body=made.body | {"condition": "signal.gone > 1"})

    run = replaying.start(workspace, made, admin)
    replaying.work()

    run.refresh_from_db()
    assert (run.state, run.fault[:27]) == (Progress.FAILED, "This version cannot be run:")
