"""`manage.py verify_ledger [FILE]`."""

from __future__ import annotations

import base64
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

import click
import orjson
from django.core.management.base import BaseCommand, CommandError

from orchestration.ledger import chain, evidence, seals, verify
from orchestration.lib.templatetags.baton import plural


class Command(BaseCommand):
    help = "Check the ledger: every entry, the chain, the signed heads. With FILE: a file of exported evidence."
    requires_system_checks: tuple[()] = ()  # those of a start; they import every page, for half of the time it takes

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, help="Exported evidence; needs no database")
        parser.add_argument("--key", help="Public key (base64) that the file must be signed by")
        parser.epilog = (
            "Exit 0: nothing was changed, deleted, inserted or made anew. Exit 1: the first fault is named.\n\n"
            "  manage.py verify_ledger                  the whole ledger of this installation\n"
            "  manage.py verify_ledger evidence.json    a file that somebody handed you\n"
        )

    def handle(self, *args: Any, file: Path | None, key: str | None, **options: Any) -> None:
        if file:
            self._file(file, key)
        else:
            self._ledger()

    def _file(self, file: Path, key: str | None) -> None:
        try:
            given = orjson.loads(file.read_bytes())
            public = base64.b64decode(key, validate=True) if key else None
        except (OSError, ValueError) as error:
            raise CommandError(f"{file} cannot be read: {error}") from None
        faults = evidence.check(given, public)
        if faults:
            raise CommandError("Not proved: " + "; ".join(faults[:10]), returncode=1)
        told = given["checkpoint"]["public_key"]
        self.stdout.write(f"Proved: {plural(len(given['entries']), 'entry,entries')}, signed by {told}.")
        if public is None:
            self.stdout.write("Compare that key with the one the ledger page shows, or give it by --key.")

    def _ledger(self) -> None:
        chain.link()
        with click.progressbar(length=1, label="Checking the ledger", file=sys.stderr, width=30) as bar:

            def show(done: int, total: int) -> None:
                bar.length = max(1, total)
                bar.update(done - bar.pos)

            report = verify.verify(show)
        if not report.good:
            for fault in report.faults[:10]:
                self.stderr.write(fault)
            raise CommandError(f"The ledger is not what was recorded: {report.faults[0]}", returncode=1)
        self.stdout.write(
            f"{report.links:,} entries and {report.heads:,} signed heads ({report.outside:,} outside the database) "
            f"are as they were recorded. Key: {base64.b64encode(seals.public_key()).decode()}"
        )
