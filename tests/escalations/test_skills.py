"""`/settings/skills/`: who may decide what."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.test import Client

from escalations import assigning, intake
from escalations.models import Competence, Interest
from orchestration.ledger.models import Entry
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.escalations import held
from tests.escalations.duty import keeps_from, knows, member

pytestmark = pytest.mark.django_db
PAGE = "/settings/skills/"


@pytest.fixture
def as_admin(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def test_a_workspace_without_skills_says_that_everybody_may(as_admin: Client) -> None:
    assert b"Everybody who reviews may decide everything" in as_admin.get(PAGE).content


def test_an_admin_says_who_may_decide_what_and_it_is_written_down(
    as_admin: Client, workspace: Workspace, reviewer: User
) -> None:
    sent = {"new": "refunds", f"level:{reviewer.pk}:refunds": "2", f"most:{reviewer.pk}:refunds": "1,500.50"}
    sent |= {f"languages:{reviewer.pk}": "de, en"}

    for _ in range(2):
        answer = as_admin.post(PAGE, sent, follow=True)

    held = Competence.objects.get()
    assert (held.person, held.skill, held.level, held.most) == (reviewer, "refunds", 2, Decimal("1500.5"))
    assert (held.currency, held.languages) == (workspace.currency, ["de", "en"])
    assert Entry.objects.filter(kind="skills.changed").count() == 1
    assert b"Nothing had changed" in answer.content


def test_taking_a_level_away_takes_the_skill_away(as_admin: Client, workspace: Workspace) -> None:
    ada = member(workspace, "ada", refunds=3)

    as_admin.post(PAGE, {f"level:{ada.pk}:refunds": "0"})

    assert not Competence.objects.exists()


def test_what_the_form_does_not_speak_of_stays(as_admin: Client, workspace: Workspace) -> None:
    ada = member(workspace, "ada")
    knows(workspace, ada, "refunds", 3, 700, languages=["fr"])
    knows(workspace, ada, "fraud", 2)

    as_admin.post(PAGE, {f"level:{ada.pk}:fraud": "1"})

    held = Competence.objects.get(skill="refunds")
    assert (held.level, held.most, held.currency) == (3, Decimal(700), workspace.currency)
    assert Competence.objects.get(skill="fraud").level == 1


@pytest.mark.parametrize("most", ["much", "-1", "1e99", "NaN", "Infinity"])
def test_an_amount_that_is_none_is_refused_beside_its_cell(as_admin: Client, workspace: Workspace, most: str) -> None:
    ada = member(workspace, "ada", refunds=2)

    answer = as_admin.post(PAGE, {f"level:{ada.pk}:refunds": "3", f"most:{ada.pk}:refunds": most})

    assert answer.status_code == 422
    assert b"An amount, or nothing" in answer.content
    assert Competence.objects.get().level == 2


def test_somebody_of_another_workspace_gets_no_skill(as_admin: Client, stranger: User) -> None:
    as_admin.post(PAGE, {"new": "refunds", f"level:{stranger.pk}:refunds": "3"})

    assert not Competence.objects.exists()


def test_a_reviewer_reads_it_and_may_not_change_it(client: Client, workspace: Workspace) -> None:
    ada, bob = member(workspace, "ada", refunds=2), member(workspace, "bob")
    keeps_from(workspace, bob, "acc-77")
    client.force_login(ada)

    page = client.get(PAGE).content.decode()

    assert "<select" not in page
    assert "Alone" in page
    assert "acc-77" not in page
    assert client.post(PAGE, {f"level:{ada.pk}:refunds": "3"}).status_code == 403
    assert Competence.objects.get().level == 2


def test_an_operator_may_not_read_it(as_operator: Client) -> None:
    assert as_operator.get(PAGE).status_code == 403


def test_a_conflict_of_interest_is_added_once_and_removed(as_admin: Client, workspace: Workspace) -> None:
    ada = member(workspace, "ada", refunds=2)
    sent = {"person": ada.pk, "subject": "  ACC-7 ", "why": "A relative"}

    for _ in range(2):
        assert as_admin.post(PAGE + "interests/", sent, follow=True).status_code == 200
    made = Interest.objects.get()
    assert (made.subject, made.why) == ("ACC-7", "A relative")
    assert "ACC-7" not in str(Entry.objects.get(kind="interest.added").body)

    as_admin.post(f"{PAGE}interests/{made.pk}/remove/")
    assert not Interest.objects.exists()
    assert as_admin.post(f"{PAGE}interests/{made.pk}/remove/").status_code == 404


def test_a_conflict_of_nobody_is_refused(as_admin: Client, stranger: User) -> None:
    answer = as_admin.post(PAGE + "interests/", {"person": stranger.pk, "subject": "x"})

    assert answer.status_code == 422
    assert not Interest.objects.exists()


def test_what_waits_for_somebody_who_is_not_there_stands_on_the_overview(
    as_operator: Client, workspace: Workspace
) -> None:
    make.calls(workspace, make.agent(workspace))
    member(workspace, "ada", treasury=2)
    held.holds(workspace, [{"amount": 100}, {"amount": 110}])
    intake.take_in()
    assigning.match()

    for path in ("/", "/inbox/uncovered/"):
        page = as_operator.get(path).content.decode()
        assert "2 cases wait for somebody who may decide refunds." in page
        assert "No hour is known at which enough are there." in page
