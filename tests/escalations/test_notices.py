"""Who is told what, by which channel and when; each thing once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from uuid import uuid4

import orjson
import pytest
from django.core import mail
from django.utils import timezone
from pytest_django import Settings

from escalations import intake, notices, sending
from escalations.models import Alarm, Escalation, Notice, Telling
from escalations.notices import News
from orchestration.outbox import webhooks
from orchestration.workspaces.models import User, Workspace
from tests.conftest import person
from tests.escalations import held
from tests.escalations.duty import knows
from tests.outbox.receiver import Receiver

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 23, 12, 3, 20, tzinfo=UTC)


@pytest.fixture
def ada(workspace: Workspace) -> User:
    return reachable(workspace, "ada")


def reachable(space: Workspace, name: str) -> User:
    who = person(space, name, "reviewer")
    User.objects.filter(pk=who.pk).update(email=f"{name}@example.org")
    who.refresh_from_db()
    return who


def wishes(space: Workspace, who: User, **fields: object) -> None:
    Telling.objects.create(workspace=space, person=who, **({"alarms": notices.USUAL, "digest_minutes": 0} | fields))


def cases(space: Workspace, n: int = 1) -> list[Escalation]:
    held.holds(space, [{"amount": 100 + place} for place in range(n)])
    intake.take_in()
    return list(Escalation.objects.filter(workspace=space))


def told(space: Workspace, alarm: str, who: User | None, now: datetime, n: int = 1) -> int:
    found = cases(space, n)
    return notices.tell(space.pk, [News(alarm, c.pk, c.batch_id, who.pk if who else None) for c in found], now)


def due() -> list[datetime]:
    return sorted(Notice.objects.values_list("due_at", flat=True))


def test_new_work_is_told_together_when_its_time_has_come(workspace: Workspace, ada: User) -> None:
    wishes(workspace, ada, digest_minutes=15)

    told(workspace, Alarm.NEW, ada, NOON, n=3)
    told(workspace, Alarm.NEW, ada, NOON + timedelta(minutes=5), n=2)

    assert due() == [NOON.replace(minute=15, second=0)]
    assert len(Notice.objects.get().about) == 8


def test_what_is_late_is_told_at_once(workspace: Workspace, ada: User) -> None:
    wishes(workspace, ada, digest_minutes=60)

    told(workspace, Alarm.LATE, ada, NOON)

    assert due() == [NOON]


def test_quiet_hours_keep_it_until_they_end_in_the_persons_own_zone(workspace: Workspace, ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(zone="Asia/Tokyo")
    wishes(workspace, ada, quiet=[20 * 60, 7 * 60])  # 12:03 UTC is 21:03 there

    told(workspace, Alarm.LATE, ada, NOON)

    assert due() == [datetime(2026, 11, 23, 22, 0, tzinfo=UTC)]


def test_what_is_late_breaks_the_quiet_of_whoever_wants_it_to(workspace: Workspace, ada: User) -> None:
    wishes(workspace, ada, quiet=[0, 1439], late_breaks=True)

    told(workspace, Alarm.LATE, ada, NOON)

    assert due() == [NOON]


def test_an_alarm_that_somebody_does_not_want_is_not_told(workspace: Workspace, ada: User) -> None:
    wishes(workspace, ada, alarms=["late"])

    assert told(workspace, Alarm.NEW, ada, NOON) == 0


def test_what_is_nobodys_is_told_to_those_who_know_it(workspace: Workspace, ada: User) -> None:
    bob, eve = reachable(workspace, "bob"), reachable(workspace, "eve")
    knows(workspace, ada, "refunds")
    knows(workspace, bob, "refunds", level=1)
    knows(workspace, eve, "treasury")

    told(workspace, Alarm.LATE, None, NOON)

    assert list(Notice.objects.values_list("person__username", flat=True)) == ["ada"]


def test_without_a_mail_server_nothing_is_made(workspace: Workspace, ada: User, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

    assert told(workspace, Alarm.LATE, ada, NOON) == 0


def test_a_message_says_counts_policies_and_a_link_and_nothing_an_agent_said(workspace: Workspace, ada: User) -> None:
    told(workspace, Alarm.LATE, ada, timezone.now(), n=2)

    assert sending.deliver() == 1
    message = mail.outbox[0]
    assert message.to == ["ada@example.org"]
    assert message.subject == "2 cases are late"
    assert "- refund-limit: 2 cases" in message.body
    assert "/inbox/" in message.body
    assert "refund-bot" not in message.body
    assert "May " not in message.body


def test_it_is_sent_once(workspace: Workspace, ada: User) -> None:
    told(workspace, Alarm.LATE, ada, timezone.now())

    assert [sending.deliver(), sending.deliver()] == [1, 0]
    assert len(mail.outbox) == 1


def test_what_comes_up_after_a_message_went_is_the_next_message(workspace: Workspace, ada: User) -> None:
    now = timezone.now()
    told(workspace, Alarm.LATE, ada, now)
    sending.deliver()

    told(workspace, Alarm.LATE, ada, now)

    assert Notice.objects.filter(sent_at=None).count() == 1


def test_cases_that_were_decided_meanwhile_are_not_told(workspace: Workspace, ada: User) -> None:
    told(workspace, Alarm.LATE, ada, timezone.now())
    Escalation.objects.update(open=False)

    sending.deliver()

    assert mail.outbox == []
    assert Notice.objects.get().sent_at is not None


def test_a_server_that_does_not_answer_is_tried_again_and_at_last_given_up(
    workspace: Workspace, ada: User, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    told(workspace, Alarm.LATE, ada, timezone.now())

    sending.deliver()
    notice = Notice.objects.get()
    assert notice.error == "The mail server did not take it (ConnectionRefusedError)."
    assert notice.due_at > timezone.now()
    for _ in range(11):
        Notice.objects.update(due_at=timezone.now())
        sending.deliver()
    assert Notice.objects.get().dead_at is not None
    assert sending.retry(workspace.pk, ada.pk) == 1


def test_a_webhook_inside_the_network_is_not_called(workspace: Workspace, ada: User) -> None:
    wishes(workspace, ada, mail=False, hook="https://127.0.0.1/hook", secret=b"salt")
    told(workspace, Alarm.LATE, ada, timezone.now())

    sending.deliver()

    assert Notice.objects.get().error.startswith("This address lies inside a network")


def test_a_test_message_is_one_however_often_it_is_pressed(workspace: Workspace, ada: User) -> None:
    once = uuid4().hex
    for _ in range(2):
        sending.deliver_one(notices.trial(workspace.pk, ada, "mail", once, timezone.now()))

    assert [message.subject for message in mail.outbox] == ["Baton can reach you"]


def test_a_webhook_is_signed_and_carries_the_words_where_chat_tools_look(
    workspace: Workspace, ada: User, settings: Settings
) -> None:
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.1/32")]
    receiver = Receiver()
    wishes(workspace, ada, mail=False, hook=receiver.url, secret=b"salt")
    told(workspace, Alarm.LATE, ada, timezone.now())

    sending.deliver()
    receiver.stop()

    _, headers, body = receiver.got[0]
    said = orjson.loads(body)
    key, at = sending.signing_key(Telling.objects.get()), int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == webhooks.signature([key], headers["webhook-id"], at, body)
    assert said["text"] == said["data"]["text"]
    assert said["data"]["counts"] == {"late": 1}
    assert Notice.objects.get().sent_at is not None
