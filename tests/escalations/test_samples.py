"""The page of samples: who may say what, once, with a receipt."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone
from uuid_utils.compat import uuid7

from escalations.models import Sample
from orchestration.ledger.models import Entry
from orchestration.policies.models import Decision
from orchestration.workspaces.models import User, Workspace

pytestmark = pytest.mark.django_db


def drawn(space: Workspace, n: int = 1, found: str = "") -> list[Sample]:
    at, ids = timezone.now(), [uuid7() for _ in range(n)]
    facts = {"context": {"reason": "<b>late</b>"}}
    values = {"agent": "refund-bot", "action_type": "refund", "effect": "allow", "facts": facts, "answer": {}}
    Decision.objects.bulk_create(Decision(workspace=space, id=pk, at=at, amount=420, **values) for pk in ids)
    return Sample.objects.bulk_create(
        Sample(decision_id=pk, workspace=space, at=at, chance=0.1, stratum="100 to 1,000 · allow · x", found=found)
        for pk in ids
    )


def test_a_reviewer_says_once_what_was_found(as_reviewer: Client, reviewer: User, workspace: Workspace) -> None:
    (sample,) = drawn(workspace)
    assert "refund-bot" in as_reviewer.get("/inbox/samples/").content.decode()

    for word in ("wrong", "right"):
        answer = as_reviewer.post(f"/inbox/samples/{sample.pk}/", {"found": word, "note": "Twice"})
        assert answer.status_code == 302

    sample.refresh_from_db()
    assert (sample.found, sample.note, sample.seen_by) == ("wrong", "Twice", reviewer)
    assert Entry.objects.filter(kind="sample.judged").count() == 1


def test_what_is_no_word_is_refused_and_what_is_elsewhere_is_not_there(
    as_reviewer: Client, workspace: Workspace
) -> None:
    (sample,) = drawn(workspace)

    assert as_reviewer.post(f"/inbox/samples/{sample.pk}/", {"found": "perhaps"}).status_code == 400
    assert as_reviewer.post(f"/inbox/samples/{uuid7()}/", {"found": "right"}).status_code == 404


def test_only_reviewers_say_what_was_found(client: Client, operator: User, workspace: Workspace) -> None:
    (sample,) = drawn(workspace)
    client.force_login(operator)

    assert client.get("/inbox/samples/").status_code == 200
    assert client.post(f"/inbox/samples/{sample.pk}/", {"found": "right"}).status_code == 403


def test_the_rate_is_told_from_thirty_on(as_reviewer: Client, workspace: Workspace) -> None:
    drawn(workspace, 29, "right")
    assert "Not enough data" in as_reviewer.get("/inbox/samples/").content.decode()

    drawn(workspace, 1, "wrong")
    assert "3.3% of what went through without a person was wrong" in as_reviewer.get("/inbox/samples/").content.decode()


def test_what_agents_sent_is_shown_as_text_to_those_who_may_read_it(
    client: Client, operator: User, reviewer: User, workspace: Workspace
) -> None:
    drawn(workspace)
    client.force_login(reviewer)
    assert "&lt;b&gt;late" in client.get("/inbox/samples/").content.decode()

    client.force_login(operator)
    assert "late&lt;" not in client.get("/inbox/samples/").content.decode()
