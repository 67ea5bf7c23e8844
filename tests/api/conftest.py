from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import suppress

import pytest
from django.db import IntegrityError
from pytest_django import DjangoDbBlocker

from orchestration.telemetry.models import Delivery, Refusal
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Workspace
from tests.api.door import Door
from tests.emptying import empty


@pytest.fixture(scope="module", autouse=True)
def nothing_left(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Tenants, and what was digested or decided for them, are not deleted test by test: each test has one of its own.
    To tests elsewhere they are nothing."""
    yield
    with django_db_blocker.unblock():
        empty()


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """What it is elsewhere, rows that other connections see too; only that what is counted over all tenants is deleted
    afterwards, which is much quicker than emptying all tables."""
    with django_db_blocker.unblock():
        yield
        for _ in range(3):
            with suppress(IntegrityError):  # the doors book what a key has sent while it goes
                forget()
                break


@pytest.fixture
def tenant(transactional_db: None) -> Workspace:
    return Workspace.objects.create(slug=f"tenant-{secrets.token_hex(4)}", name="Tenant")


@pytest.fixture
def door(served: int, tenant: Workspace) -> Door:
    """The served application, with a key that may send."""
    return Door(served, create_key(tenant, "test", ["ingest"])[1])


def forget() -> None:
    Delivery.objects.all().delete()
    Refusal.objects.all().delete()
