"""The ledger of a Baton as people start it: refused to its own role, and found out when somebody has all rights."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.test import Client

from orchestration.config import checks, grants
from orchestration.config.postgres import Postgres
from orchestration.config.state import State
from tests import prepared
from tests.ledger.attacks import AS_BATON, AS_OWNER

from .running import Running

pytestmark = pytest.mark.timeout(240)
TABLES = ("ledger_entry", "ledger_link", "ledger_block", "ledger_checkpoint")
RECORD = """
from datetime import UTC, datetime
from django.db import connection
from orchestration.ledger import chain, checkpoints, entries
from orchestration.workspaces.models import Workspace
space = Workspace.objects.get(slug="default").pk
def record(n):
    entries.record(space, "decision", ("decision", str(n)), "agent:bot", {"effect": "allow"}, datetime.now(UTC))
def linked(n):  # the clock may be at it too
    with connection.cursor() as cursor:
        while chain.last(cursor)[0] < n:
            chain.link()
[record(n) for n in range(5)]
linked(5)
checkpoints.sign()
[record(n) for n in range(5, 8)]
linked(8)
"""


COMMANDS = """
import json, sys, traceback
from io import StringIO
from django.core.management import CommandError, call_command
for line in sys.stdin:
    out, err, code = StringIO(), StringIO(), 0
    try:
        call_command(*json.loads(line), stdout=out, stderr=err)
    except CommandError as error:
        code = error.returncode
        err.write(str(error))
    except Exception:
        code = 2
        err.write(traceback.format_exc())
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""

VERIFY_AND_DELETE = f"""
from django.core.management import call_command
from django.db import connection
call_command("verify_ledger")
with connection.cursor() as cursor:
    cursor.execute("select count(*) from ledger_entry")
    print(cursor.fetchone()[0])
    cursor.execute({AS_BATON["delete"]!r})
"""


@pytest.fixture(scope="module")
def baton() -> Iterator[Running]:
    folder = Path(tempfile.mkdtemp(prefix="baton-grants-"))
    folder.chmod(0o711)
    running = Running(folder / "state")
    running.state.mkdir(mode=0o711)
    prepared.lay(State(running.state))
    running.start()
    try:
        yield running
    finally:
        running.end()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def command(baton: Running) -> Iterator[Callable[..., list[Any]]]:
    """A command's code, output and complaints; again and again in one process, since it takes longer to start one than
    to verify. The same has recorded what is verified."""
    with baton.open("shell", "-v", "0", "-c", RECORD + COMMANDS) as process:
        asking, answers = process.stdin, process.stdout
        assert asking
        assert answers

        def asked(*arguments: str) -> list[Any]:
            print(json.dumps(arguments), file=asking, flush=True)
            found: list[Any] = json.loads(answers.readline())
            return found

        assert asked("check", "--tag", "models")[0] == 0, "nothing could be recorded"
        yield asked
        asking.close()


def connected(baton: Running, user: str) -> psycopg.Connection[tuple[object, ...]]:
    dsn = Postgres(State(baton.state)).dsn(user=user)
    return psycopg.connect(**dsn, options=grants.OPTIONS, autocommit=True)  # type: ignore[arg-type]


@pytest.fixture
def insider(baton: Running) -> Iterator[psycopg.Cursor[tuple[object, ...]]]:
    """Somebody with all rights; what he did is undone afterwards."""
    outside = baton.state / "checkpoints"
    files = set(outside.iterdir())
    with connected(baton, "postgres") as connection:
        connection.execute("set session_replication_role = replica")  # no trigger stops him
        for table in TABLES:
            connection.execute(f"create table kept_{table} as table {table}")
        yield connection.cursor()
        with connection.transaction():
            for table in TABLES:
                connection.execute(f"delete from {table}")
                connection.execute(f"insert into {table} select * from kept_{table}")
                connection.execute(f"drop table kept_{table}")
    for file in set(outside.iterdir()) - files:  # heads that the clock signed meanwhile
        file.unlink()


def test_all_processes_are_of_a_role_without_power(baton: Running) -> None:
    with connected(baton, "postgres") as connection:
        found = connection.execute(
            "select distinct r.rolname, r.rolsuper from pg_stat_activity a join pg_roles r on r.rolname = a.usename "
            "where a.datname = 'baton' and a.application_name = 'baton'"
        ).fetchall()

    assert found == [("baton", False)]


@pytest.mark.parametrize("attack", AS_BATON)
def test_batons_own_role_is_refused(baton: Running, attack: str) -> None:
    with connected(baton, "baton") as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute(AS_BATON[attack])

    assert refused.value.sqlstate in ("42501", "42P17", "55006"), refused.value  # no right to; in use


def test_it_cannot_grant_itself_more(baton: Running) -> None:
    with connected(baton, "baton") as connection:
        connection.execute("grant all on ledger_entry to baton")  # a warning: there was nothing to give
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(AS_BATON["delete"])


def test_a_temporary_table_does_not_stand_before_the_ledger(baton: Running) -> None:
    with connected(baton, "baton") as connection:
        connection.execute("create temporary table ledger_entry (id uuid)")

        row = connection.execute("select count(*) from ledger_entry").fetchone()

    assert row is not None
    assert row[0] == 8


def test_days_of_spans_are_made_and_dropped_by_that_role(baton: Running) -> None:
    with connected(baton, "baton") as connection:
        connection.execute(
            "create table telemetry_span_19990101 partition of telemetry_span "
            "for values from ('1999-01-01') to ('1999-01-02')"
        )
        connection.execute("alter table telemetry_span detach partition telemetry_span_19990101 concurrently")
        connection.execute("drop table telemetry_span_19990101")


def test_what_was_recorded_verifies(command: Callable[..., list[Any]]) -> None:
    code, said, complaint = command("verify_ledger")

    assert code == 0, complaint
    assert "8 entries" in said


@pytest.mark.parametrize("attack", AS_OWNER)
def test_what_somebody_with_all_rights_changed_is_found_and_named(
    insider: psycopg.Cursor[tuple[object, ...]], command: Callable[..., list[Any]], attack: str
) -> None:
    insider.execute("alter table ledger_link drop constraint if exists ledger_link_entry_id_key")
    AS_OWNER[attack](insider)

    code, said, complaint = command("verify_ledger")

    assert code == 1, said + complaint
    assert "The ledger is not what was recorded: " in complaint
    if attack == "edit":
        assert "(link 4) does not say what it said" in complaint


def test_a_changed_ledger_ends_the_command_with_a_sentence(
    baton: Running, insider: psycopg.Cursor[tuple[object, ...]]
) -> None:
    AS_OWNER["edit"](insider)

    checked = baton.command("verify_ledger")

    assert checked.returncode == 1, checked.stdout
    assert "The ledger is not what was recorded: " in checked.stderr
    assert "Traceback" not in checked.stderr


def test_what_an_earlier_version_left_is_set_right(baton: Running) -> None:
    dsn = Postgres(State(baton.state)).dsn(user="postgres")
    with connected(baton, "postgres") as connection:
        connection.execute("alter database baton owner to baton")
        connection.execute("grant baton_ledger to baton")
        connection.execute("grant delete on ledger_link to baton")
        connection.execute("alter table ledger_entry owner to baton")
        connection.execute("alter function ledger_forbid() owner to baton")

    grants.arrange(dsn)
    grants.arrange(dsn)

    for attack in ("delete", "drop", "another function", "be its owner", "drop the schema"):
        test_batons_own_role_is_refused(baton, attack)


def test_migrations_may_alter_it_and_nobody_after_them(baton: Running) -> None:
    dsn = Postgres(State(baton.state)).dsn(user="postgres")
    with grants.lent([dsn]), connected(baton, "baton") as connection:
        connection.execute("alter table ledger_block add column more int")
        connection.execute("alter table ledger_block drop column more")
        connection.execute("create table ledger_new (id int)")

    with connected(baton, "baton") as connection:
        connection.execute("insert into ledger_new values (1)")
        for statement in ("delete from ledger_new", "drop table ledger_new", AS_BATON["drop"]):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
    with connected(baton, "postgres") as connection:
        connection.execute("drop table ledger_new")


def test_a_dump_is_taken_and_put_back_with_all_of_it_in_place(baton: Running) -> None:
    with open(baton.state.parent / "baton.dump", "w+b") as dump:
        os.chmod(dump.name, 0o644)
        taken = baton.command("postgres", "pg_dump", "-Fc", f"--file={dump.name}")
        assert (taken.returncode, taken.stderr) == (0, "")
        again = Running(baton.state.parent / "again")
        put_back = again.command("postgres", "pg_restore", "--no-owner", dump.name)
        assert (put_back.returncode, put_back.stderr) == (0, "")
    for secret in ("ledger_key", "secret_key"):
        shutil.copy(baton.state / secret, again.state / secret)
    shutil.copytree(baton.state / "checkpoints", again.state / "checkpoints")

    checked = again.command("shell", "-v", "0", "-c", VERIFY_AND_DELETE)

    *_, verified, counted = checked.stdout.splitlines()
    assert "8 entries" in verified, checked.stderr
    assert counted == "8"
    assert "permission denied for table ledger_entry" in checked.stderr


@pytest.mark.django_db
def test_one_role_for_everything_is_warned_of(as_operator: Client) -> None:
    """The suite's own database is made by the role that uses it, as on a server of one's own."""
    assert [each.id for each in checks.ledger(None, databases=["default"])] == ["baton.W002"]
    assert checks.ledger(None) == []
    assert b"Only triggers keep the ledger" in as_operator.get("/settings/health/").content


def test_in_the_embedded_engine_nothing_is_warned_of(command: Callable[..., list[Any]]) -> None:
    code, said, complaint = command("check", "--database", "default")

    assert code == 0, complaint
    assert "W002" not in said + complaint
