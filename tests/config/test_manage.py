"""Which commands need Baton's engines."""

from __future__ import annotations

from pathlib import Path

from manage import proves_a_file


def test_evidence_is_checked_without_a_database(tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    file.write_text("{}")

    assert proves_a_file(["manage.py", "verify_ledger", str(file)])
    assert proves_a_file(["manage.py", "verify_ledger", "--key", "abc=", str(file)])
    assert not proves_a_file(["manage.py", "verify_ledger"])
    assert not proves_a_file(["manage.py", "import_spans", str(file)])
