"""Notices by mail."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.mail import EmailMessage

from orchestration.outbox import endpoints, send, sweep
from orchestration.outbox.models import Endpoint, Message, State
from orchestration.outbox.targets import Refused
from orchestration.workspaces.models import User, Workspace

pytestmark = pytest.mark.django_db
NOTICE = {
    "id": "1",
    "reason": "refund fails\nand pays twice",
    "by": "baton:autonomy",
    "rule": "when-it-fails",
    "version": 2,
}


@pytest.fixture
def box(workspace: Workspace, admin: User) -> Endpoint:
    return endpoints.add(workspace, "mailto:night@example.org", ["action.notice"], admin)[0]


def test_a_notice_is_mailed_once_however_often_it_is_told(box: Endpoint, mailoutbox: list[EmailMessage]) -> None:
    assert [send.announce(box.workspace_id, "action.notice", "a-1", NOTICE) for _ in range(2)] == [1, 0]

    assert [sweep.deliver(), sweep.deliver()] == [1, 0]

    (mail,) = mailoutbox
    assert (mail.to, mail.subject) == (["night@example.org"], "Baton: refund fails and pays twice")
    assert "By the rule when-it-fails, version 2." in mail.body
    assert Message.objects.get().state == State.DONE


def test_without_a_mail_server_it_says_so_and_is_tried_again(box: Endpoint, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    send.announce(box.workspace_id, "action.notice", "a-1", NOTICE)

    sweep.deliver()

    message = Message.objects.get()
    assert (message.state, "BATON_EMAIL_URL" in message.error) == (State.FAILED, True)


@pytest.mark.parametrize(
    ("url", "events"),
    [
        ("mailto:nobody", ["action.notice"]),
        ("mailto:a@example.org\nBcc: b@example.org", ["action.notice"]),
        ("mailto:a@example.org,b@example.org", ["action.notice"]),
        ("mailto:a@example.org", ["action.notice", "hold.opened"]),
    ],
)
def test_what_is_no_address_or_no_notice_is_refused(
    workspace: Workspace, admin: User, url: str, events: list[str]
) -> None:
    with pytest.raises(Refused):
        endpoints.add(workspace, url, events, admin)
