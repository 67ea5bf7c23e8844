"""The description of the API is true, and can be read without anything from elsewhere."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from django.test import Client
from ninja import Schema

from orchestration.api import root
from tests.api.test_figures import Api, refund

pytestmark = pytest.mark.django_db


def described(client: Client) -> Any:
    return client.get("/api/v1/openapi.json").json()


def test_every_address_of_the_contract_is_described(client: Client) -> None:
    paths = described(client)["paths"]

    for what in ("agents", "runs", "workflows", "systems"):
        assert f"/api/v1/{what}" in paths
        assert any(re.fullmatch(rf"/api/v1/{what}/{{\w+}}", path) for path in paths)
    assert {"/api/v1/overview", "/api/v1/events"} <= set(paths)


def test_every_operation_says_how_to_authenticate_and_how_it_fails(client: Client) -> None:
    for methods in described(client)["paths"].values():
        for operation in methods.values():
            assert operation["security"]
            assert operation["summary"]
            assert {"200", "401", "403", "404", "422"} <= set(operation["responses"])
            for status, answer in operation["responses"].items():
                assert ("application/problem+json" in answer["content"]) is (status != "200")


def test_answers_hold_the_fields_that_are_described(api: Api, client: Client, workspace: Any) -> None:
    refund(workspace)
    schemas = described(client)["components"]["schemas"]

    assert set(api.get("overview").json()) == set(schemas["OverviewOut"]["properties"])
    assert set(api.get("agents/desk-refund").json()) == set(schemas["AgentAloneOut"]["properties"])
    assert set(api.get("runs").json()["items"][0]) == set(schemas["RunOut"]["properties"])


def test_the_description_is_made_once(client: Client) -> None:
    assert described(client) == described(client)
    assert root.api.get_openapi_schema() is root.api.get_openapi_schema()


def test_no_two_shapes_are_described_under_one_name() -> None:
    """Of two the description has one, and says of the other's answers what they are not."""
    shapes = [each for each in shapes_of(Schema) if each.__module__.startswith("orchestration.api")]

    assert len(shapes) > 50
    assert [name for name, n in Counter(each.__name__ for each in shapes).items() if n > 1] == []


def shapes_of(kind: type) -> set[type]:
    return {each for below in kind.__subclasses__() for each in (below, *shapes_of(below))}


def test_the_page_for_people_lists_all_and_loads_nothing_from_elsewhere(client: Client) -> None:
    response = client.get("/api/v1/docs")
    text = response.content.decode()

    assert response.status_code == 200
    assert "GET /api/v1/runs/{run_id}" in text
    assert re.findall(r'(?:src|href)="(?:https?:)?//', text) == []
    assert "style=" not in text
    assert "<script>" not in text


@pytest.fixture
def api(workspace: Any) -> Api:
    return Api(workspace, "read")
