"""Open batches find whoever should decide them, and stay where people put them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from django.http import QueryDict
from django.utils import timezone

from escalations import assigning, claims, intake
from escalations.acts import By, decide
from escalations.forms import ActForm
from escalations.models import Batch, Competence, Escalation, Interest
from escalations.opened import opened
from orchestration.holds.models import Hold
from orchestration.policies import rates
from orchestration.workspaces.models import User, Workspace
from tests.escalations import held
from tests.escalations.duty import keeps_from, knows, member, works

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def refunds(space: Workspace, *amounts: float, **more: object) -> list[Hold]:
    found = held.holds(space, [{"amount": amount, "context": {"item_back": True}} for amount in amounts], **more)
    intake.take_in()
    return found


def whose() -> set[str | None]:
    return set(Batch.objects.values_list("assigned_to__username", flat=True))


def test_without_any_skills_everything_is_the_teams(workspace: Workspace, reviewer: User) -> None:
    refunds(workspace, 100, 110)

    assert assigning.match() == 0
    assert whose() == {None}


def test_a_batch_goes_to_whoever_knows_it_and_says_why(workspace: Workspace) -> None:
    member(workspace, "ada", refunds=2)
    member(workspace, "bob", treasury=3)
    refunds(workspace, 100, 110)

    assert assigning.match() == 1
    assert whose() == {"ada"}
    why = Batch.objects.get().assigned_why
    assert why == "You know refunds. You have nothing open. Nobody else is there who may decide it"
    assert assigning.match() == 0


def test_work_is_shared_out_by_minutes(workspace: Workspace) -> None:
    member(workspace, "ada", refunds=2, fraud=2)
    member(workspace, "bob", refunds=2, fraud=2)
    for skill in ("refunds", "fraud"):
        refunds(workspace, 100, 110, skill=skill, policy=skill)

    assigning.match()

    assert whose() == {"ada", "bob"}


def test_an_amount_above_the_limit_goes_to_somebody_else(workspace: Workspace) -> None:
    ada, bob = member(workspace, "ada"), member(workspace, "bob")
    knows(workspace, ada, "refunds", most=105)
    knows(workspace, bob, "refunds", most=5000)
    refunds(workspace, 100, 110)

    assigning.match()

    assert whose() == {"bob"}


def test_a_limit_holds_for_amounts_of_other_currencies_at_their_rate(workspace: Workspace, admin: User) -> None:
    ada, bob = member(workspace, "ada"), member(workspace, "bob")
    knows(workspace, ada, "refunds", most=105, currency="USD")
    knows(workspace, bob, "refunds", most=5000, currency="EUR")
    case = refunds(workspace, 100)[0]
    Escalation.objects.filter(pk=case.pk).update(currency="CHF")
    unknown = assigning.kept_from(workspace.pk, ada, {case.pk: 1})

    rates.put(workspace, {"CHF": Decimal("1.04")}, admin)
    below = assigning.kept_from(workspace.pk, ada, {case.pk: 1})
    rates.put(workspace, {"CHF": Decimal("1.06")}, admin)
    above = assigning.kept_from(workspace.pk, ada, {case.pk: 1})

    assert (list(unknown), list(below), list(above)) == ([case.pk], [], [case.pk])
    assert list(assigning.kept_from(workspace.pk, bob, {case.pk: 1})) == [case.pk], "no rate leads to EUR"


def test_who_has_an_interest_in_the_account_is_not_asked(workspace: Workspace) -> None:
    ada = member(workspace, "ada", refunds=2)
    member(workspace, "bob", refunds=2)
    keeps_from(workspace, ada, "ACC-7")
    held.holds(workspace, [{"amount": 100, "context": {"account": "acc-7"}}])
    intake.take_in()

    assigning.match()

    assert whose() == {"bob"}
    case = Hold.objects.get()
    assert assigning.kept_from(workspace.pk, ada, {case.pk: 1}) == {
        case.pk: "You have an interest in it: somebody else decides"
    }


def test_when_nobody_is_on_duty_the_team_has_it_and_the_hour_is_known(workspace: Workspace) -> None:
    works(workspace, member(workspace, "ada", refunds=2), [[540, 1020]] * 5 + [None, None])
    refunds(workspace, 100, 110)

    assigning.match(MONDAY.replace(hour=20))

    assert whose() == {None}
    missing = assigning.uncovered(workspace)
    assert [(each.skill, each.cases) for each in missing] == [("refunds", 2)]
    assert missing[0].at == datetime(2026, 11, 24, 9, tzinfo=UTC)
    assigning.match(MONDAY + timedelta(days=1))
    assert whose() == {"ada"}
    assert assigning.uncovered(workspace) == []


def test_hours_are_those_of_the_workspace(workspace: Workspace) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(zone="Asia/Tokyo")
    works(workspace, member(workspace, "ada", refunds=2), [[540, 1020]] * 7)
    refunds(workspace, 100)

    assigning.match(MONDAY)  # 19:00 in Tokyo

    assert whose() == {None}
    assert assigning.uncovered(workspace)[0].at == datetime(2026, 11, 24, 0, tzinfo=UTC)


def test_a_skill_that_nobody_has_is_told_without_an_hour(workspace: Workspace) -> None:
    member(workspace, "ada", treasury=2)
    refunds(workspace, 100)

    assigning.match()

    assert [(each.skill, each.at) for each in assigning.uncovered(workspace)] == [("refunds", None)]


def test_a_batch_moves_on_when_its_holder_leaves_unless_somebody_has_it_open(workspace: Workspace) -> None:
    ada = member(workspace, "ada", refunds=2)
    refunds(workspace, 100)
    assigning.match()
    member(workspace, "bob", refunds=2)
    now = timezone.now()

    works(workspace, ada, [], now + timedelta(days=1))
    claims.take(Batch.objects.get(), ada, now)
    assigning.match()
    assert whose() == {"ada"}

    claims.leave(Batch.objects.get(), ada)
    assigning.match()
    assert whose() == {"bob"}


def test_what_a_person_has_given_stays_where_it_is(workspace: Workspace, admin: User) -> None:
    member(workspace, "ada", refunds=2)
    refunds(workspace, 100)
    Batch.objects.update(assigned_to=admin, pinned=True)

    assigning.match()

    assert whose() == {"admin"}


def test_the_second_of_two_is_another_person(workspace: Workspace) -> None:
    ada, _ = member(workspace, "ada", treasury=2), member(workspace, "bob", treasury=2)
    refunds(workspace, 9000, skill="treasury", people=2)
    assigning.match()
    first = Batch.objects.get().assigned_to
    assert first

    Hold.objects.update(first={"by": first.pk, "answer": "approve", "amend": None})
    assigning.match()

    second = Batch.objects.get().assigned_to
    assert second
    assert second != first
    assert ada in (first, second)


def test_when_the_last_skill_is_gone_everything_is_the_teams_again(workspace: Workspace) -> None:
    member(workspace, "ada", refunds=2)
    refunds(workspace, 100)
    assigning.match()

    Competence.objects.all().delete()
    assigning.match()

    assert whose() == {None}


def test_what_is_late_rises_to_whoever_knows_it_better(workspace: Workspace) -> None:
    member(workspace, "ada", refunds=2)
    refunds(workspace, 100)
    assigning.match()
    member(workspace, "bob", refunds=2)
    eve = member(workspace, "eve", refunds=3)
    batch = Batch.objects.get()

    moved = assigning.raise_up(workspace.pk, [batch.pk], timezone.now(), again=False)

    assert moved == {batch.pk: eve.pk}
    assert Batch.objects.get().assigned_why == "You know refunds. It was late with ada"
    assert assigning.match() == 0


def test_interests_alone_keep_somebody_from_deciding(workspace: Workspace) -> None:
    ada = member(workspace, "ada")
    Interest.objects.create(workspace=workspace, person=ada, subject="refund-bot")
    case = refunds(workspace, 100)[0]

    assert list(assigning.kept_from(workspace.pk, ada, {case.pk: 1})) == [case.pk]


def test_a_verdict_above_ones_limit_is_refused_on_the_page_and_when_it_is_sent(workspace: Workspace) -> None:
    ada = member(workspace, "ada")
    knows(workspace, ada, "refunds", most=105)
    small, large = refunds(workspace, 100, 110)
    batch = Batch.objects.get()

    rows = {row.hold.pk: row for row in opened(batch, ada, timezone.now(), reads=True).rows}
    said = {"act": "approve", "key": "a-key-of-ada", "case": [f"{small.pk}:0", f"{large.pk}:0"]}
    form = ActForm(QueryDict(urlencode(said, doseq=True)))
    assert form.is_valid()
    done = decide(By(workspace, ada, "a-key-of-ada"), batch, form)

    assert (rows[small.pk].shut, rows[large.pk].shut) == ("", "Above 105 somebody else decides")
    assert done.count == 1
    assert [each["why"] for each in done.lost] == ["Above 105 somebody else decides"]
