"""Verdicts that are kept for cases like them: by whom, what they speak for, what is never theirs, and their end."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from escalations import intake
from escalations.models import Act, Batch, Descendant, Escalation, Precedent
from orchestration.holds.models import Hold
from orchestration.ledger.models import Entry
from orchestration.policies.models import Policy
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.escalations.conftest import ODD, chosen, clear, open_inbox, plain, press, refunds, second
from tests.escalations.held import holds, questions
from tests.scenes import scene

pytestmark = pytest.mark.django_db


def begin() -> None:
    kept(open_inbox(), make.workspace())


one_is_kept = scene(begin)


@pytest.fixture
def precedent() -> Precedent:
    """Eleven like refunds, approved in one press and kept."""
    return Precedent.objects.get()


def decided(client: Client, space: Workspace, act: str = "approve", **said: Any) -> Act:
    """Eleven like refunds, decided in one press; the odd one among them stays."""
    batch = refunds(space)
    press(client, batch, chosen(batch), act, **said)
    return Act.objects.get()


def keep(client: Client, act: Act, **said: Any) -> Any:
    told = {"reason": "Goods are back", "days": "90"} | said
    return client.post(f"/inbox/precedents/keep/{act.pk}/", told)


def kept(client: Client, space: Workspace, act: str = "approve", **said: Any) -> Precedent:
    assert keep(client, decided(client, space, act, **said)).status_code == 302
    return Precedent.objects.get()


def comes(space: Workspace, *asked: dict[str, Any], **more: Any) -> list[Escalation]:
    due = {"due_at": timezone.now() + timedelta(minutes=20), "evidence": [{"kind": "photo"}]} | more
    made = holds(space, asked, **due)
    intake.take_in()
    return list(Escalation.objects.filter(pk__in=[each.pk for each in made]).order_by("pk"))


def batch_of(case: Escalation) -> Batch:
    case.refresh_from_db()
    assert case.batch is not None
    return case.batch


def test_a_verdict_is_kept_with_its_bounds_and_a_receipt(as_reviewer: Client, precedent: Precedent) -> None:
    assert (precedent.verdict, precedent.cases, precedent.reason) == ("approve", 11, "Goods are back")
    assert precedent.within["amount"] == [510, 610]
    entry = Entry.objects.get(kind="precedent.kept")
    assert entry.subject_id == str(precedent.pk)
    assert "Goods" not in entry.body


def test_a_new_case_within_the_bounds_is_shown_with_it(
    as_reviewer: Client, workspace: Workspace, precedent: Precedent
) -> None:
    (case,) = comes(workspace, plain(4) | {"arguments": {"item": "Chair"}})

    assert (case.precedent_id, case.before) == (precedent.pk, "approve")
    text = as_reviewer.get(f"/inbox/{batch_of(case).pk}/").content.decode()
    assert "Decided like this 11 times: approved." in text
    assert "Goods are back" in text
    assert "Approve 1 as before" in text


@pytest.mark.parametrize(
    ("other", "more"),
    [
        (plain(4) | {"amount": 611}, {}),
        (plain(4) | {"context": {"item_back": False, "refunds_1y": 0, "confidence": 0.96}}, {}),
        (plain(4), {"version": 4}),
        (plain(4), {"agent": "other-bot"}),
        (plain(4), {"evidence": []}),
        (plain(4), {"people": 2}),
        (plain(4), {"skill": "fraud"}),
    ],
)
def test_a_case_beyond_them_is_not(
    as_reviewer: Client, workspace: Workspace, other: dict[str, Any], more: dict[str, Any]
) -> None:
    (case,) = comes(workspace, other, **more)

    assert (case.precedent_id, case.before) == (None, "")


def test_what_waits_already_is_covered_at_once(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    batch = refunds(workspace)
    cases = chosen(batch)
    press(as_reviewer, batch, cases[:8])

    keep(as_reviewer, Act.objects.get())

    waiting = Escalation.objects.filter(open=True)
    assert waiting.filter(before="approve").count() == 0  # 590 to 610 and the odd one lie beyond 510 to 580
    comes(workspace, plain(2))
    assert waiting.filter(before="approve").count() == 1


def test_one_press_decides_what_is_covered_and_nothing_else(
    as_reviewer: Client, workspace: Workspace, precedent: Precedent
) -> None:
    inside = comes(workspace, plain(2), plain(3))
    (beyond,) = comes(workspace, plain(4) | {"amount": 700})
    batch = batch_of(inside[0])
    assert batch_of(beyond) == batch

    press(as_reviewer, batch, [], as_before=f"{precedent.pk}:2")

    assert {hold.verdict for hold in Hold.objects.filter(pk__in=[case.pk for case in inside])} == {"approve"}
    assert Hold.objects.get(pk=beyond.pk).state == "open"
    used = Descendant.objects.filter(precedent=precedent)
    assert {(each.hold_id, each.agreed) for each in used} == {(case.pk, True) for case in inside}
    assert Entry.objects.filter(kind="precedent.used", subject_id=str(precedent.pk)).count() == 2


def test_a_page_that_was_wrong_decides_nothing(as_reviewer: Client, workspace: Workspace, precedent: Precedent) -> None:
    (case,) = comes(workspace, plain(2))

    answer = press(as_reviewer, batch_of(case), [], as_before=f"{precedent.pk}:2")

    assert answer.status_code == 409
    assert Hold.objects.get(pk=case.pk).state == "open"
    for nonsense in ("x", f"{case.pk}:1", f"{precedent.pk}:", "-" * 36 + ":1"):
        assert press(as_reviewer, batch_of(case), [], as_before=nonsense).status_code in (409, 422)


def test_a_no_is_kept_with_its_words_and_starts_unselected(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    precedent = kept(as_reviewer, workspace, "reject", reason="policy", note="Ask the shop")
    (case,) = comes(workspace, plain(2))

    assert (case.before, case.selected) == ("reject", False)
    press(as_reviewer, batch_of(case), [], as_before=f"{precedent.pk}:1")

    hold = Hold.objects.get(pk=case.pk)
    assert (hold.verdict, hold.note) == ("reject", "Against policy. Ask the shop")


def test_what_people_say_otherwise_is_counted(as_reviewer: Client, workspace: Workspace, precedent: Precedent) -> None:
    cases = comes(workspace, plain(2), plain(3))
    batch = batch_of(cases[0])

    press(as_reviewer, batch, [each for each in chosen(batch) if str(cases[0].pk) in each], "reject", reason="risk")

    assert Descendant.objects.get(precedent=precedent).agreed is False
    text = as_reviewer.get(f"/inbox/{batch.pk}/").content.decode()
    assert "Decided like this 11 times" in text
    assert "1 time otherwise since" in text


def test_a_press_that_is_taken_back_was_no_use(as_reviewer: Client, workspace: Workspace, precedent: Precedent) -> None:
    (case,) = comes(workspace, plain(2))
    press(as_reviewer, batch_of(case), [], as_before=f"{precedent.pk}:1")

    as_reviewer.post(f"/inbox/verdicts/{Act.objects.latest('at').pk}/undo/")

    assert not Descendant.objects.exists()
    case.refresh_from_db()
    assert (case.open, case.precedent_id) == (True, precedent.pk)
    precedent.refresh_from_db()
    assert precedent.revoked_at is None


def test_taking_back_the_verdict_it_was_kept_of_ends_it(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    precedent = kept(as_reviewer, workspace)

    as_reviewer.post(f"/inbox/verdicts/{Act.objects.get().pk}/undo/")

    precedent.refresh_from_db()
    assert precedent.revoked_at is not None
    assert not Escalation.objects.exclude(before="").exists()


def test_one_press_revokes_it_and_says_what_it_touched(
    as_reviewer: Client, workspace: Workspace, precedent: Precedent
) -> None:
    cases = comes(workspace, plain(2), plain(3))
    press(as_reviewer, batch_of(cases[0]), [each for each in chosen(batch_of(cases[0])) if str(cases[0].pk) in each])

    answers = [as_reviewer.post(f"/inbox/precedents/{precedent.pk}/revoke/", follow=True) for _ in range(2)]

    first, again = (answer.content.decode() for answer in answers)
    assert "It had a part in 1 case, listed here" in first
    assert str(cases[0].pk)[:8] in first
    assert "It was revoked before" in again
    assert Entry.objects.filter(kind="precedent.revoked").count() == 1
    assert not Escalation.objects.filter(open=True).exclude(before="").exists()
    (later,) = comes(workspace, plain(2))
    assert later.before == ""


def test_one_that_ran_out_says_nothing(as_reviewer: Client, workspace: Workspace, precedent: Precedent) -> None:
    (case,) = comes(workspace, plain(2))
    Precedent.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert "Decided like this" not in as_reviewer.get(f"/inbox/{batch_of(case).pk}/").content.decode()
    assert press(as_reviewer, batch_of(case), [], as_before=f"{precedent.pk}:1").status_code == 409
    assert "It ran out" in as_reviewer.get("/inbox/precedents/").content.decode()


def test_where_two_contradict_neither_speaks(as_reviewer: Client, workspace: Workspace) -> None:
    (case,) = comes(workspace, plain(2))
    batch = batch_of(case)
    press(as_reviewer, batch, [each for each in chosen(batch) if str(case.pk) in each], "reject", reason="risk")
    keep(as_reviewer, Act.objects.latest("at"))

    (torn,) = comes(workspace, plain(2))
    (clear,) = comes(workspace, plain(3))

    assert (torn.before, clear.before) == ("", "approve")


def test_two_people_and_sensitive_policies_are_never_kept(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    Policy.objects.create(workspace=workspace, slug="refund-limit", name="Refund limit", sensitive=True, live=3)
    act = decided(as_reviewer, workspace)

    assert "marked sensitive" in as_reviewer.get(f"/inbox/precedents/keep/{act.pk}/").content.decode()
    assert keep(as_reviewer, act).status_code == 409
    Policy.objects.update(sensitive=False)
    Hold.objects.filter(verdict="approve").update(people=2)
    assert "two people" in keep(as_reviewer, act).content.decode()
    assert not Precedent.objects.exists()


def test_bounds_may_be_narrowed_and_never_widened(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    act = decided(as_reviewer, workspace)

    for wider in ({"to:amount": "5000"}, {"from:amount": "1"}, {"from:amount": "600", "to:amount": "550"}):
        assert keep(as_reviewer, act, **wider).status_code == 422
    assert keep(as_reviewer, act, **{"to:amount": "x"}).status_code == 422
    assert keep(as_reviewer, act, **{"to:amount": "nan"}).status_code == 422
    assert keep(as_reviewer, act, reason=" ").status_code == 422
    assert keep(as_reviewer, act, days="9999").status_code == 422
    assert keep(as_reviewer, act, **{"to:amount": "550"}).status_code == 302
    assert Precedent.objects.get().within["amount"] == [510, 550]


def test_it_is_kept_once(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    act = decided(as_reviewer, workspace)

    assert [keep(as_reviewer, act).status_code for _ in range(2)] == [302, 302]

    told = Entry.objects.filter(kind="precedent.kept", subject_id=str(Precedent.objects.get().pk))
    assert told.count() == 1


def test_only_a_persons_own_verdict_is_kept_and_only_by_reviewers(
    client: Client, as_reviewer: Client, operator: User, workspace: Workspace, precedent: Precedent
) -> None:
    act = Act.objects.get()

    client.force_login(second(workspace))
    assert keep(client, act).status_code == 404
    client.force_login(operator)
    assert client.get("/inbox/precedents/").status_code == 200
    page = client.get(f"/inbox/precedents/{precedent.pk}/").content.decode()
    assert "not shown to you" in page
    assert keep(client, act).status_code == 403
    assert client.post(f"/inbox/precedents/{precedent.pk}/revoke/").status_code == 403
    assert client.get(f"/inbox/precedents/{precedent.pk}/revoke/").status_code == 405


def test_another_workspace_has_none_of_it(client: Client, as_reviewer: Client, precedent: Precedent) -> None:
    other = Workspace.objects.create(slug="other", name="Other")
    stranger = second(other, "stranger-there")
    client.force_login(stranger)

    assert client.get(f"/inbox/precedents/{precedent.pk}/").status_code == 404
    assert client.post(f"/inbox/precedents/{precedent.pk}/revoke/").status_code == 404
    (case,) = comes(other, plain(2))
    assert case.before == ""


def test_a_question_in_words_is_covered_by_the_same_words(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    (hold,) = questions(workspace, ["May I send letter A?"])
    intake.take_in()
    batch = batch_of(Escalation.objects.get(pk=hold.pk))
    press(as_reviewer, batch, chosen(batch, everything=True))
    keep(as_reviewer, Act.objects.get())

    made = questions(workspace, ["May I send letter A?", "May I send letter B?"])
    intake.take_in()

    found = [Escalation.objects.get(pk=each.pk).before for each in made]
    assert found == ["approve", ""]


def test_another_version_of_the_policy_lets_it_rest(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    Policy.objects.create(workspace=workspace, slug="refund-limit", name="Refund limit", live=3)
    precedent = kept(as_reviewer, workspace)
    Policy.objects.update(live=4)

    text = as_reviewer.get(f"/inbox/precedents/{precedent.pk}/").content.decode()

    assert "It speaks for nothing now" in text
    assert "version 4 is live" in text


def test_hostile_words_stay_words(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    act = decided(as_reviewer, workspace)
    keep(as_reviewer, act, reason="<script>alert(1)</script>")

    for path in ("/inbox/precedents/", f"/inbox/precedents/{Precedent.objects.get().pk}/"):
        assert "<script>alert" not in as_reviewer.get(path).content.decode()


def test_the_message_after_a_verdict_offers_to_keep_it(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    act = decided(as_reviewer, workspace)

    assert f"/inbox/precedents/keep/{act.pk}/" in as_reviewer.get("/inbox/").content.decode()
    assert "Approved 11" in as_reviewer.get("/inbox/precedents/").content.decode()


def test_a_batch_asks_as_much_of_the_database_however_many_cases_are_covered(
    as_reviewer: Client, workspace: Workspace
) -> None:
    counts = []
    for n in (1, 9):
        cases = comes(workspace, *[plain(place) for place in range(n)])
        batch = batch_of(cases[0])
        as_reviewer.get(f"/inbox/{batch.pk}/")
        with CaptureQueriesContext(connection) as seen:
            as_reviewer.get(f"/inbox/{batch.pk}/")
        counts.append(len(seen))

    assert counts[0] == counts[1]


def test_a_hundred_new_cases_are_covered_at_once(workspace: Workspace, as_reviewer: Client) -> None:
    cases = comes(workspace, *[plain(place % 11) for place in range(100)], ODD)

    assert sum(case.before == "approve" for case in cases) == 100


def test_the_key_of_a_press_is_the_forms_own(as_reviewer: Client, workspace: Workspace, precedent: Precedent) -> None:
    (case,) = comes(workspace, plain(2))
    key = secrets.token_hex(8)

    for _ in range(2):
        press(as_reviewer, batch_of(case), [], as_before=f"{precedent.pk}:1", key=key)

    assert Descendant.objects.count() == 1
