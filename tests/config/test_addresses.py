"""Where database and broker are."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from orchestration.config import addresses
from orchestration.config.state import State


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    return State(tmp_path)


def test_without_a_variable_the_database_is_the_folders_own(here: State) -> None:
    database = addresses.database(here)

    assert database["HOST"] == str(here.sockets)
    assert database["NAME"] == "baton"


def test_options_of_the_address_reach_the_driver(here: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://ann:p%40ss@db.example:6432/baton?sslmode=require")

    database = addresses.database(here)

    assert (database["USER"], database["PASSWORD"], database["PORT"]) == ("ann", "p@ss", "6432")
    assert database["OPTIONS"]["sslmode"] == "require"
    assert database["OPTIONS"]["connect_timeout"] == 5


def test_a_socket_in_the_address_is_the_host(here: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql:///baton?host=/var/run/postgresql")

    assert addresses.database(here)["HOST"] == "/var/run/postgresql"


def test_the_address_may_come_from_a_file(here: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "url").write_text("postgresql://db.example/baton\n")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))

    assert addresses.database(here)["HOST"] == "db.example"


@pytest.mark.parametrize("url", ["mysql://h/b", "sqlite:///x", "postgresql://h/b?nonsense=1", "postgresql://h", "h/b"])
def test_an_address_that_is_no_postgresql_is_refused_by_name(
    here: State, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)

    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        addresses.database(here)


def test_a_refusal_does_not_repeat_the_password(here: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://ann:hush@h/b")

    with pytest.raises(ImproperlyConfigured) as refused:
        addresses.database(here)

    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "kombu"),
    [
        ("redis://h:6379/1", "redis://h:6379/1"),
        ("unix:///run/valkey?db=2", "redis+socket:///run/valkey?virtual_host=2"),
        ("unix://:pass@/run/valkey", "redis+socket://:pass@/run/valkey?virtual_host=0"),
    ],
)
def test_the_brokers_address_is_written_as_kombu_wants_it(url: str, kombu: str) -> None:
    assert addresses.broker_address(url) == kombu


def test_an_address_of_another_broker_is_refused_by_name(here: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "amqp://h")

    with pytest.raises(ImproperlyConfigured, match="REDIS_URL must begin with redis"):
        addresses.redis_address(here)
