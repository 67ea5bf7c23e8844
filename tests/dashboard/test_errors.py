"""What is answered when a page cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from orchestration.workflows import stats
from orchestration.workspaces.models import User
from tests.dashboard.conftest import region


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    """The database does not answer the questions of the list of workflows."""

    def fails(*_: Any) -> None:
        raise OperationalError("secret host refused")

    monkeypatch.setattr(stats, "workflows", fails)
    client.raise_request_exception = False


def test_a_page_that_failed_says_what_is_safe_and_nothing_of_the_inside(as_operator: Client, broken: None) -> None:
    answer = as_operator.get("/workflows/")
    text = answer.content.decode()

    assert answer.status_code == 500
    assert "still taken and kept" in text
    assert "Reference" in text
    assert "secret host" not in text


def test_a_region_that_failed_takes_its_own_place_and_tries_again(as_operator: Client, broken: None) -> None:
    answer = as_operator.get("/workflows/?range=7d", headers=region("flows"))
    text = answer.content.decode()

    assert answer.status_code == 500
    assert 'id="flows" hx-get="/workflows/?range=7d"' in text
    assert "<html" not in text


def test_the_name_of_a_region_is_escaped(as_operator: Client, broken: None) -> None:
    text = as_operator.get("/workflows/", headers=region('"><script>x</script>')).content.decode()

    assert "<script>" not in text


def test_nothing_is_at_an_unknown_address(as_operator: Client) -> None:
    answer = as_operator.get("/no/such/page/")

    assert answer.status_code == 404
    assert b"Nothing is at this address" in answer.content


def test_an_unknown_address_tells_a_stranger_nothing(client: Client, db: None) -> None:
    answer = client.get("/no/such/page/")

    assert answer.status_code == 404
    assert b"Log out" not in answer.content


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/v1/nothing"])
def test_machines_get_problems_as_json(client: Client, db: None, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 404
    assert "json" in answer["Content-Type"]
    assert answer.json()["status"] == 404


def test_a_stale_form_is_told_from_a_missing_right(operator: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)

    answer = client.post("/settings/theme/")

    assert answer.status_code == 403
    assert b"Nothing was changed" in answer.content


def test_errors_carry_the_same_shields_as_pages(as_operator: Client, broken: None) -> None:
    for path in ("/", "/no/such/page/"):
        policy = as_operator.get(path)["Content-Security-Policy"]

        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_who_guesses_too_often_gets_a_page_that_says_how_long_to_wait(client: Client, db: None) -> None:
    for _ in range(40):
        answer = client.post("/accounts/login/", {"login": "nobody", "password": "wrong"})

    assert answer.status_code == 429
    assert b"Wait five minutes" in answer.content


def test_what_is_refused_to_a_region_is_said_in_its_place(as_reviewer: Client, admin: User) -> None:
    answer = as_reviewer.get("/settings/health/", headers=region("flow"))
    text = answer.content.decode()

    assert answer.status_code == 403
    assert '<section class="panel" id="flow">' in text
    assert "people with the role operator" in text
    assert "admin can grant it" in text
    assert "<html" not in text


def test_a_region_of_what_is_gone_says_so(as_operator: Client) -> None:
    answer = as_operator.get("/agents/nobody/", headers=region("state"))

    assert answer.status_code == 404
    assert b"no longer here" in answer.content
    assert b"<html" not in answer.content
