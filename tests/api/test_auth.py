from __future__ import annotations

from dataclasses import replace

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test import Client, RequestFactory

from orchestration.api.auth import KeyAuth
from orchestration.api.refusals import Refused
from orchestration.workspaces import keys
from orchestration.workspaces.models import ApiKey, Workspace
from tests.api.door import Door, good
from tests.waiting import allowed, came_true


def test_a_request_without_a_key_is_told_how_to_send_one(door: Door) -> None:
    reply = replace(door, key="").traces(good())

    assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer ", "bat_x", "Bearer bat_unknown", "Bearer \xe9"])
def test_what_is_no_key_of_ours_is_refused(door: Door, header: str) -> None:
    assert replace(door, key="").traces(good(), Authorization=header).status == 401


def test_a_header_that_an_exporter_left_encoded_is_understood(door: Door) -> None:
    header = f"Bearer%20{door.key}"

    assert replace(door, key="").traces(good(), Authorization=header).status == 200


def test_a_key_without_the_scope_may_not_send(door: Door, tenant: Workspace) -> None:
    reader = keys.create_key(tenant, "reader", ["read", "decide"])[1]

    assert replace(door, key=reader).traces(good()).status == 403


def test_a_key_in_the_address_is_refused_even_beside_a_good_one(door: Door) -> None:
    reply = door.send(f"/v1/traces?api_key={door.key}", good().SerializeToString())

    assert reply.status == 401
    assert b"addresses are written to logs" in reply.body


def test_a_revoked_key_is_refused_within_five_seconds(door: Door, tenant: Workspace) -> None:
    assert door.traces(good()).status == 200

    keys.revoke(ApiKey.objects.get(workspace=tenant))

    assert came_true(lambda: door.traces(good()).status == 401, allowed(5), pause=0.1)


def test_use_of_a_key_is_noted(door: Door, tenant: Workspace) -> None:
    door.traces(good())

    assert came_true(lambda: ApiKey.objects.get(workspace=tenant).last_used_at is not None)


def test_a_delivery_belongs_to_the_workspace_and_key_that_sent_it(door: Door) -> None:
    other = Workspace.objects.create(slug="other", name="Other")
    key, plain = keys.create_key(other, "theirs", ["ingest"])

    door.traces(good())
    replace(door, key=plain).traces(good())

    with connection.cursor() as cursor:
        cursor.execute("select workspace_id, key from telemetry_delivery order by id")
        assert cursor.fetchall()[1] == (other.pk, key.pk)


@pytest.mark.django_db
def test_a_router_lets_a_key_of_its_scope_in(workspace: Workspace, rf: RequestFactory) -> None:
    plain = keys.create_key(workspace, "reader", ["read"])[1]

    caller = KeyAuth("read")(rf.get("/", headers={"Authorization": f"Bearer {plain}"}))

    assert (caller.workspace_id, caller.membership) == (workspace.pk, None)
    with pytest.raises(Refused) as refused:
        KeyAuth("decide")(rf.get("/", headers={"Authorization": f"Bearer {plain}"}))
    assert refused.value.status == 403


def test_people_read_by_their_session_and_change_nothing_by_it(as_operator: Client, rf: RequestFactory) -> None:
    request = as_operator.get("/healthz").wsgi_request

    assert KeyAuth("read")(request).membership is not None
    request.method = "POST"
    with pytest.raises(Refused):
        KeyAuth("read")(request)
    with pytest.raises(Refused):
        KeyAuth("ingest")(as_operator.get("/healthz").wsgi_request)


@pytest.mark.django_db
def test_nobody_reads_without_key_or_session(rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = AnonymousUser()

    with pytest.raises(Refused) as refused:
        KeyAuth("read")(request)
    assert refused.value.status == 401
