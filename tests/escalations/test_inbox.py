"""The inbox as a plain list: what waits, who may decide it, what happens when two do."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.holds import verdicts
from orchestration.holds.models import Answered, Hold, State
from orchestration.holds.verdicts import Verdict
from orchestration.policies.models import Decision
from orchestration.workspaces.models import Membership, User, Workspace
from tests.dashboard.conftest import region

pytestmark = pytest.mark.django_db


def hold(
    workspace: Workspace, question: str = "May bot refund 620 EUR?", *, due_m: float | None = None, **more: Any
) -> Hold:
    due_at = None if due_m is None else timezone.now() + timedelta(minutes=due_m, seconds=20)
    fields = {"source": "agent", "agent": "bot", "question": question, "proposal": "refund", "why": "over the limit"}
    return Hold.objects.create(workspace=workspace, due_at=due_at, **(fields | more))


def decision(workspace: Workspace, amount: Any = 620) -> Any:
    found = Decision.objects.create(
        workspace=workspace, id=uuid7(), at=timezone.now(), agent="bot", action_type="refund", amount=amount,
        currency="EUR", effect="hold", facts={}, answer={},
    )  # fmt: skip
    return found.id


def press(client: Client, which: Hold, **said: Any) -> Any:
    return client.post(f"/inbox/{which.pk}/decide/", {"revision": which.revision, "answer": "approve", **said})


def test_the_most_urgent_come_first(as_reviewer: Client, workspace: Workspace) -> None:
    for question, due_m in (("no deadline?", None), ("late?", -5), ("due in an hour?", 60), ("due soon?", 12)):
        hold(workspace, question, due_m=due_m)

    text = as_reviewer.get("/inbox/").content.decode()

    places = [text.index(question) for question in ("late?", "due soon?", "due in an hour?", "no deadline?")]
    assert places == sorted(places)
    assert "4 cases wait, 1 of them late" in text
    assert "4 m 40 s late" in text or "4 m late" in text
    assert "due in 12 m" in text


@pytest.mark.parametrize(
    ("dues", "title", "lede"),
    [
        ([], "Nothing waits for a person", "Agents ask here"),
        ([None], "1 case waits", "None has a deadline"),
        ([90, None], "2 cases wait", "The first is due in 1 h 30 m."),
        ([-1], "1 case waits, 1 of them late", "The most urgent come first."),
    ],
)
def test_it_opens_with_what_waits(
    as_reviewer: Client, workspace: Workspace, dues: list[float | None], title: str, lede: str
) -> None:
    for due_m in dues:
        hold(workspace, due_m=due_m)

    text = as_reviewer.get("/inbox/").content.decode()

    assert f"<h1>{title}</h1>" in text
    assert lede in text


def test_a_case_says_what_is_asked_and_why(as_reviewer: Client, workspace: Workspace) -> None:
    hold(
        workspace, decision_id=decision(workspace), policy="refund-limit", version=3, run="R-17", skill="refunds",
        evidence=[{"kind": "scan", "page": 2}, "a letter"], cost_of_waiting="the customer waits",
    )  # fmt: skip

    text = as_reviewer.get("/inbox/").content.decode()

    for said in ("620 EUR", "refund-limit", "version 3", "R-17", "refunds", "scan", "a letter", "the customer waits"):
        assert said in text


def test_what_agents_write_is_shown_and_never_obeyed(as_reviewer: Client, workspace: Workspace) -> None:
    hold(workspace, "<script>alert(1)</script>\u202e evil", evidence=["<img src=x>"])

    text = as_reviewer.get("/inbox/").content.decode()

    assert "<script>alert" not in text
    assert "<img" not in text
    assert "⟨U+202E⟩" in text


def test_an_approval_waits_ten_seconds_and_can_be_taken_back(as_reviewer: Client, workspace: Workspace) -> None:
    case = hold(workspace)

    answer = press(as_reviewer, case)
    text = as_reviewer.get("/inbox/").content.decode()

    case.refresh_from_db()
    assert (answer.status_code, answer["Location"], case.state) == (302, "/inbox/", State.DECIDED)
    assert 'class="toast undo' in text
    assert "not told yet" in text

    as_reviewer.post(f"/inbox/verdicts/{case.pk}/undo/")

    case.refresh_from_db()
    assert (case.state, case.verdict) == (State.OPEN, "")


def test_a_double_press_is_one_act(as_reviewer: Client, workspace: Workspace) -> None:
    case = hold(workspace)

    assert [press(as_reviewer, case).status_code for _ in range(2)] == [302, 302]

    case.refresh_from_db()
    assert case.revision == 1


def test_a_rejection_needs_its_reason_and_keeps_what_was_typed(as_reviewer: Client, workspace: Workspace) -> None:
    case = hold(workspace)

    answer = press(as_reviewer, case, answer="reject", note=" ")

    assert answer.status_code == 422
    assert "Say why" in answer.content.decode()
    assert 'hx-get="/inbox/"' in answer.content.decode()

    press(as_reviewer, case, answer="reject", note="Not the owner's account")
    case.refresh_from_db()
    assert (case.verdict, case.note) == ("reject", "Not the owner's account")


@pytest.mark.parametrize("amount", ["", "a lot", "-5", "1e99", "nan"])
def test_an_amount_that_is_none_changes_nothing(as_reviewer: Client, workspace: Workspace, amount: str) -> None:
    case = hold(workspace, decision_id=decision(workspace))

    answer = press(as_reviewer, case, answer="amend", amount=amount)

    assert answer.status_code == 422
    assert Hold.objects.get().state == State.OPEN


def test_an_amount_may_be_changed(as_reviewer: Client, workspace: Workspace) -> None:
    case = hold(workspace, decision_id=decision(workspace))

    press(as_reviewer, case, answer="amend", amount="499.50")

    case.refresh_from_db()
    assert (case.verdict, case.amend) == ("amend", {"amount": 499.5})


def test_who_comes_second_is_told_who_was_first_and_when(
    as_reviewer: Client, workspace: Workspace, admin: User
) -> None:
    case = hold(workspace)
    verdicts.decide(case, Verdict(Answered.REJECT, "wrong account"), admin, revision=0)

    answer = press(as_reviewer, case)

    text = answer.content.decode()
    assert answer.status_code == 409
    assert "Rejected by admin already" in text
    assert "wrong account" in text
    assert Hold.objects.get().verdict == "reject"


def test_an_undo_that_comes_too_late_is_told_so(as_reviewer: Client, workspace: Workspace) -> None:
    case = hold(workspace)
    press(as_reviewer, case)
    Hold.objects.update(apply_at=timezone.now() - timedelta(minutes=1))
    verdicts.apply_due()

    answer = as_reviewer.post(f"/inbox/verdicts/{case.pk}/undo/")

    assert answer.status_code == 409
    assert "The ten seconds are over" in answer.content.decode()
    assert Hold.objects.get().state == State.APPLIED


def test_operators_see_that_something_waits_and_not_what(as_operator: Client, workspace: Workspace) -> None:
    case = hold(workspace, "private question?", evidence=["private evidence"])

    text = as_operator.get("/inbox/").content.decode()

    assert "1 case waits" in text
    assert "private" not in text
    assert "Approve" not in text
    assert press(as_operator, case).status_code == 403


def test_operators_who_may_read_content_read_it(as_operator: Client, workspace: Workspace) -> None:
    hold(workspace, "private question?")
    Membership.objects.update(sees_content=True)

    text = as_operator.get("/inbox/").content.decode()

    assert "private question?" in text
    assert "Approve" not in text


def test_a_hold_of_another_workspace_is_not_there(client: Client, workspace: Workspace, stranger: User) -> None:
    case = hold(workspace)
    client.force_login(stranger)

    assert press(client, case).status_code == 404
    assert client.post(f"/inbox/verdicts/{case.pk}/undo/").status_code == 404
    assert "1 case" not in client.get("/inbox/").content.decode()
    assert Hold.objects.get().state == State.OPEN


def test_a_region_is_what_the_page_shows(as_reviewer: Client, workspace: Workspace) -> None:
    hold(workspace)

    part = as_reviewer.get("/inbox/", headers=region("cases")).content.decode()

    assert part.lstrip().startswith('<div class="region" id="cases"')
    assert "live:batch" in part


def test_the_sidebar_counts_what_waits(as_reviewer: Client, workspace: Workspace) -> None:
    hold(workspace)
    decided = hold(workspace)
    press(as_reviewer, decided)

    text = as_reviewer.get("/live/counts/").content.decode()

    assert '<span class="count due" id="count-inbox" hx-swap-oob="true">1</span>' in text


def test_a_long_list_comes_in_pages_and_costs_few_queries(
    as_reviewer: Client, workspace: Workspace, django_assert_max_num_queries: Any
) -> None:
    for n in range(60):
        hold(workspace, f"q-{n}-{secrets.token_hex(2)}", due_m=n)

    with django_assert_max_num_queries(10):
        first = as_reviewer.get("/inbox/", headers=region("cases")).content.decode()
    second = as_reviewer.get("/inbox/?page=2").content.decode()

    assert "1 to 50 of 60" in first
    assert "51 to 60 of 60" in second
    assert as_reviewer.get("/inbox/?page=999999").status_code == 200
    assert as_reviewer.get("/inbox/?page=-1&x=%00").status_code == 200
