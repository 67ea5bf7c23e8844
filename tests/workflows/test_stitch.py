"""Which traces are one run, and above all which are not."""

from __future__ import annotations

import random

import pytest

from orchestration.telemetry.spans import Kind
from orchestration.workflows.stitch import Group, TraceFacts, continues, group, is_run
from tests.telemetry.told import BEGIN_NS, MS, Told, thrown


def trace(number: int, *joins: tuple[str, str], conversation: str = "") -> TraceFacts:
    return TraceFacts(number.to_bytes(16, "big"), BEGIN_NS + number, conversation, frozenset(joins))


def link(number: int) -> tuple[str, str]:
    return "link", number.to_bytes(16, "big").hex()


def numbers(groups: list[Group]) -> list[list[int]]:
    return [[int.from_bytes(facts.trace_id, "big") for facts in found.traces] for found in groups]


def test_traces_alone_are_runs_alone() -> None:
    assert numbers(group([trace(2), trace(1)])) == [[1], [2]]


@pytest.mark.parametrize(
    ("key", "exact"), [(("baton", "order-7"), True), (("a2a", "task-1"), True), (("runtime", "uuid"), False)]
)
def test_traces_that_share_a_key_are_one_run(key: tuple[str, str], exact: bool) -> None:
    found = group([trace(1, key), trace(2), trace(3, key)])

    assert numbers(found) == [[1, 3], [2]]
    assert [(join.by, join.exact) for join in found[0].joins] == [(key[0], exact)]


def test_a_link_leads_to_the_trace_it_names_and_on() -> None:
    found = group([trace(3, link(2)), trace(2, link(1)), trace(1), trace(4)])

    assert numbers(found) == [[1, 2, 3], [4]]
    assert {join.by for join in found[0].joins} == {"link"}


def test_traces_linked_to_one_that_never_came_are_one_run() -> None:
    assert numbers(group([trace(1, link(9)), trace(2, link(9))])) == [[1, 2]]


def test_a_trace_that_started_very_many_is_not_their_run() -> None:
    started = [trace(n, link(1)) for n in range(2, 40)]

    assert len(group([trace(1), *started])) == 39


def test_a_link_does_not_join_two_conversations() -> None:
    found = group([trace(1, conversation="a"), trace(2, link(1), conversation="b"), trace(3, link(1))])

    assert numbers(found) == [[1, 3], [2]]


def test_a_thousand_strangers_are_not_drawn_in() -> None:
    team = [trace(n, link(n - 1)) for n in range(2, 12)]
    strangers = [trace(n, ("a2a", f"task-{n}"), ("baton", f"run-{n}"), conversation="c") for n in range(100, 1100)]
    everything = [trace(1), *team, *strangers]
    random.Random(7).shuffle(everything)

    found = group(everything)

    assert len(found) == 1001
    assert max(numbers(found), key=len) == list(range(1, 12))


def test_a_consumer_of_batches_joins_none_of_its_senders() -> None:
    told = Told()
    told.span("receive", {"messaging.system": "kafka"}, links=[bytes([n]) * 16 for n in range(1, 200)])

    assert told.observed()[0].joins == ()


def test_registrations_messages_and_ordinary_traffic_alone_are_no_run() -> None:
    assert not is_run([Kind.REGISTRATION])
    assert not is_run([Kind.MESSAGING, Kind.MESSAGING])
    assert is_run([Kind.MESSAGING, Kind.AGENT])
    assert not is_run([Kind.OTHER])


def test_an_answer_continues_the_run_that_waits_for_it_and_no_other() -> None:
    waiting, finished = Told(), Told()
    events = thrown("GraphInterrupt", "approve?")
    waiting.agent("refund", at=(0, 9), events=events, also={"gen_ai.conversation.id": "c-1"})
    finished.agent("refund", at=(0, 9), also={"gen_ai.conversation.id": "c-1"})
    later = BEGIN_NS + 5_000 * MS

    assert continues(waiting.story(), "c-1", later)
    assert not continues(waiting.story(), "c-2", later)
    assert not continues(waiting.story(), "", later)
    assert not continues(waiting.story(), "c-1", BEGIN_NS - MS)
    assert not continues(finished.story(), "c-1", later)
