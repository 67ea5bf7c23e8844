"""Where agents send to, how much comes, what was refused and why, and the test span through the real door."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from unittest.mock import Mock

import httpx
import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from uuid_utils.compat import uuid7

from dashboard import trial
from dashboard.views.connections import WORDS, finding
from orchestration.api import bodies
from orchestration.control import digest
from orchestration.control.arriving import Arriving, unread
from orchestration.telemetry import retention
from orchestration.telemetry.models import Intake, Refusal
from orchestration.telemetry.spans import Kind
from orchestration.workflows.models import Trace
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import ApiKey, User, Workspace
from tests import make
from tests.dashboard.conftest import region
from tests.make import Made

PAGE = "/settings/connections/"


def test_the_three_lines_name_the_address_of_this_request(as_operator: Client) -> None:
    page = as_operator.get(PAGE, headers={"host": "localhost:8137"}).content.decode()

    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:8137\n" in page
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n" in page
    assert "Authorization=Bearer%20YOUR_KEY" in page


def test_the_three_lines_name_the_public_address_where_there_is_one(
    as_operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "PUBLIC_URL", httpx.URL("https://baton.example.org"))
    monkeypatch.setattr("dashboard.addresses.settings.PUBLIC_URL", Mock(geturl=lambda: "https://baton.example.org/"))

    assert b"ENDPOINT=https://baton.example.org\n" in as_operator.get(PAGE).content


def test_what_was_refused_is_said_with_what_helps(as_operator: Client, workspace: Workspace, stranger: User) -> None:
    Refusal.objects.create(workspace=workspace, at=timezone.now(), reason="too_old", n=17)
    Refusal.objects.create(workspace=workspace, at=timezone.now(), reason="<b>new", n=1)
    Refusal.objects.create(workspace=Workspace.objects.get(slug="elsewhere"), at=timezone.now(), reason="span_id", n=1)

    page = as_operator.get(PAGE).content.decode()

    assert "18 items were refused in the last 24 hours." in page
    assert WORDS["too_old"] in page
    assert "&lt;b&gt;new" in page
    assert "span id" not in page


def test_for_each_reason_of_the_doors_of_telemetry_there_is_what_helps() -> None:
    api = Path(bodies.__file__).parent
    sources = [api / f"{name}.py" for name in ("answers", "arrivals", "bodies", "events", "otlp", "quota", "refusals")]
    counted = r'(?:Refused\(\d+|counters\.refuse\(bearer\.workspace_id), "(\w+)"'
    reasons = {reason for source in sources for reason in re.findall(counted, source.read_text())}

    assert {"undecodable", "bad_event", "busy"} < reasons
    assert reasons <= WORDS.keys()


def test_spans_that_make_no_run_are_told_from_those_that_do(
    as_operator: Client, workspace: Workspace, stranger: User
) -> None:
    strange, known, began = b"s" * 16, b"k" * 16, timezone.now() - timedelta(minutes=2)
    who = make.agent(workspace, application="hive-runtime\u202e")
    for trace, run_id, name in (
        (strange, None, "hive.agent.run clerk\u202e"),
        (known, uuid7(), "invoke_agent billing"),
    ):
        make.trace(workspace, trace, run_id, began, began)
        make.spans(workspace, trace, began, Made(name, Kind.OTHER, who))
    address, elsewhere = f"/runs/{strange.hex()}/", Workspace.objects.get(slug="elsewhere")
    assert "Kept, and no run" not in as_operator.get(PAGE).content.decode()  # nobody has looked at it yet
    assert "No run is made" not in as_operator.get(address).content.decode()
    Trace.objects.update(settled_at=timezone.now())

    page = as_operator.get(PAGE).content.decode()
    found = as_operator.get("/search/", {"q": strange.hex()}, follow=True)

    assert "Kept, and no run is made of it" in page
    assert page.count("hive-runtime") == page.count("hive.agent.run clerk") == 1
    assert "invoke_agent billing" not in page
    assert "\u202e" not in page
    assert (found.status_code, found.redirect_chain[0][0]) == (404, address)
    assert "No run is made of this trace" in found.content.decode()
    assert not unread(elsewhere.pk, timezone.now())


def test_the_region_is_the_part_of_the_page(as_operator: Client, workspace: Workspace) -> None:
    whole = as_operator.get(PAGE).content.decode()

    for part in ("arriving", "test"):
        fragment = as_operator.get(PAGE, headers=region(part)).content.decode().strip()
        assert re.sub(r'value="[^"]+"', "", fragment) in re.sub(r'value="[^"]+"', "", whole)


def test_keys_that_may_send_are_listed_and_others_are_not(as_operator: Client, workspace: Workspace) -> None:
    create_key(workspace, "sender", ["ingest"])
    create_key(workspace, "reader", ["read"])

    page = as_operator.get(PAGE).content.decode()

    assert "sender" in page
    assert "reader" not in page
    assert "/settings/keys/" not in page  # that is an admin's to see


@pytest.mark.parametrize(
    ("now", "refused", "said"),
    [
        (Arriving(0, 0, [0] * 60, 0, None), 0, "No span has come yet"),
        (Arriving(0, 0, [0] * 60, 0, timezone.now() - timedelta(hours=2, minutes=1)), 0, "The last span came 2 h ago"),
        (Arriving(2.0, 1.0, [60] * 60, 9, timezone.now()), 0, "120 spans come in a minute"),
        (Arriving(1 / 60, 0, [0] * 60, 1, timezone.now()), 3, "1 span comes in a minute"),
    ],
)
def test_the_finding_says_first_whether_anything_comes(now: Arriving, refused: int, said: str) -> None:
    found = finding(now, refused)

    assert found.words == said
    assert bool(refused) == any("refused" in part.text for part in found.lede)


def test_a_reviewer_neither_sees_nor_sends(as_reviewer: Client, admin: User) -> None:
    seen, sent = as_reviewer.get(PAGE), as_reviewer.post(f"{PAGE}test/")

    assert (seen.status_code, sent.status_code) == (403, 403)
    assert b"admin can grant it" in seen.content
    assert not ApiKey.objects.exists()


def test_the_test_is_sent_by_a_press_alone(as_operator: Client) -> None:
    assert as_operator.get(f"{PAGE}test/").status_code == 405


def test_a_door_that_does_not_answer_is_said_so(
    as_operator: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "door", lambda request: ("127.0.0.1", 1))

    page = as_operator.post(f"{PAGE}test/", follow=True).content.decode()

    assert "The test span was not taken." in page
    assert "The door did not answer: ConnectionRefusedError" in page


def test_the_key_goes_to_the_server_that_answers_and_nowhere_else() -> None:
    """A host header is what somebody else says."""
    request = Mock(scope={"server": ("127.0.0.1", 8137)}, META={"HTTP_HOST": "evil.example"})

    assert trial.door(request) == ("127.0.0.1", 8137)
    assert trial.door(Mock(scope={}))[0] == "127.0.0.1"


@pytest.fixture
def browser(served: int, transactional_db: None, operator: User, workspace: Workspace) -> Iterator[httpx.Client]:
    """Somebody who is logged in at the real server."""
    retention.ensure_partitions()
    client = Client()
    client.force_login(operator)
    name = settings.SESSION_COOKIE_NAME
    with httpx.Client(base_url=f"http://127.0.0.1:{served}", cookies={name: client.cookies[name].value}) as found:
        yield found


def press(browser: httpx.Client) -> str:
    token = re.findall(r'csrfmiddlewaretoken" value="([^"]+)"', browser.get(PAGE).text)[0]
    answer = browser.post(f"{PAGE}test/", data={"csrfmiddlewaretoken": token})
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{PAGE}#test")
    return browser.get(PAGE).text


def test_the_test_span_turns_green_once_it_is_digested(browser: httpx.Client, workspace: Workspace) -> None:
    waiting = press(browser)
    again = press(browser)
    digest.digest(workspace.pk)
    page = browser.get(PAGE, headers=region("test")).text

    assert "waiting to be digested" in waiting
    assert 'hx-trigger="every 1s"' in again
    assert "The test span has arrived." in page
    assert Intake.objects.get().accepted == 1, "a second press while the first is on its way sends nothing"
    assert ApiKey.objects.get().lent


def test_a_test_span_that_waits_long_is_said_to_be_late(browser: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    press(browser)
    later = time.time() + 40
    monkeypatch.setattr("dashboard.views.connections.time.time", lambda: later)

    assert "Taken, but not digested after 4" in browser.get(PAGE).text
