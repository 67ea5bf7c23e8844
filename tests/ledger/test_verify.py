"""What an insider with write access to the database does, and that it is noticed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from pytest_django import Settings

from orchestration.ledger import chain, checkpoints, entries, evidence, merkle, seals, tasks
from orchestration.ledger.verify import verify
from orchestration.workspaces.models import Workspace
from tests.ledger.attacks import AS_OWNER

TABLES = ("ledger_entry", "ledger_link", "ledger_block", "ledger_checkpoint")
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def outside(settings: Settings, tmp_path: Path) -> Path:
    settings.LEDGER_CHECKPOINTS = tmp_path
    return tmp_path


@pytest.fixture
def recorded(workspace: Workspace) -> list[UUID]:
    found = [record(workspace.pk, n) for n in range(5)]
    chain.link()
    checkpoints.sign()
    found += [record(workspace.pk, n) for n in range(5, 8)]
    chain.link()
    return found


@pytest.fixture
def insider(db: None) -> Iterator[Any]:
    """Somebody who owns the tables: no trigger stops him."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"alter table {table} disable trigger all")
        yield cursor


def record(workspace_id: int, n: int, at: datetime | None = None) -> UUID:
    told = {"effect": "allow", "n": n}
    return entries.record(workspace_id, "decision", ("decision", str(n)), "agent:bot", told, at or datetime.now(UTC))


def test_what_was_recorded_verifies(recorded: list[UUID]) -> None:
    report = verify()

    assert (report.good, report.links, report.heads, report.outside) == (True, 8, 2, 1)


@pytest.mark.parametrize("attack", AS_OWNER)
def test_an_insiders_change_is_noticed(recorded: list[UUID], insider: Any, attack: str) -> None:
    insider.execute("alter table ledger_link drop constraint if exists ledger_link_entry_id_key")
    AS_OWNER[attack](insider)

    assert not verify().good


def test_the_tables_refuse_what_only_an_owner_could_do(recorded: list[UUID]) -> None:
    for statement in (
        "update ledger_entry set actor = 'x'",
        "delete from ledger_link",
        "delete from ledger_checkpoint",
    ):
        with pytest.raises(DatabaseError, match="insert only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_an_entry_that_baton_did_not_write_gets_no_place(workspace: Workspace, insider: Any) -> None:
    record(workspace.pk, 1)
    insider.execute("update ledger_entry set seal = decode(repeat('00', 32), 'hex')")

    assert chain.link() == 0
    assert not verify().good


def test_an_entry_that_came_late_finds_its_place(workspace: Workspace) -> None:
    record(workspace.pk, 1)
    chain.link()
    record(workspace.pk, 2, datetime.now(UTC) - timedelta(minutes=20))

    assert chain.link() == 1
    assert verify().good


def test_an_entry_that_was_committed_minutes_after_its_making_is_found_before_long(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(workspace.pk, 1)
    chain.link()
    monkeypatch.setattr(entries, "uuid7", lambda: chain.first_id(datetime.now(UTC) - timedelta(minutes=5)))
    record(workspace.pk, 2)

    assert sum(chain.link() for _ in range(64)) == 1
    assert verify().good


def test_each_entry_is_proved_by_a_signed_head(recorded: list[UUID], workspace: Workspace) -> None:
    for entry_id in recorded:
        made = evidence.proof(workspace.pk, entry_id)
        assert made is not None
        head = checkpoints.Head.of(made["checkpoint"])
        path = [bytes.fromhex(step) for step in made["path"]]
        assert head.is_signed
        assert merkle.includes(merkle.leaf(made["entry"].encode()), made["index"], head.size, path, head.root)


def test_another_workspace_gets_no_proof(recorded: list[UUID]) -> None:
    other = Workspace.objects.create(slug="other", name="Other")

    assert evidence.proof(other.pk, recorded[0]) is None


def test_evidence_is_checked_without_a_database(recorded: list[UUID], workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "evidence.txt"
    bundle = evidence.bundle(workspace.pk, recorded[:3])
    file.write_bytes(orjson.dumps(bundle))
    out = StringIO()

    call_command("verify_ledger", str(file), stdout=out)
    assert "3 entries" in out.getvalue()

    bundle["entries"][1]["entry"] = bundle["entries"][1]["entry"].replace("allow", "deny")
    file.write_bytes(orjson.dumps(bundle))
    with pytest.raises(CommandError, match="entry 2"):
        call_command("verify_ledger", str(file))


def test_a_head_continues_the_one_before(recorded: list[UUID]) -> None:
    checkpoints.sign()

    made = evidence.consistency(5, 8)

    assert made is not None
    first, second = checkpoints.Head.of(made["first"]), checkpoints.Head.of(made["second"])
    assert merkle.extends(5, 8, (first.root, second.root), [bytes.fromhex(step) for step in made["path"]])


def test_blocks_spare_a_proof_its_leaves(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "BLOCK", 4)
    found = [record(workspace.pk, n) for n in range(23)]
    chain.link()

    with connection.cursor() as cursor:
        cursor.execute("select count(*) from ledger_block")
        assert cursor.fetchone()[0] == 5
    assert chain.hashed(0, 23) == merkle.root(chain._leaves(0, 23))
    assert chain.hashed(8, 16) == merkle.root(chain._leaves(8, 16))
    assert evidence.proof(workspace.pk, found[9]) is not None
    assert seals.key_id()


def cut_off(cursor: Any, after: int) -> None:
    cursor.execute("delete from ledger_link where seq > %s", [after])
    cursor.execute("delete from ledger_entry where id not in (select entry_id from ledger_link)")
    cursor.execute("delete from ledger_checkpoint where size > %s", [after])


def test_what_was_cut_off_is_never_signed_again(
    recorded: list[UUID], workspace: Workspace, insider: Any, outside: Path, caplog: Any
) -> None:
    checkpoints.sign()
    cut_off(insider, 6)
    record(workspace.pk, 99)
    heads = sorted(outside.iterdir())

    tasks.link()
    with pytest.raises(checkpoints.Discontinued, match="covers 8 entries, and only 7 are left"):
        checkpoints.sign()

    assert sorted(outside.iterdir()) == heads
    assert checkpoints.stopped().startswith("The newest head outside the database covers 8 entries")
    insider.execute("select count(*) from ledger_link")
    assert insider.fetchone()[0] == 7  # what happens meanwhile is linked all the same


def test_what_has_grown_again_over_other_entries_is_not_signed(
    recorded: list[UUID], workspace: Workspace, insider: Any
) -> None:
    checkpoints.sign()
    cut_off(insider, 6)
    for n in range(90, 99):
        record(workspace.pk, n)
    chain.link()

    with pytest.raises(checkpoints.Discontinued, match="signed over other ones"):
        checkpoints.sign()


def test_a_head_that_cannot_be_read_stops_signing_until_it_is_put_aside(recorded: list[UUID], outside: Path) -> None:
    spoilt = outside / "999999999999.json"
    spoilt.write_text("{}")
    assert "cannot be read" in checkpoints.stopped()
    with pytest.raises(checkpoints.Discontinued):
        checkpoints.sign()

    spoilt.unlink()

    assert checkpoints.sign().size == 8
    assert checkpoints.stopped() == ""


def test_a_ledger_that_is_not_signed_is_said_once_a_minute(
    recorded: list[UUID], insider: Any, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints.sign()
    cut_off(insider, 6)
    said: list[str] = []
    monkeypatch.setattr(tasks.log, "error", lambda event, **told: said.append(told["why"]), raising=False)
    monkeypatch.setitem(tasks._told, "at", -1e9)
    monkeypatch.setattr(checkpoints, "EVERY", timedelta(0))

    for _ in range(3):
        tasks.link()

    assert len(said) == 1
    assert "only 6 are left" in said[0]
