"""The past of the company, told in parts: the parts are the whole, whenever and however often they are told."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from orchestration.demo.arrivals import Plan
from orchestration.demo.company import Company, found
from orchestration.demo.history import PATIENT, courtesy, tell, tell_all, waiting
from orchestration.demo.memory import FRESH_NS, Chapter, Memory, missed, past_of
from orchestration.demo.rhythm import DAY, HOUR, MINUTE, Rhythm
from orchestration.demo.stage import Stage
from tests.client.receiver import Receiver, receiver

Part = Callable[[Company], object]


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Of two days, founded an hour ago."""
    return Plan(Rhythm(time.time_ns() - HOUR, days=2), seed=5, per_minute=0.4)


def told(plan: Plan, *parts: Part) -> Receiver:
    with receiver() as got:
        company = found(got.url, "a-key", plan, Stage(), PATIENT, past_key="a-past-key")
        for part in parts:
            part(company)
        assert company.close(60.0)["dropped"] == 0
    return got


def living(after_ns: int, until_ns: int) -> Part:
    def part(company: Company) -> None:
        company.sight.after_ns, company.sight.until_ns, company.sight.signs = after_ns, until_ns, False
        company.open(after_ns)
        company.stage.rush(until_ns)
        company.stage.clear()

    return part


def chapters(of: Iterable[Chapter]) -> list[Part]:
    return [partial(tell, chapter=chapter) for chapter in of]


def lines(got: Receiver) -> list[str]:
    return sorted(map(repr, got.spans)) + sorted(map(repr, got.events))


@pytest.fixture(scope="module")
def whole(plan: Plan) -> list[str]:
    """All of it, told in one go from the first day."""
    return lines(told(plan, living(0, plan.rhythm.founded_ns + HOUR // 2)))


@pytest.fixture(scope="module")
def past(plan: Plan) -> Receiver:
    """What came before it was founded, told in chapters."""
    return told(plan, *chapters(past_of(plan).left))


def test_past_and_present_are_together_what_one_who_was_there_from_the_first_day_tells(
    plan: Plan, whole: list[str], past: Receiver
) -> None:
    present = told(plan, living(plan.rhythm.founded_ns - FRESH_NS, plan.rhythm.founded_ns + HOUR // 2))

    parts = Receiver("", requests=past.requests + present.requests)

    assert lines(parts) == whole
    assert len(whole) > 2000


def test_what_was_missed_is_told_later_as_it_happened(plan: Plan, whole: list[str]) -> None:
    stopped, again = plan.rhythm.founded_ns - 30 * HOUR, plan.rhythm.founded_ns + HOUR // 2
    gap = missed(plan, stopped, again)

    parts = told(plan, living(0, stopped), *chapters(gap), living(again - FRESH_NS, again))

    assert lines(parts) == whole
    assert [chapter.whole for chapter in gap] == [True, True, False]


def test_a_short_stop_leaves_no_gap_to_tell(plan: Plan) -> None:
    assert missed(plan, 100 * HOUR, 100 * HOUR + 5 * MINUTE) == []


def test_a_chapter_told_twice_is_the_same_to_the_last_id(plan: Plan) -> None:
    (chapter,) = chapters(past_of(plan).left[:1])

    twice = Counter(lines(told(plan, chapter, chapter)))

    assert set(twice.values()) == {2}


def test_the_newest_day_is_told_first_and_nothing_that_would_wake_an_agent(plan: Plan, past: Receiver) -> None:
    days = past_of(plan).left

    assert [day.until_ns for day in days] == sorted((day.until_ns for day in days), reverse=True)
    newest = max([int(s["endTimeUnixNano"]) for s in past.spans] + [e["at"] for e in past.events])
    assert newest <= plan.rhythm.founded_ns - FRESH_NS
    assert not any(event["type"] == "heartbeat" for event in past.events)
    assert int(past.spans[0]["startTimeUnixNano"]) > days[0].since_ns


def test_what_is_too_old_to_be_taken_is_not_sent(plan: Plan) -> None:
    old = Plan(Rhythm(time.time_ns() - 29 * DAY, days=3), plan.seed, 0.2)

    got = told(old, *chapters(past_of(old).left))

    oldest = time.time_ns() - 30 * DAY
    assert got.spans
    assert all(int(span["startTimeUnixNano"]) > oldest for span in got.spans)


def test_a_telling_that_was_stopped_goes_on_where_it_was(plan: Plan, past: Receiver, tmp_path: Path) -> None:
    memory = remembering(tmp_path, plan)

    class Stop(Exception):
        pass

    def stop(_: Any) -> None:
        raise Stop

    with receiver() as got:
        with pytest.raises(Stop):
            tell_all(got.url, "a-key", plan, memory, stop, past_key="a-past-key")
        first = len(memory.telling().left)
        telling = tell_all(got.url, "a-key", plan, memory, lambda _: None, past_key="a-past-key")

    assert (first, telling.of, memory.telling().left) == (1, 2, [])
    assert (telling.spans, telling.events) == (len(got.spans), len(got.events))
    assert lines(got) == lines(past)


def test_what_baton_did_not_take_is_told_again_by_the_next_start(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = remembering(tmp_path, plan)
    hasty = replace(PATIENT, patience_s=0.1, timeout_s=0.1)
    monkeypatch.setattr("orchestration.demo.history.PATIENT", hasty)

    telling = tell_all("http://127.0.0.1:9", "a-key", plan, memory, lambda _: None)

    assert len(telling.left) == 2


def test_the_past_waits_while_much_is_still_to_be_digested(monkeypatch: pytest.MonkeyPatch) -> None:
    left = [20_000.0, 9_000.0, 100.0]
    naps: list[float] = []
    monkeypatch.setattr("orchestration.demo.history.waiting", lambda url: left.pop(0))
    monkeypatch.setattr("orchestration.demo.history.time.sleep", naps.append)

    courtesy("http://127.0.0.1:9")()

    assert left == []
    assert len(naps) == 2


def test_a_baton_that_does_not_tell_its_backlog_is_told_without_pause() -> None:
    with receiver() as got:
        assert waiting(got.url) == waiting("http://127.0.0.1:9") == 0.0


def remembering(folder: Path, plan: Plan) -> Memory:
    memory = Memory(folder, "a-key")
    memory.write(past_of(plan))
    return memory


def test_a_second_start_meets_the_same_company_and_its_history_only_once(tmp_path: Path) -> None:
    now = time.time_ns()
    plan, until = Memory(tmp_path, "a-key").company(now, 1, 4.0)
    memory = Memory(tmp_path, "a-key")
    memory.write(replace(memory.telling(), left=[]))

    again, later = memory.company(now + DAY, 2, 9.0)

    assert (again, later) == (plan, until)
    assert memory.telling().left == []


def test_a_workspace_that_knows_nothing_of_it_meets_a_new_company(tmp_path: Path) -> None:
    now = time.time_ns()
    Memory(tmp_path, "a-key").company(now, 1, 4.0)

    plan, _ = Memory(tmp_path, "another-key").company(now + DAY, 1, 4.0)

    assert plan.rhythm.founded_ns == now + DAY
    assert len(Memory(tmp_path, "another-key").telling().left) == 30


def test_files_that_cannot_be_read_are_no_memory(tmp_path: Path) -> None:
    (tmp_path / "company.json").write_text("{")
    (tmp_path / "history.json").write_text("[]")

    assert Memory(tmp_path, "a-key").telling().left == []
    assert Memory(tmp_path, "a-key").company(5 * DAY, 1, 4.0)[0].rhythm.founded_ns == 5 * DAY
