"""Rules on signals: what is planted is acted upon, once, within bounds, and by the rule that says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.utils import timezone

from orchestration.autonomy import stops, work
from orchestration.autonomy.aims import Aim
from orchestration.autonomy.models import Action, Cause, Episode, Kind, State, Target
from orchestration.autonomy.ordering import Wish, order
from orchestration.control import signals, worsening
from orchestration.holds.models import Hold
from orchestration.ledger.models import Entry
from orchestration.policies import lifecycle, shadows
from orchestration.policies.lifecycle import NotNow
from orchestration.policies.models import Policy, PolicyVersion, Reading
from orchestration.policies.signal_kinds import SIGNALS
from orchestration.registry.models import Agent
from orchestration.routing.models import Breaker, Move
from orchestration.telemetry.rollups import SPANS, Tally, book
from orchestration.workspaces.models import User, Workspace
from tests import make

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def body(signal: str, of: str, act: str = "notify", condition: str = "", **more: Any) -> dict[str, Any]:
    return {
        "signal": signal,
        "of": of,
        "condition": condition or SIGNALS[signal].start,
        "acts": [{"kind": act, "minutes": 30 if act == "pause" else None}],
        "leave": "apply",
    } | more


def live(space: Workspace, by: User, said: Mapping[str, Any], *, shadow: bool = False) -> PolicyVersion:
    draft = lifecycle.create(space, f"When {said['signal']}", by, said)
    if shadow:
        return lifecycle.start_shadow(draft.policy_id, by)
    PolicyVersion.objects.update(replayed_at=timezone.now(), replayed_digest=draft.digest)
    return lifecycle.publish(draft.policy_id, draft.number, by, "So that nobody has to watch it")


def failing(space: Workspace, name: str = "refund") -> Agent:
    agent = make.agent(space, name)
    make.calls(space, agent, n=40, failures=30, at=NOW)
    return agent


def worsened(space: Workspace) -> Agent:
    worsening.forget()  # what is usual, as it is read anew each minute
    agent, tally = make.agent(space), Tally(SPANS)
    for day in range(2, 12):
        make.calls(space, agent, n=60, failures=2, at=NOW - timedelta(days=day), into=tally)
    make.calls(space, agent, n=60, failures=30, at=NOW - timedelta(minutes=10), into=tally)
    book(space.pk, tally)
    return agent


def sweep(space: Workspace, minutes: float = 0) -> int:
    return signals.sweep_one(space, NOW + timedelta(minutes=minutes))


def test_an_agent_that_fails_is_paused_by_the_rule_that_says_so(workspace: Workspace, admin: User) -> None:
    version = live(workspace, admin, body("agent_failures", "agent", "pause"))
    agent = failing(workspace)
    make.calls(workspace, make.agent(workspace, "well"), n=40, at=NOW)

    assert sweep(workspace) == 1

    act = Action.objects.get()
    assert (act.kind, act.target, act.minutes, act.state) == ("pause", str(agent.pk), 30, State.QUEUED)
    assert (act.cause, act.cause_id) == ("rule", f"{version.policy.slug}@1")
    assert "signal.surely" in act.reason
    assert Entry.objects.filter(kind="action.ordered", subject_id=str(act.pk)).count() == 1


def test_an_agent_that_gets_worse_is_supervised_and_the_runs_that_tripped_it_are_named(
    workspace: Workspace, admin: User
) -> None:
    live(workspace, admin, body("agent_worse", "agent", "supervise"))
    agent = worsened(workspace)
    run = make.run(workspace, status="failed", agents=[agent.pk], heard_at=NOW - timedelta(minutes=5))
    make.run(workspace, status="completed", agents=[agent.pk], heard_at=NOW - timedelta(minutes=5))

    assert sweep(workspace) == 1
    work.carry_out_one(Action.objects.get())

    act = Action.objects.get()
    assert (act.kind, act.state, act.minutes) == ("supervise", State.DONE, None)
    assert act.told["runs"] == [str(run.id)]
    assert "one_in" in act.reason
    assert stops.of(workspace.pk, Target.AGENT, str(agent.pk)).keys() == {"supervise"}
    assert work.end_stops() == 0  # only a person, or the time that one set, takes it back
    assert sweep(workspace, 1) == 0


def test_what_is_seen_a_thousand_times_is_acted_upon_once(workspace: Workspace, admin: User) -> None:
    live(workspace, admin, body("agent_failures", "agent", "pause"))
    failing(workspace)

    acts = [sweep(workspace, n / 60) for n in range(20)]

    assert sum(acts) == 1
    episode = Episode.objects.get()
    assert (episode.seen, episode.ended_at) == (20, None)


def test_runs_that_are_stuck_for_one_reason_are_told_of_once_with_their_number(
    workspace: Workspace, admin: User
) -> None:
    live(workspace, admin, body("stuck_run", "workflow"))
    make.agent(workspace)
    long_ago = NOW - timedelta(minutes=20)
    for _ in range(30):
        make.run(workspace, status="stalled", heard_at=long_ago, traces=[])

    assert sweep(workspace) == 1

    act = Action.objects.get()
    assert (act.kind, act.told["cases"], act.told["of"]["kind"]) == ("notify", 30, "workflow")


def test_it_acts_anew_only_after_it_was_clear_and_has_cooled_down(workspace: Workspace, admin: User) -> None:
    live(workspace, admin, body("queue", "workspace", bounds={"clear_s": 60, "cool_down_s": 1800}))
    make.agent(workspace)
    hold = asked(workspace)

    assert sweep(workspace) == 1
    Hold.objects.filter(pk=hold.pk).update(state="applied")
    assert sweep(workspace, 1) == sweep(workspace, 3) == 0
    assert Episode.objects.exclude(ended_at=None).count() == 1
    Hold.objects.filter(pk=hold.pk).update(state="open")

    assert sweep(workspace, 5) == 0
    assert Episode.objects.get(ended_at=None).held_back == "cool_down"
    assert Entry.objects.filter(kind="rule.held_back").count() == 1
    assert sweep(workspace, 31) == 1


def test_no_more_acts_within_an_hour_than_the_rule_allows(workspace: Workspace, admin: User) -> None:
    live(workspace, admin, body("agent_failures", "agent", "pause", bounds={"an_hour": 2}))
    for n in range(5):
        failing(workspace, f"agent-{n}")

    assert sweep(workspace) == 2

    assert Episode.objects.filter(held_back="an_hour").count() == 3


def test_a_shadow_says_what_it_would_have_done_and_does_nothing(workspace: Workspace, admin: User) -> None:
    live(workspace, admin, body("agent_failures", "agent", "pause"), shadow=True)
    failing(workspace)

    assert sweep(workspace) == 0

    assert Episode.objects.get().acted_at == NOW
    assert not Action.objects.exists()


def test_a_shadow_has_to_have_seen_enough_or_a_person_says_why_not(workspace: Workspace, admin: User) -> None:
    version = live(workspace, admin, body("agent_failures", "agent", "pause"), shadow=True)
    PolicyVersion.objects.update(replayed_at=timezone.now(), replayed_digest=version.digest)
    for n in range(4):
        failing(workspace, f"agent-{n}")
        sweep(workspace)
    with pytest.raises(NotNow, match=r"The shadow has seen 4 of 5 episodes and 0 of 7 days so far\. Wait"):
        lifecycle.publish(version.policy_id, 1, admin, "Nights")

    published = lifecycle.publish(version.policy_id, 1, admin, "Nights", early=True)

    assert (published.state, published.reason) == ("live", "Nights")
    assert published.early == "The shadow has seen 4 of 5 episodes and 0 of 7 days so far."
    assert '"early":"The shadow' in Entry.objects.get(kind="policy.published").body


def test_a_shadow_that_has_seen_enough_goes_live_and_another_counts_anew(workspace: Workspace, admin: User) -> None:
    version = live(workspace, admin, body("agent_failures", "agent", "pause"), shadow=True)
    PolicyVersion.objects.update(replayed_at=timezone.now(), replayed_digest=version.digest)
    Policy.objects.update(shadow_decisions=1, shadow_days=0)
    failing(workspace)
    sweep(workspace)
    assert lifecycle.publish(version.policy_id, 1, admin, "Nights").early == ""

    lifecycle.save_draft(version.policy_id, admin, body("agent_failures", "agent", "pause", leave="propose"))
    lifecycle.start_shadow(version.policy_id, admin)

    policy = Policy.objects.get()
    assert shadows.why_not(policy, shadows.seen(policy)) == "The shadow has seen 0 of 1 episodes so far."


def test_one_that_asks_first_only_proposes(workspace: Workspace, admin: User) -> None:
    live(workspace, admin, body("agent_failures", "agent", "pause", leave="propose"))
    failing(workspace)

    sweep(workspace)

    assert Action.objects.get().state == State.PROPOSED


def test_a_rule_that_is_retired_ends_its_episodes_and_acts_no_more(workspace: Workspace, admin: User) -> None:
    version = live(workspace, admin, body("agent_failures", "agent", "pause", bounds={"cool_down_s": 0}))
    failing(workspace)
    sweep(workspace)

    lifecycle.retire(version.policy_id, admin, "No more")

    assert sweep(workspace, 1) == 0
    assert not Episode.objects.filter(ended_at=None).exists()


def test_work_moves_to_the_agent_that_the_rule_names(workspace: Workspace, admin: User) -> None:
    act = [{"kind": "reroute", "minutes": 30, "to": "desk-standby"}]
    live(workspace, admin, body("breaker", "agent", acts=act))
    make.agent(workspace, "standby")
    PLANTED["breaker"](workspace)

    sweep(workspace)
    work.carry_out()

    assert Action.objects.get().told["about"] == {"to": "desk-standby", "system": "payments"}
    assert Move.objects.get().to.name == "standby"


def asked(space: Workspace, **fields: Any) -> Hold:
    known = {"agent": "refund", "question": "Pay?", "proposal": "Pay", "why": "It is asked", "source": "agent"}
    return Hold.objects.create(**{"workspace": space, "opened_at": NOW - timedelta(minutes=40)} | known | fields)


def looped(space: Workspace) -> None:
    agent, told = make.agent(space), {"why": "loop", "calls": 7, "tool": "search", "run": str(UUID(int=1))}
    wish = Wish(Kind.PAUSE, "baton:autonomy", "k", "Loop", cause=Cause.FINDING, told=told)
    order(space.pk, wish, Aim(Target.AGENT, str(agent.pk), agent.name), proposed=True)


PLANTED: dict[str, Callable[[Workspace], object]] = {  # as telemetry and pages leave it
    "agent_failures": failing,
    "agent_worse": worsened,
    "workflow_failures": lambda space: make.ended(make.workflow(space), *[100.0] * 30, failed=25, at=NOW),
    "system_failures": lambda space: make.calls(
        space, make.agent(space), n=40, failures=30, on=make.system(space), at=NOW
    ),
    "breaker": lambda space: Breaker.objects.create(
        workspace=space, agent=make.agent(space), system=make.system(space), state="open"
    ),
    "stuck_run": lambda space: make.run(space, status="stalled", heard_at=NOW - timedelta(minutes=20)),
    "loop": looped,
    "silence": lambda space: make.pulse(make.agent(space), NOW - timedelta(minutes=31)),
    "run_cost": lambda space: make.run(space, status="running", heard_at=NOW, cost=6_000_000_000),
    "agent_cost": lambda space: make.calls(space, make.agent(space), n=2, cost=60_000_000_000, at=NOW),
    "queue": asked,
}


@pytest.mark.parametrize("signal", list(SIGNALS))
def test_each_signal_is_measured_kept_and_acted_upon(workspace: Workspace, admin: User, signal: str) -> None:
    live(workspace, admin, body(signal, SIGNALS[signal].of[-1]))
    make.agent(workspace)
    assert sweep(workspace) == 0

    PLANTED[signal](workspace)

    assert sweep(workspace) == 1
    assert Action.objects.get(kind="notify").told["signal"] == signal
    assert Reading.objects.filter(signal=signal).exists()


def test_readings_are_kept_where_they_differ_and_say_when_it_is_clear_again(workspace: Workspace, admin: User) -> None:
    live(workspace, admin, body("queue", "workspace"))
    make.agent(workspace)
    hold = asked(workspace)

    for minute in (0, 0.2, 1, 2):
        sweep(workspace, minute)
    Hold.objects.filter(pk=hold.pk).update(state="applied")
    sweep(workspace, 4)
    sweep(workspace, 6)

    kept = list(Reading.objects.filter(signal="queue").order_by("at").values_list("facts", flat=True))
    assert [bool(facts) for facts in kept] == [True, False]


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_act_once(workspace: Workspace, admin: User) -> None:
    live(workspace, admin, body("agent_failures", "agent", "pause"))
    failing(workspace)

    def run() -> None:
        sweep(workspace)
        connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (Action.objects.count(), Episode.objects.get().seen) == (1, 4)
