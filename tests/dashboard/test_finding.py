"""What the overview says in words: each branch of its finding, and the three sentences below it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from dashboard.finding import in_words
from dashboard.headline import apart, differs, headline
from orchestration.control.health_figures import SpanFlow
from orchestration.control.human_load import HumanLoad, LoadDay
from orchestration.control.overview import HoldFigures, Overview
from orchestration.control.states import Census
from orchestration.control.yesterday import Slower
from orchestration.holds.capacity import Strength
from tests.dashboard.figures import BEFORE, EMPTY, QUIET, WORST, line, period

WELL = "3 workflows in progress, nothing waits on you"
SLOWER = Slower("Loan", "loan", 33_600_000.0, 12_000_000.0)


def lede(now: Overview, text: str = "24h") -> str:
    return in_words(headline(now, period(text)).lede)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"agents": Census(1, 0, 0, 0, 0, 2)}, "2 agents are quarantined"),
        ({"agents": Census(1, 0, 0, 0, 0, 1)}, "1 agent is quarantined"),
        ({"spans": SpanFlow(9, 1, 8, 95_000.0)}, "Figures are 1 m 35 s behind what agents have sent"),
        ({"agents": Census(1, 0, 0, 0, 3, 0)}, "3 agents fell silent, for longer than is usual for them"),
        ({"agents": Census(1, 0, 0, 0, 1, 0)}, "1 agent fell silent, for longer than is usual for it"),
        ({"failing_agents": [WORST]}, "refund fails 20% of its calls"),
        ({"failing_agents": [replace(WORST, calls=20, failures=4)]}, WELL),
        ({"failing_agents": [replace(WORST, interval=(0.05, 0.3))]}, WELL),
        ({"runs_waiting": 11}, "11 runs wait for a person"),
        ({"runs_waiting": 11, "holds": HoldFigures(12, None, 3)}, "11 runs wait for a person, 3 cases in the inbox"),
        ({"before": replace(BEFORE, slower=[SLOWER])}, "Loan takes 9 h 20 m for nine in ten, 3 h 20 m before"),
        ({"before": BEFORE}, WELL),
        ({"runs_waiting": 1}, "3 workflows in progress, 1 waits for a person"),
        ({"runs_waiting": 4}, "3 workflows in progress, 4 wait for a person"),
        ({"runs_in_progress": 1}, "1 workflow in progress, nothing waits on you"),
        ({"runs_in_progress": 0}, "Nothing is running; 60 runs ended in the last 24 hours"),
        ({"runs_in_progress": 0, "runs_ended": EMPTY}, "Nothing ran in the last 24 hours"),
    ],
)
def test_the_finding_says_what_matters_most(changed: dict[str, Any], words: str) -> None:
    assert headline(replace(QUIET, **changed), period()).words == words


BRANCHES: list[tuple[str, dict[str, Any]]] = [
    ("quarantined", {"agents": Census(1, 0, 0, 0, 1, 1)}),
    ("behind", {"spans": SpanFlow(9, 1, 8, 95_000.0)}),
    ("silent", {"agents": Census(1, 0, 0, 0, 1, 0)}),
    ("fails", {"failing_agents": [WORST]}),
    ("wait for a person", {"runs_waiting": 11}),
    ("nine in ten", {"before": replace(BEFORE, slower=[SLOWER])}),
]


@pytest.mark.parametrize("place", range(len(BRANCHES)))
def test_each_finding_comes_before_all_that_matter_less(place: int) -> None:
    changes: dict[str, Any] = {}
    for _, change in reversed(BRANCHES[place:]):
        changes |= change

    assert BRANCHES[place][0] in headline(replace(QUIET, **changes), period()).words


@pytest.mark.parametrize("change", [change for _, change in BRANCHES] + [{}, {"runs_waiting": 2}])
def test_every_number_of_a_finding_leads_to_its_evidence(change: dict[str, Any]) -> None:
    found = headline(replace(QUIET, **change), period("7d"))

    bare = [part.text for part in found.title if not part.href and any(sign.isdigit() for sign in part.text)]
    assert bare == []
    assert any(part.href for part in found.title)


def test_the_words_below_say_whether_it_works_and_what_fails() -> None:
    now = replace(QUIET, failing_agents=[WORST], workflows=[line("Loan", 50, 2), line("Refund", 10)])

    assert lede(now).startswith(
        "2 of 3 agents are at work and 60 runs ended in the last 24 hours. 2 (3.3%) of them failed, most in Loan. "
        "refund fails most often, 20% of 100 calls. "
    )
    assert [part.text for part in headline(now, period()).lede if part.foreign] == ["Loan", "refund"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"agents": Census(2, 0, 0, 0, 0, 0)}, "All 2 agents are at work and 60 runs ended"),
        ({"active_agents": 0}, "0 of 3 agents are at work"),
        ({"active_agents": 1}, "1 of 3 agents is at work"),
        ({"runs_ended": EMPTY}, "2 of 3 agents are at work; no run ended in the last 24 hours. There is"),
        ({"runs_ended": replace(EMPTY, runs=5)}, "5 runs ended in the last 24 hours. None of them failed. "),
        ({"runs_ended": replace(EMPTY, runs=5, failed=1)}, " 1 of them failed. "),  # too few for a rate
        ({"failing_agents": [replace(WORST, calls=7, failures=2)]}, "refund fails most often, 2 of 7 calls. "),
    ],
)
def test_each_state_has_its_words(changed: dict[str, Any], words: str) -> None:
    assert words in lede(replace(QUIET, **changed))


MORE = replace(QUIET.runs_ended, runs=600, failed=20)


@pytest.mark.parametrize(
    ("ended", "before", "words"),
    [
        (QUIET.runs_ended, None, "There is no yesterday to compare with yet."),
        (QUIET.runs_ended, BEFORE, "Since yesterday nothing has changed to speak of."),
        (MORE, replace(BEFORE, runs=480, failed=16), "Since yesterday 25% more runs ended."),
        (MORE, replace(BEFORE, runs=900, failed=30), "Since yesterday 33.3% fewer runs ended."),
        (MORE, replace(BEFORE, runs=200, failed=7), "Since yesterday 3.0 times as many runs ended."),
        (MORE, replace(BEFORE, runs=600, failed=60), "Since yesterday runs fail less often, 3.3% instead of 10%."),
        (
            replace(MORE, failed=60, p50_ms=2_000),
            replace(BEFORE, runs=600, failed=20),
            "runs fail more often, 10% instead of 3.3% and the median run takes 2.0 s instead of 1.0 s.",
        ),
    ],
)
def test_what_has_changed_is_told_where_chance_does_not_explain_it(ended: Any, before: Any, words: str) -> None:
    assert lede(replace(QUIET, runs_ended=ended, before=before)).endswith(words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1h", "Since the same hour yesterday nothing"),
        ("6h", "Since the same 6 hours yesterday nothing"),
        ("7d", "Since the 7 days before nothing"),
    ],
)
def test_a_change_is_told_against_a_like_time(text: str, words: str) -> None:
    assert words in lede(replace(QUIET, before=BEFORE), text)


def test_counts_differ_only_beyond_what_counting_makes_them_differ() -> None:
    assert [differs(130, 100), differs(13, 10), differs(110, 100)] == [False, False, False]
    assert [differs(1300, 1000), differs(50, 100)] == [True, True]


def test_shares_differ_only_with_enough_runs_on_both_sides() -> None:
    assert apart(60, 600, 20, 600)
    assert not apart(10, 20, 0, 600)
    assert not apart(3, 60, 2, 60)


def test_more_than_people_can_bear_is_found_after_what_stops_work_only() -> None:
    days = [LoadDay(date(2026, 11, 1) + timedelta(days=place), 418, 0) for place in range(30)]
    load = HumanLoad(days, capacity=Strength(4, 340.0, 60.0, 100), tickets=True)
    silent, stopped = (replace(QUIET, agents=replace(QUIET.agents, **{name: 1})) for name in ("silent", "quarantined"))

    assert headline(silent, period(), load).words == "Tickets exceed reviewer capacity by 78 a day"
    assert "quarantined" in headline(stopped, period(), load).words
