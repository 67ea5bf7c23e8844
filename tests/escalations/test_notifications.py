"""`/settings/notifications/`: how one person is told."""

from __future__ import annotations

import re
from ipaddress import ip_network
from uuid import uuid4

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from escalations.models import Notice, Telling
from orchestration.workspaces.models import User, Workspace

pytestmark = pytest.mark.django_db
PAGE = "/settings/notifications/"
SENT = {"alarms": ["late", "new"], "digest": "60", "quiet_from": "22:00", "quiet_until": "07:00", "mail": "on"}


def test_a_person_says_how_to_be_told(as_reviewer: Client, reviewer: User) -> None:
    sent = SENT | {"email": "ada@example.org", "late_breaks": "on"}
    for _ in range(2):
        assert as_reviewer.post(PAGE, sent).status_code == 302

    telling = Telling.objects.get()
    reviewer.refresh_from_db()
    assert (sorted(telling.alarms), telling.digest_minutes, telling.quiet) == (["late", "new"], 60, [1320, 420])
    assert (telling.late_breaks, telling.mail, telling.hook) == (True, True, "")
    assert reviewer.email == "ada@example.org"


@pytest.mark.parametrize(
    "wrong",
    [
        {"alarms": ["rosebud"]},
        {"digest": "7"},
        {"quiet_until": ""},
        {"quiet_until": "22:00"},
        {"email": "nobody"},
        {"hook": "https://127.0.0.1/"},
        {"hook": "http://example.org/"},
    ],
)
def test_what_cannot_be_is_refused(as_reviewer: Client, wrong: dict[str, object]) -> None:
    assert as_reviewer.post(PAGE, SENT | wrong).status_code == 422
    assert not Telling.objects.exists()


def test_a_new_webhook_shows_its_secret_to_the_form_that_made_it(as_reviewer: Client, settings: Settings) -> None:
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.1/32")]
    sent = SENT | {"hook": "http://127.0.0.1:9/hook", "once": "a-name-of-its-own"}

    pages = [as_reviewer.post(PAGE, sent).content.decode() for _ in range(2)]

    secrets = {re.findall(r"whsec_[\w+/=]+", page)[0] for page in pages}
    assert len(secrets) == 1
    assert "whsec_" not in as_reviewer.get(PAGE).content.decode()
    assert as_reviewer.post(PAGE, sent | {"once": "another"}).status_code == 302


def test_without_a_mail_server_the_page_says_so(as_reviewer: Client, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

    page = as_reviewer.get(PAGE).content

    assert b"No mail server is configured" in page
    assert b"Nothing reaches you yet" in page


def test_a_test_e_mail_is_one_press_one_message(as_reviewer: Client, reviewer: User) -> None:
    User.objects.filter(pk=reviewer.pk).update(email="ada@example.org")

    for _ in range(2):
        as_reviewer.post(PAGE + "test/", {"channel": "mail", "once": "press"})

    assert [message.to for message in mail.outbox] == [["ada@example.org"]]


def test_a_test_that_cannot_arrive_says_why(as_reviewer: Client) -> None:
    page = as_reviewer.post(PAGE + "test/", {"channel": "hook", "once": "press"}, follow=True).content

    assert b"The test did not go out. This person has no webhook any more." in page


@pytest.mark.parametrize("sent", [{}, {"channel": "pigeon", "once": "x"}, {"channel": "mail"}])
def test_a_test_of_nothing_is_refused(as_reviewer: Client, sent: dict[str, str]) -> None:
    assert as_reviewer.post(PAGE + "test/", sent).status_code == 422


def test_what_was_given_up_is_seen_and_sent_again(as_reviewer: Client, workspace: Workspace, reviewer: User) -> None:
    now = timezone.now()
    values = {"key": uuid4().hex, "subject": "", "body": "", "due_at": now, "dead_at": now, "error": "No answer"}
    Notice.objects.create(workspace=workspace, person=reviewer, channel="mail", **values)

    assert b"1 message to you was given up" in as_reviewer.get(PAGE).content
    as_reviewer.post(PAGE + "retry/")

    assert Notice.objects.get().dead_at is None


def test_an_operator_is_told_of_nothing(as_operator: Client) -> None:
    assert as_operator.get(PAGE).status_code == 403
