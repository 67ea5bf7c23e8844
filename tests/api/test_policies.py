"""Policies as JSON, and the signed bundle of those that are live."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from orchestration.autonomy.models import Kind
from orchestration.ledger import seals
from orchestration.policies import lifecycle
from orchestration.policies.models import PolicyVersion
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.api.test_figures import Api, assert_problem
from tests.autonomy.ordered import aimed, done

pytestmark = pytest.mark.django_db
BODY: dict[str, Any] = {
    "condition": "action.amount <= limit",
    "then": {"kind": "allow"},
    "otherwise": {"kind": "hold"},
    "limits": {"limit": 500},
    "examples": [{"name": "Small", "facts": {"action.amount": 1}, "effect": "allow"}],
}


@pytest.fixture
def api(workspace: Workspace) -> Api:
    return Api(workspace, "read")


@pytest.fixture
def live(workspace: Workspace, admin: User) -> PolicyVersion:
    draft = lifecycle.create(workspace, "Refund limit", admin, BODY)
    return lifecycle.publish(draft.policy_id, 1, admin, "A first rule")


def bundle(api: Api) -> tuple[dict[str, Any], Any]:
    response = api.get("policies/bundle")
    return orjson.loads(response.json()["body"]), response


def test_policies_are_listed_with_what_they_ask(api: Api, live: PolicyVersion, admin: User) -> None:
    lifecycle.create(live.policy.workspace, "A draft", admin, BODY)

    items = api.get("policies").json()["items"]

    assert [(item["id"], item["live"], item["draft"]) for item in items] == [
        ("a-draft", None, 1),
        ("refund-limit", 1, None),
    ]
    assert [item["id"] for item in api.get("policies", state="live").json()["items"]] == ["refund-limit"]
    assert [item["id"] for item in api.get("policies", q="draft").json()["items"]] == ["a-draft"]


def test_a_policy_alone_tells_its_versions(api: Api, live: PolicyVersion) -> None:
    told = api.get("policies/refund-limit").json()

    assert told["body"]["condition"] == "action.amount <= limit"
    assert [(v["number"], v["state"], v["author"], v["reason"]) for v in told["versions"]] == [
        (1, "live", "admin", "A first rule")
    ]


def test_a_policy_of_another_workspace_is_none(live: PolicyVersion, stranger: User) -> None:
    elsewhere = Api(Workspace.objects.get(slug="elsewhere"), "read")

    assert_problem(elsewhere.get("policies/refund-limit"), 404)
    assert elsewhere.get("policies").json()["items"] == []
    assert bundle(elsewhere)[0]["policies"] == []


def test_the_bundle_is_signed_by_the_key_of_the_ledger(api: Api, live: PolicyVersion) -> None:
    body, response = bundle(api)
    told = response.json()

    assert [(each["policy"], each["version"]) for each in body["policies"]] == [("refund-limit", 1)]
    assert "examples" not in body["policies"][0]["body"]
    signature, public = base64.b64decode(told["signature"]), base64.b64decode(told["public_key"])
    assert seals.is_signed(told["body"].encode(), signature, public)
    assert not seals.is_signed(told["body"].replace("500", "900").encode(), signature, public)


def test_an_unchanged_bundle_is_not_sent_again(api: Api, live: PolicyVersion, admin: User) -> None:
    etag = bundle(api)[1]["ETag"]
    headers = {"authorization": f"Bearer {api.key}", "if-none-match": etag}
    again = api.client.get("/api/v1/policies/bundle", headers=headers)
    lifecycle.save_draft(live.policy_id, admin, BODY | {"limits": {"limit": 900}})

    still = api.client.get("/api/v1/policies/bundle", headers=headers)
    lifecycle.publish(live.policy_id, 2, admin, "More")
    changed = api.client.get("/api/v1/policies/bundle", headers=headers)

    assert (again.status_code, again.content, still.status_code) == (304, b"", 304)
    assert (changed.status_code, changed["ETag"] != etag) == (200, True)


def test_who_is_stopped_stands_in_the_bundle_until_he_is_let_go(api: Api, workspace: Workspace) -> None:
    agent = make.agent(workspace, "refund-bot")
    before, etag = bundle(api)[0], bundle(api)[1]["ETag"]

    done(workspace, Kind.QUARANTINE, aimed(agent))
    body, response = bundle(api)
    done(workspace, Kind.RELEASE, aimed(agent))

    (stop,) = body["stops"]
    assert (stop["kind"], stop["target"], stop["application"]) == ("quarantine", str(agent.pk), "desk")
    assert (stop["names"], stop["until"]) == ([agent.key], None)
    assert response["ETag"] != etag
    assert bundle(api)[0] == before


def test_a_key_without_the_scope_reads_no_policy(workspace: Workspace) -> None:
    assert_problem(Api(workspace, "ingest").get("policies/bundle"), 403)
