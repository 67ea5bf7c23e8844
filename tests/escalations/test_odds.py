"""What verdicts teach about cases: which are nearly always let pass, and how many would be wrong."""

from __future__ import annotations

import random
import re

import pytest
from django.test import Client
from django.utils import timezone

from escalations import about, fitting, intake, judged, odds, opened, regrouping
from escalations.models import Batch, Escalation, Odds
from orchestration.holds.likeness import Plain
from orchestration.holds.models import Hold
from orchestration.policies.models import Decision
from orchestration.workspaces.models import User, Workspace
from tests.escalations import held
from tests.escalations.conftest import press


def told(n: int, share: float = 0.02) -> list[tuple[dict[str, Plain], bool]]:
    """Those whose item is not back are mostly wrong."""
    rng = random.Random(n)
    found = []
    for _ in range(n):
        back = rng.random() < 0.8
        fields: dict[str, Plain] = {"amount": rng.lognormvariate(6, 0.5), "context.item_back": back}
        found.append((fields, rng.random() < (share if back else 0.8)))
    return found


def judge(space: Workspace, cases: list[tuple[dict[str, Plain], bool]]) -> None:
    """Past cases like these, each with the verdict that a person gave."""
    asked = [{"amount": each["amount"], "context": {"item_back": each["context.item_back"]}} for each, _ in cases]
    made = held.holds(space, asked, state="applied")
    Decision.objects.filter(hold_id__in=[hold.pk for hold in made]).update(verdict="approve")
    wrong = [hold.pk for hold, (_, wrong) in zip(made, cases, strict=True) if wrong]
    Decision.objects.filter(hold_id__in=wrong).update(verdict="reject")


def test_too_few_verdicts_teach_nothing() -> None:
    assert fitting.fit(told(29)) is None


def test_a_case_people_mostly_refused_does_not_start_selected() -> None:
    model = fitting.fit(told(400))
    assert model

    good = odds.chance(model, {"amount": 400.0, "context.item_back": True})
    bad = odds.chance(model, {"amount": 400.0, "context.item_back": False})

    assert odds.may_start_selected(model, good)
    assert bad > 0.5
    assert not odds.may_start_selected(model, bad)


def test_what_is_expected_to_be_wrong_agrees_with_what_then_is() -> None:
    model = fitting.fit(told(1000))
    later = told(600)
    found = odds.expected(model, [odds.chance(model or {}, fields) for fields, _ in later])

    assert found
    assert found.low <= sum(wrong for _, wrong in later) <= found.high


def test_where_nobody_was_ever_wrong_nothing_is_held_back() -> None:
    model = fitting.fit([(fields, False) for fields, _ in told(300)])
    assert model

    risk = odds.chance(model, {"amount": 1.0})

    assert odds.may_start_selected(model, risk)
    found = odds.expected(model, [risk] * 10)
    assert found
    assert (found.wrong, found.low) == (0.0, 0.0)
    assert found.high > 0


@pytest.mark.django_db
def test_verdicts_of_the_past_are_learnt_once_and_used(workspace: Workspace, reviewer: User) -> None:
    judge(workspace, told(200))

    assert judged.learn() == [(workspace.pk, "refund-bot", "refund")]
    assert judged.due() == []
    assert Odds.objects.get().judged == 200

    held.holds(workspace, [{"amount": 400, "context": {"item_back": back}} for back in [True] * 5 + [False] * 5])
    intake.take_in()
    cases = Escalation.objects.filter(open=True)
    assert set(cases.filter(selected=True).values_list("fields__context.item_back", flat=True)) == {True}
    assert Batch.objects.filter(closed_at=None).count() == 2
    expected = about.wrong_if_approved(cases)
    assert expected
    assert expected.wrong > 3
    assert about.ended(Batch.objects.filter(closed_at=None)[0], cases[0]).cases == 200
    refused = cases.filter(selected=False)[0].batch
    assert refused
    page = opened.opened(refused, reviewer, timezone.now(), reads=True)
    assert (page.chosen, page.expected_words) == ([], "")
    assert re.fullmatch(r"of all 5, [345]\.\d wrong expected", page.none_words)


@pytest.mark.django_db
def test_what_began_as_a_yes_and_stands_out_by_now_takes_a_look(as_reviewer: Client, workspace: Workspace) -> None:
    """A batch that somebody has open stays together; what verdicts teach meanwhile shows in it all the same."""
    held.holds(workspace, [{"amount": 400 + n, "context": {"item_back": n != 7}} for n in range(8)])
    intake.take_in()
    Escalation.objects.update(standing="alike", differs=[], selected=True)  # as long as nothing told them apart
    batch = Batch.objects.get()
    seen = as_reviewer.get(f"/inbox/{batch.pk}/").content.decode()
    ticked = re.findall(r'name="case" value="([^"]+)" aria-label="[^"]+" checked', seen)
    assert len(ticked) == 8
    judge(workspace, told(200))
    for act in judged.learn():
        regrouping.relearnt(*act)

    answer = press(as_reviewer, batch, ticked)

    (odd,) = Escalation.objects.filter(batch=batch, open=True)
    assert (odd.fields["context.item_back"], odd.standing, odd.differs) == (False, "differs", ["context.item_back"])
    text = answer.content.decode()
    assert (answer.status_code, "1 case was not decided" in text, "stands out by now" in text) == (409, True, True)
    assert f'value="{odd.pk}:0" aria-label="Case {odd.number}">' in text

    press(as_reviewer, batch, [f"{odd.pk}:0"])

    assert not Escalation.objects.filter(batch=batch, open=True).exists()


@pytest.mark.django_db
def test_what_is_learnt_arranges_what_nobody_has_opened_yet(workspace: Workspace) -> None:
    asked = [{"amount": 400 + n, "context": {"item_back": n % 2 == 0}} for n in range(8)]
    held.holds(workspace, asked)
    intake.take_in()
    assert Escalation.objects.filter(selected=True).count() == 8
    judge(workspace, told(200))

    for act in judged.learn():
        regrouping.relearnt(*act)

    cases = Escalation.objects.filter(open=True)
    assert cases.count() == 8
    assert set(cases.filter(selected=True).values_list("fields__context.item_back", flat=True)) == {True}
    assert set(cases.values_list("hold_id", "batch_id")) == set(Hold.objects.open().values_list("id", "batch"))
