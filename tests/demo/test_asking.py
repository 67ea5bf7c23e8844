"""What agents ask and what they are answered: the past as it is told, and the present as it is obeyed."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from random import Random
from statistics import mean, median
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from orchestration.demo import bank
from orchestration.demo.arrivals import Plan
from orchestration.demo.asking import MOST_OPEN, REVIEWERS, Asking, joined, may, verdict
from orchestration.demo.company import Company, found
from orchestration.demo.history import PATIENT, tell
from orchestration.demo.line import Line
from orchestration.demo.matters import Refund, refund
from orchestration.demo.memory import FRESH_NS, Memory, past_of
from orchestration.demo.rhythm import DAY, HOUR, MINUTE, Rhythm
from orchestration.demo.scene import Scene
from orchestration.demo.stage import Stage, Story
from orchestration.policies import asks, elsewhere, versions
from orchestration.policies.effects import Effect, Kind
from orchestration.policies.evaluate import Rule, evaluate
from orchestration.policies.lookback import Lookback

Event = dict[str, Any]
NOW_NS = int(datetime(2026, 6, 10, 14, 30, tzinfo=UTC).timestamp()) * 10**9


@pytest.fixture(scope="module")
def past() -> list[Event]:
    """Two weeks of what was asked and decided, oldest first: at a moment of ours, for another has other chances."""
    plan = Plan(Rhythm(NOW_NS, days=14), seed=3, per_minute=1.5)
    company = found("http://127.0.0.1:9", "a-key", plan, Stage(clock=lambda: NOW_NS), PATIENT, past_key="a-past-key")
    sent = kept(company)
    for chapter in past_of(plan).left:
        tell(company, chapter)
    told = [event for event in sent if event.get("type") in ("decision.recorded", "hold.decided")]
    return sorted(told, key=lambda event: event["at"])


def kept(company: Company) -> list[Event]:
    """What the company tells from now on, which is sent nowhere."""
    sent: list[Event] = []

    def keep(item: Event) -> None:
        if company.sight.shows(item):
            sent.append(item)

    for baton in company.exporters:
        for courier in (baton.spans, baton.events):
            courier.put = keep  # type: ignore[method-assign]
    return sent


def recorded(past: list[Event]) -> list[Event]:
    return [event for event in past if event["type"] == "decision.recorded"]


def decided(past: list[Event]) -> list[Event]:
    return [event for event in past if event["type"] == "hold.decided"]


def test_what_the_past_was_answered_is_what_the_policies_answer(past: list[Event]) -> None:
    rules = [
        Rule.of(uuid4(), policy.name, policy.name, 1, versions.checked(policy.live[-1][0]))
        for policy in bank.POLICIES
        if policy.live
    ]
    seen, rejected = Lookback(), {event["decision"] for event in decided(past) if event["verdict"] == "reject"}
    answered: Counter[tuple[str, str]] = Counter()

    for event in recorded(past):
        at = datetime.fromtimestamp(event["at"] / 1e9, UTC)
        told = elsewhere.read(event, at)
        assert told.ask
        facts = asks.facts_of(told.ask, at, ZoneInfo("UTC"), "USD") | dict(told.more)
        subjects = asks.subjects_of(told.ask)
        facts |= seen.facts(subjects, told.ask.type, at)
        counts = event["decision"] not in rejected
        seen.add(subjects, told.ask.type, at, event["agent"], event["facts"].get("action.amount"), counts)
        answer = evaluate(rules, facts, Effect(Kind.ALLOW))
        assert (answer.effect.kind.value, answer.degraded) == (event["effect"], False), event
        answered[told.ask.type, event["effect"]] += 1

    assert {effect for _, effect in answered} == {"allow", "hold", "evidence", "amend", "route", "delay"}
    assert {kind for kind, effect in answered if effect == "hold"} == {
        *("refund", "payout", "kyc.clear", "loan.offer", "card.limit", "address.change")
    }


def test_people_reject_one_in_ten_and_more_where_more_is_at_stake(past: list[Event]) -> None:
    verdicts = decided(past)
    scene = scene_of(Asking())
    chances = [refund(scene, Refund(amount)).wrong for amount in (40.0, 500.0, 900.0, 2000.0)]

    assert 0.06 < mean(event["verdict"] == "reject" for event in verdicts) < 0.16
    assert chances == sorted(chances)
    assert chances[-1] > 1.4 * chances[1] > 0
    assert {event["reviewer"] for event in verdicts} == set(REVIEWERS)


def test_a_verdict_follows_its_question_by_the_minutes_that_it_tells(past: list[Event]) -> None:
    asked = {event["decision"]: event for event in recorded(past)}
    verdicts = decided(past)

    assert all(asked[event["decision"]]["effect"] == "hold" for event in verdicts)
    for event in verdicts:
        waited = timedelta(microseconds=(event["at"] - asked[event["decision"]]["at"]) / 1000)
        assert abs(waited - timedelta(minutes=event["minutes"])) < timedelta(seconds=20)
    assert 5 < median(event["minutes"] for event in verdicts) < 60
    held = [event for event in asked.values() if event["effect"] == "hold"]
    assert len(held) - len(verdicts) < 40  # what was asked last is still open


def test_each_decision_is_told_once_and_what_came_later_only_where_it_could_be_known(past: list[Event]) -> None:
    each = Counter((event["type"], event["decision"]) for event in past)
    newest = max(event["at"] for event in past)
    outcomes = [event for event in past if event.get("outcome")]

    assert set(each.values()) == {1}
    assert {"good", "chargeback", "reversed"} <= {event["outcome"] for event in outcomes}
    asked = {event["decision"]: event["at"] for event in recorded(past)}
    assert all(asked[event["decision"]] < newest - 3 * DAY for event in outcomes)


def test_a_refund_in_four_parts_is_seen_at_the_last(past: list[Event]) -> None:
    accounts = defaultdict(list)
    for event in recorded(past):
        if event["facts"]["action.type"] == "refund":
            accounts[event["facts"]["action.arguments"]["account"]].append(event)
    parts = [events for events in accounts.values() if len(events) == 4]

    assert parts
    for events in parts:
        assert [event["effect"] for event in events] in (["allow"] * 3 + ["hold"], ["hold"] * 4)
        assert all(b["at"] - a["at"] < 30 * MINUTE for a, b in pairwise(events))


def test_questions_say_what_people_need_to_answer_them() -> None:
    ask = refund(scene_of(Asking()), Refund(940.0, doubtful=True))
    body = ask.body("a-run")

    asked = asks.read(body)
    assert (asked.agent, asked.type, str(asked.amount)) == ("refunds/refund", "refund", "940.0000")
    assert "940.00" in body["context"]["question"]
    assert body["context"]["question"].endswith("?")
    assert body["context"]["cost_of_waiting"].endswith(".")
    assert body["context"]["reversible"] is False
    assert {each["kind"] for each in body["evidence"]} == {"booking", "return", "history"}


@dataclass
class Desk:
    """A stand-in for Baton: answers asks with `effect`, and holds with `verdict` once there is one."""

    url: str = ""
    effect: str = "allow"
    verdict: str = ""
    statuses: list[int] = field(default_factory=list)
    asked: list[tuple[str, Event]] = field(default_factory=list)


@contextmanager
def desk(**how: Any) -> Iterator[Desk]:
    baton = Desk(**how)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            baton.asked.append((self.headers["Idempotency-Key"], body))
            hold = "a-hold" if baton.effect == "hold" else None
            self.say({"effect": baton.effect, "hold": hold, "reasons": [{"words": "Because."}]})

        def do_GET(self) -> None:
            until = time.monotonic() + 2
            while not baton.verdict and time.monotonic() < until:
                time.sleep(0.01)
            at = datetime.now(UTC).isoformat()
            state = (
                {"state": "applied", "verdict": baton.verdict, "applied_at": at} if baton.verdict else {"state": "open"}
            )
            self.say(state)

        def say(self, answer: Event) -> None:
            sent = json.dumps(answer).encode()
            self.send_response(baton.statuses.pop(0) if baton.statuses else 200)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    baton.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield baton
    finally:
        server.shutdown()
        server.server_close()


def scene_of(asking: Asking, stage: Stage | None = None) -> Scene:
    company = found("http://127.0.0.1:9", "a-key", Plan(Rhythm(time.time_ns()), 1), stage or Stage())
    return Scene(company.actors, company.plan.rhythm, Random(1), asking)


def played(baton: Desk, asking: Asking, then: Any = None) -> list[Any]:
    """A story that asks, tells what it was answered, and waits for a verdict where a person was asked."""
    stage, seen = Stage(), list[Any]()
    scene = scene_of(asking, stage)

    def story() -> Story:
        answer = yield from may(scene, refund(scene, Refund(940.0)), "a-run")
        seen.append(answer.effect)
        if answer.effect == "hold":
            if then:
                then()
            seen.append((yield from verdict(scene, answer, 5.0)))

    stage.begin(story(), ids=Random(1))
    stage.play(threading.Event().wait, to_the_end=False)
    return seen


def live(baton: Desk) -> Asking:
    return Asking(Line(baton.url, "a-key"), since_ns=0, clock=time.time_ns)


def test_an_agent_obeys_what_it_is_answered_though_it_expected_another() -> None:
    with desk(effect="allow") as baton:
        assert played(baton, live(baton)) == ["allow"]
        ((key, body),) = baton.asked

    assert key.endswith(" refund 1")
    assert body["action"]["amount"] == 940.0


def test_an_agent_waits_for_the_person_and_goes_on_as_they_say() -> None:
    with desk(effect="hold") as baton:
        asking = live(baton)
        assert asking.line

        def answer() -> None:
            wait_for(lambda: asking.line is not None and asking.line.open == 1)
            baton.verdict = "reject"

        assert played(baton, asking, answer) == ["hold", "reject"]
        assert asking.line.open == 0


def test_an_ask_that_got_no_answer_is_sent_again_under_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.demo.line.PAUSE_S", 0.05)
    with desk(statuses=[503, 429]) as baton:
        assert played(baton, live(baton)) == ["allow"]

        assert len(baton.asked) == 3
        assert len({key for key, _ in baton.asked}) == 1


def test_a_key_that_may_not_ask_leaves_the_agents_to_themselves() -> None:
    with desk(statuses=[403]) as baton:
        asking = live(baton)
        assert played(baton, asking) == ["hold", ""]
        assert asking.line
        assert not asking.line.works


def test_what_was_asked_in_an_earlier_life_goes_on_and_what_was_over_by_then_is_not_told_twice() -> None:
    now = time.time_ns()
    with desk(effect="hold", verdict="approve") as baton:
        asking = live(baton)
        asking.lived, asking.since_ns = [[0, now + DAY]], now - MINUTE
        assert played(baton, asking) == ["hold", "approve"]  # after the last start

        asking.since_ns = now + DAY
        assert played(baton, asking) == ["hold", ""]


def test_an_agent_does_not_add_to_a_full_inbox() -> None:
    with desk(effect="hold") as baton:
        asking = live(baton)
        assert asking.line
        asking.line.open = MOST_OPEN
        scene = scene_of(asking)
        waits = may(scene, refund(scene, Refund(940.0)), "a-run")

        assert next(waits) == 20.0
        asking.line.open = 0
        assert next(waits) < 1
        assert not asking.is_full


def test_what_is_new_is_asked_and_what_is_past_is_told() -> None:
    plan = Plan(Rhythm(time.time_ns()), seed=2, per_minute=3.8)
    before = found("http://127.0.0.1:9", "a-key", plan, Stage(), PATIENT, past_key="a-past-key")
    sent = kept(before)
    newest = past_of(plan).left[0]
    tell(before, replace(newest, since_ns=newest.until_ns - 3 * HOUR))
    told = {event["decision"] for event in sent if event.get("type") == "decision.recorded"}
    with desk() as baton:
        company = found(baton.url, "a-key", plan, Stage(), asks=True)
        kept(company)
        company.open(plan.rhythm.founded_ns - FRESH_NS)
        company.stage.rush(plan.rhythm.founded_ns)
        wait_for(lambda: len(baton.asked) > 20)
    asked = {key for key, _ in baton.asked}

    assert len(asked) > 20
    assert len(told) > 20
    assert not asked & told


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_when_the_company_lived_is_remembered(tmp_path: Any) -> None:
    memory = Memory(tmp_path, "a-key")
    plan, told = memory.company(100 * DAY, 1, 4.0)
    assert memory.live(told) == []
    memory.told(plan, told + MINUTE)

    again = Memory(tmp_path, "a-key")
    again.company(101 * DAY, 1, 4.0)

    assert again.live(101 * DAY) == [[told, told + MINUTE]]
    assert again.lived[-1] == [101 * DAY, 101 * DAY]


def test_stretches_that_touch_are_one_and_old_ones_are_forgotten() -> None:
    assert joined([[1, 2], [10, 20], [20, 30], [50, 60], [55, 58]], 5) == [[10, 30], [50, 60]]
