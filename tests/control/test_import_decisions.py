"""Decisions from files, by the command that anybody uses."""

from __future__ import annotations

import gzip
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from orchestration.control import elsewhere
from orchestration.control.management.commands import import_decisions
from orchestration.policies.models import Decision
from orchestration.workspaces.models import Workspace

HEAD = "id,amount,loan to price,code,protected_age,when,decision,outcome"
ROWS = ["m1,128,0.8,007,44,2026-01-31T12:00:00,approved,", "m2,66.5,0.6,A12,31,2026-02-01T09:30:00+01:00,reject,bad"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "loans.csv"
    path.write_text("\n".join([HEAD, *ROWS]) + "\n")
    return path


def take(
    path: Path, *more: str, columns: str = "id=id,amount=amount,time=when,verdict=decision,outcome=outcome"
) -> str:
    out = StringIO()
    call_command(
        "import_decisions", str(path), "--agent", "desk", "--action", "loan", "--map", columns, *more, stdout=out
    )
    return out.getvalue()


def rows(space: Workspace) -> list[Decision]:
    return list(Decision.objects.filter(workspace=space).order_by("at"))


def test_a_row_becomes_a_decision_with_its_labels_beside_its_facts(workspace: Workspace, file: Path) -> None:
    said = take(file, "--zone", "Europe/Berlin")

    first, second = rows(workspace)
    assert first.facts["context"] == {"loan_to_price": 0.8, "code": "007"}
    assert (first.action_type, float(first.amount or 0), first.verdict, first.effect) == (
        "loan",
        128,
        "approve",
        "hold",
    )
    assert (first.at.hour, second.at.hour) == (11, 8)
    assert (second.outcome, second.imported) == ("bad", True)
    assert not {"approve", "bad", "protected", "44"} & set(str(first.facts).replace("'", " ").split())
    assert "Left out (protected): protected_age." in said
    assert "2 decisions: 2 new" in said


def test_labels_that_nobody_mapped_are_no_facts_either(workspace: Workspace, file: Path) -> None:
    said = take(file, columns="id=id,amount=amount,time=when")

    assert all(not {"decision", "outcome"} & set(row.facts["context"]) for row in rows(workspace))
    assert "Left out (labels): decision, outcome." in said
    assert {row.effect for row in rows(workspace)} == {"allow"}


def test_without_times_some_are_made_up_and_it_is_said(workspace: Workspace, file: Path) -> None:
    said = take(file, columns="amount=amount")

    first, second = rows(workspace)
    assert (second.at - first.at).total_seconds() == 60
    assert first.answer["time"] == "synthetic"
    assert "made up" in said


def test_taken_twice_or_begun_again_it_is_stored_once(
    workspace: Workspace, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_decisions, "BATCH", 1)
    real, calls = elsewhere.store, iter(range(10))

    def dies(*args: Any) -> elsewhere.Stored:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(elsewhere, "store", dies)
    with pytest.raises(KeyboardInterrupt):
        take(file)
    assert len(rows(workspace)) == 1
    monkeypatch.setattr(elsewhere, "store", real)

    assert "1 new" in take(file)
    assert "0 new" in take(file)
    assert len(rows(workspace)) == 2


def test_a_bad_row_is_named_and_its_neighbours_are_kept(workspace: Workspace, file: Path) -> None:
    bad = ["m3,much,,,,2026-02-01T09:30:00Z,,", "m4,1", "m5,1,,,,soon,,", "m6,1,,,,2026-02-01T09:30:00Z,perhaps,"]
    file.write_text("\n".join([HEAD, *bad, *ROWS]) + "\n")

    said = take(file)

    assert len(rows(workspace)) == 2
    assert "4 bad lines were left out" in said
    for words in ("line 2: facts.action.amount", "line 3: has 2 values", "line 4: time 'soon'", "line 5: verdict"):
        assert words in said


def test_words_may_be_told_what_they_mean(workspace: Workspace, file: Path) -> None:
    file.write_text("\n".join([HEAD, ROWS[0].replace("approved", "cancelled")]) + "\n")

    take(file, "--verdicts", "cancelled=")

    assert (rows(workspace)[0].verdict, rows(workspace)[0].effect) == ("", "allow")


def test_a_corrected_row_with_an_id_is_the_same_decision(workspace: Workspace, file: Path) -> None:
    take(file)
    file.write_text("\n".join([HEAD, "", *reversed(ROWS)]) + "\n")

    assert "0 new" in take(file)


def test_packed_files_are_read_too(workspace: Workspace, file: Path, tmp_path: Path) -> None:
    packed = tmp_path / "loans.csv.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))

    assert "2 new" in take(packed)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--map", "sum=amount"], "is none of id=COLUMN"),
        (["--map", "amount=sum"], "has no column sum. It has: id, amount"),
        (["--agent", ""], "--agent what the agent is"),
        (["--verdicts", "x=maybe"], "is none of approve"),
        (["--zone", "Mars/Base"], "no time zone"),
        (["--workspace", "nowhere"], "create_workspace nowhere"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_taken(
    workspace: Workspace, file: Path, more: list[str], words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        take(file, *more)

    assert not rows(workspace)
