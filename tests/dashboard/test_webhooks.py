"""Webhooks: added, tried, turned, deleted; what does not arrive is seen and sent again."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client

from orchestration.outbox import endpoints, send, sweep
from orchestration.outbox.models import Endpoint, Message, State
from orchestration.workspaces.models import User, Workspace
from tests.dashboard.conftest import region
from tests.outbox.conftest import receiver
from tests.outbox.receiver import Receiver

__all__ = ["receiver"]  # a fixture
PAGE = "/settings/webhooks/"


@pytest.fixture
def endpoint(workspace: Workspace, admin: User, receiver: Receiver, settings: Any) -> Endpoint:
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.1/32")]
    return endpoints.add(workspace, receiver.url, ["hold.applied"], admin)[0]


def secret_in(answer: Any) -> str:
    return next(iter(re.findall(r"<code>(whsec_[^<]+)</code>", answer.content.decode())), "")


def once_in(answer: Any) -> str:
    found: list[str] = re.findall(r'name="once" value="([^"]+)"', answer.content.decode())
    return found[0]


def test_a_secret_is_shown_once_and_a_double_press_makes_one(
    proven: Client, workspace: Workspace, receiver: Receiver, settings: Any
) -> None:
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.1/32")]
    form = {"url": receiver.url, "events": ["hold.applied"], "once": once_in(proven.get(PAGE))}

    first, second = secret_in(proven.post(PAGE, form)), secret_in(proven.post(PAGE, form))

    assert first == second != ""
    assert Endpoint.objects.filter(workspace=workspace).count() == 1
    assert "whsec_" not in proven.get(PAGE).content.decode()
    assert first.removeprefix("whsec_") not in str(Endpoint.objects.values())


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"url": "http://example.org/", "events": ["hold.applied"]}, "begins with https"),
        ({"url": "https://127.0.0.1/", "events": ["hold.applied"]}, "inside a network"),
        ({"url": "https://example.org/", "events": []}, "Choose at least one"),
        ({"url": "https://example.org/", "events": ["all"]}, "valid choice"),
        ({"url": "", "events": ["hold.applied"]}, "required"),
    ],
)
def test_what_makes_no_endpoint_is_said_beside_its_field(
    proven: Client, workspace: Workspace, form: dict[str, Any], said: str
) -> None:
    answer = proven.post(PAGE, form)

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Endpoint.objects.exists()


def test_a_test_tells_what_was_answered(proven: Client, endpoint: Endpoint, receiver: Receiver) -> None:
    address = f"{PAGE}{endpoint.pk}/"
    form = {"once": once_in(proven.get(address))}

    texts = [proven.post(f"{address}test/", form, follow=True).content.decode() for _ in range(2)]

    assert "Answered 200 in" in texts[0]
    assert len(receiver.got) == 1


def test_a_test_that_does_not_arrive_says_why(proven: Client, endpoint: Endpoint, receiver: Receiver) -> None:
    receiver.answer = lambda got: (404, {}, b"")

    text = proven.post(f"{PAGE}{endpoint.pk}/test/", follow=True).content.decode()

    assert "The test did not arrive. Answered 404." in text


def test_what_was_given_up_is_seen_and_sent_again(
    proven: Client, workspace: Workspace, endpoint: Endpoint, receiver: Receiver
) -> None:
    send.announce(workspace.pk, "hold.applied", "h-1", {})
    Message.objects.update(state=State.DEAD, attempts=12, status=500, error="Answered 500.")
    message = Message.objects.get()

    text = proven.get(PAGE).content.decode()
    part = proven.get(f"{PAGE}{endpoint.pk}/", headers=region("deliveries")).content.decode()
    proven.post(f"{PAGE}{endpoint.pk}/messages/{message.pk}/retry/")
    sweep.deliver()

    assert "1 message was given up" in text
    assert "Answered 500." in part
    assert Message.objects.get().state == State.DONE
    assert len(receiver.got) == 1


def test_a_new_secret_is_shown_once(proven: Client, endpoint: Endpoint) -> None:
    address = f"{PAGE}{endpoint.pk}/"
    form = {"once": once_in(proven.get(address)), "overlap": "24"}

    answer = proven.post(f"{address}rotate/", form)

    assert secret_in(answer).startswith("whsec_")
    assert secret_in(proven.get(address)) == ""


def test_deleting_asks_first_and_takes_its_messages_along(
    proven: Client, workspace: Workspace, endpoint: Endpoint
) -> None:
    send.announce(workspace.pk, "hold.applied", "h-1", {})

    assert "1 message that waits for it is thrown away" in proven.get(f"{PAGE}{endpoint.pk}/").content.decode()
    proven.post(f"{PAGE}{endpoint.pk}/remove/")

    assert not Message.objects.exists()


def test_an_endpoint_of_another_workspace_is_not_there(client: Client, endpoint: Endpoint, stranger: User) -> None:
    client.post("/accounts/login/", {"login": stranger.username, "password": "stranger-password-12"})

    found = [client.post(f"{PAGE}{endpoint.pk}/{what}/").status_code for what in ("remove", "rotate", "test")]

    assert found == [404, 404, 404]
    assert client.get(f"{PAGE}{endpoint.pk}/").status_code == 404
    assert Endpoint.objects.exists()


def test_a_stale_proof_changes_nothing(client: Client, admin: User, endpoint: Endpoint) -> None:
    client.force_login(admin)

    client.post(f"{PAGE}{endpoint.pk}/remove/")

    assert Endpoint.objects.exists()
