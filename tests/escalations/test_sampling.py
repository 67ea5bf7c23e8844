"""What went through without a person is sampled by risk, and what is found in the sample tells of all of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from escalations import sampling
from escalations.models import Sample
from escalations.sampling import Looked, allotted, risk, weighed
from orchestration.policies.models import Decision
from orchestration.workspaces.models import Workspace

SINCE = datetime(2026, 11, 20, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=1)
STRATA = {"no amount": (6000, 0.02), "100 to 1,000": (3000, 0.05), "1,000 to 10,000": (800, 0.1)}


def passed(space: Workspace, n: int, amount: float | None = None, **more: Any) -> None:
    values = {"agent": "bot", "action_type": "refund", "effect": "allow", "facts": {}, "answer": {}} | more
    at = SINCE + timedelta(hours=3)
    Decision.objects.bulk_create(
        Decision(workspace=space, id=uuid7(), at=at, amount=amount, **values) for _ in range(n)
    )


@pytest.mark.django_db
def test_dearer_acts_are_drawn_more_often_and_each_keeps_its_chance(workspace: Workspace) -> None:
    passed(workspace, 400, 20)
    passed(workspace, 40, 20_000)
    passed(workspace, 50, 20, effect="hold")
    passed(workspace, 50, 20, imported=True)

    sampling.draw(workspace.pk, SINCE, UNTIL)

    found = {each.stratum: each for each in Sample.objects.all()}
    cheap, dear = found["below 100 · allow · no policy"], found["10,000 and more · allow · no policy"]
    assert set(found) == {cheap.stratum, dear.stratum}
    for each, size in ((cheap, 400), (dear, 40)):
        assert Sample.objects.filter(stratum=each.stratum).count() == pytest.approx(each.chance * size)
    assert dear.chance > 4 * cheap.chance


@pytest.mark.django_db
def test_a_day_drawn_twice_is_one_sample(workspace: Workspace) -> None:
    passed(workspace, 200, 20)
    first = sampling.draw(workspace.pk, SINCE, UNTIL)

    assert first == 30
    assert sampling.draw(workspace.pk, SINCE, UNTIL) == 0
    assert Sample.objects.count() == 30


@pytest.mark.django_db
def test_below_thirty_looked_at_it_is_not_enough(workspace: Workspace) -> None:
    now = timezone.now()
    Sample.objects.bulk_create(
        Sample(decision_id=uuid7(), workspace=workspace, at=now, chance=0.5, stratum="s", found=found)
        for found in ["right"] * 28 + ["wrong", "unsure", ""]
    )
    found = sampling.estimate(workspace.pk, now)

    assert (found.looked, found.wrong, found.unsure, found.waiting, found.enough) == (29, 1, 1, 1, False)
    assert found.rate == pytest.approx(1 / 29)


def test_nothing_looked_at_tells_nothing() -> None:
    assert weighed([]) == (None, None)


def test_each_stratum_has_one_at_least_and_never_more_than_there_are() -> None:
    assert allotted({"no amount · allow · a": 100_000, "10,000 and more · allow · b": 1}) == {
        "10,000 and more · allow · b": 1,
        "no amount · allow · a": 30,
    }
    assert allotted({}) == {}


@pytest.mark.parametrize("scale", [0.0, 0.3, 1.0, 3.0])
def test_the_interval_covers_the_true_rate_in_93_of_100_populations(scale: float) -> None:
    rng, covered, rounds = np.random.default_rng(11), 0, 500
    for _ in range(rounds):
        looked, wrong = [], 0
        sizes = {band: size for band, (size, _) in STRATA.items()}
        for band, n in allotted(sizes, 400).items():
            bad = int(rng.binomial(sizes[band], STRATA[band][1] * scale))
            found = int(rng.hypergeometric(bad, sizes[band] - bad, n))  # of those that are drawn, none twice
            wrong += bad
            looked += [Looked(n / sizes[band], place < found) for place in range(n)]
        rate, interval = weighed(looked)
        assert rate is not None
        assert interval is not None
        covered += interval[0] <= wrong / sum(sizes.values()) <= interval[1]
    assert covered >= 0.93 * rounds, (scale, covered)


def test_strata_are_weighed_by_what_a_mistake_costs() -> None:
    assert [risk(f"{band} · allow · p") for band in ("no amount", "100 to 1,000", "10,000 and more")] == [1, 2, 8]
