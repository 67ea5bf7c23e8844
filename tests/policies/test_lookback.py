"""Sums over what was asked before, as a replay makes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from orchestration.policies import lookback
from orchestration.policies.lookback import Lookback
from orchestration.policies.vocabulary import WINDOWS

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)


def test_sums_are_those_of_a_count_from_scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookback, "TIDY_EACH", 50)
    monkeypatch.setattr(lookback, "TRIM_AT", 4)
    random, seen, at = Random(3), Lookback(), BEGIN
    before: list[tuple[datetime, str, str, float, bool]] = []

    for _ in range(900):
        at += timedelta(seconds=random.randrange(7_000))
        account, agent, amount = random.choice("AB"), random.choice("xyz"), float(random.randrange(100))
        facts = seen.facts({"account": account}, "refund", at)
        for window, seconds in WINDOWS.items():
            since = at - timedelta(seconds=seconds)
            mine = [each[3] for each in before if each[1] == account and each[0] > since and each[4]]
            assert facts[f"past.count_account_{window}"] == len(mine)
            assert facts[f"past.amount_account_{window}"] == pytest.approx(sum(mine))
        day = at - timedelta(days=1)
        assert facts["past.agents_account_24h"] == sorted({e[2] for e in before if e[1] == account and e[0] > day})
        counts = random.random() < 0.8
        seen.add({"account": account}, "refund", at, agent, amount, counts)
        before.append((at, account, agent, amount, counts))


def test_only_what_is_read_is_summed_up() -> None:
    seen = Lookback(["past.count_account_1h"])

    facts = seen.facts({"account": "A", "run": "R"}, "refund", BEGIN)

    assert set(facts) == {"past.count_account_1h", "past.amount_account_1h"}


def test_who_has_not_asked_for_longer_than_any_window_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookback, "TIDY_EACH", 10)
    seen = Lookback(["past.count_account_1h", "past.agents_account_24h"])

    for n in range(100):
        seen.add({"account": f"A{n}"}, "refund", BEGIN + timedelta(hours=n), "bot", 1, True)

    assert len(seen._asks) <= 11
    assert len(seen._agents) <= 36
