"""Takes recorded decisions from files, for replay."""

from __future__ import annotations

import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from orchestration.control import elsewhere, import_files
from orchestration.control.import_files import Problems
from orchestration.policies import decision_rows
from orchestration.policies.decision_rows import FIELDS, Reading
from orchestration.policies.elsewhere import VERDICTS, BadTold, Told
from orchestration.workspaces.models import Workspace

HELP = """Take recorded decisions (CSV with a header, perhaps packed by gzip) into a workspace: each row becomes one,
marked imported, for policies to be replayed over. Nothing that runs is asked, held or told anything.

--map says which columns hold what:

  action     what was about to be done; or --action for all rows
  agent      who asked; or --agent for all rows
  amount     and currency (the workspace's, when there is none), system, run
  time       when: 2026-01-31T12:00:00+01:00; without a zone it is taken as --zone. A file without times gets some, a
             minute apart from 2025-01-01: figures a day say nothing then
  id         what tells a row from others, so that a corrected file changes nothing but what was corrected
  verdict    what a person said: approve, reject, amend, more, and words like approved or declined; others by --verdicts
  reviewer   who said it, and minutes how long it took
  outcome    what came later: bad, fraud, chargeback, default and the like count as gone wrong
  effect     what was answered (allow, hold, deny …); else hold where there is a verdict, and allow where there is none

All other columns go into the context, where rules read them (context.loan_to_price), numbers as numbers. What people
said and what came later are never facts, nor are columns called outcome, decision, label and the like, nor protected_…

Stop it at any time, and run it again: nothing is stored twice. Bad rows are counted, the first few named.

examples
  manage.py import_decisions credits.csv.gz --workspace bank --agent credit-engine --action credit.grant \\
    --map id=id,amount=amount,outcome=outcome

  manage.py import_decisions decisions.csv.gz --workspace bank --agent loan-desk --action mortgage.grant \\
    --map id=id,amount=amount_thousand_usd,verdict=decision

  manage.py import_decisions cases.csv.gz --workspace bank --agent loan-engine --action loan.approve \\
    --map id=case_id,run=case_id,amount=amount_requested,time=registered,verdict=outcome \\
    --verdicts cancelled= open= --leave first_event last_event events"""

BATCH = 1_000


class Command(BaseCommand):
    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        import_files.add_arguments(parser)
        parser.add_argument("--map", required=True, metavar="FIELD=COLUMN,…", help="which columns hold what, see above")
        parser.add_argument("--agent", default="", metavar="NAME", help="who asked, where no column says it")
        parser.add_argument("--action", default="", metavar="TYPE", help="what was asked, where no column says it")
        parser.add_argument("--currency", default="", help="of all amounts, where no column says it")
        parser.add_argument(
            "--verdicts", nargs="+", default=[], metavar="WORD=VERDICT", help="what words mean; cancelled= is nobody's"
        )
        parser.add_argument("--leave", nargs="+", default=[], metavar="COLUMN", help="columns that become no facts")
        parser.add_argument("--zone", default="UTC", help="of times that name none, such as Europe/Brussels")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = import_files.workspace_called(options["workspace"])
        paths: list[Path] = options["files"]
        import_files.check_files(paths)
        taking = _Taking(workspace, _reading(options))
        begun = time.monotonic()
        with import_files.progress(paths, "Taking decisions") as bar:
            for path in paths:
                taking.take(path, bar)
        self.stdout.write(taking.said(time.monotonic() - begun))
        if taking.problems.count and not taking.rows:
            raise CommandError("Not one row could be taken: see --help for what --map means.")


class _Taking:
    """Rows on their way, a batch at a time: stored whole or not at all."""

    def __init__(self, workspace: Workspace, reading: Reading) -> None:
        self.workspace, self.reading = workspace, reading
        self.problems = Problems()
        self.rows = self.new = self.changed = 0
        self._header: list[str] = []
        self._held: list[Told] = []

    def take(self, path: Path, bar: Any) -> None:
        wanted = set(self.reading.columns.values())
        for number, row in import_files.rows(path, bar, wanted, self.problems):
            self._header = self._header or list(row)
            try:
                self._held.append(decision_rows.read(self.reading, row, number))
            except BadTold as bad:
                self.problems.note(path, number, bad.at, str(bad))
                continue
            self.rows += 1
            if len(self._held) >= BATCH:
                self._flush()
        self._flush()

    def _flush(self) -> None:
        with transaction.atomic():
            stored = elsewhere.store(self.workspace, self._held, "command:import_decisions")
        self.new += stored.new
        self.changed += stored.changed
        self._held = []

    def said(self, took: float) -> str:
        changed = f", {self.changed:,} filled in" if self.changed else ""
        lines = [
            f"{self.rows:,} decisions: {self.new:,} new in {self.workspace.slug}{changed}, {took:.1f} s "
            f"({self.rows / max(took, 0.001):,.0f}/s)."
        ]
        if self.reading.timeless and self.rows:
            lines.append("The file has no times: they are made up, a minute apart. Figures a day say nothing.")
        for why, columns in self.reading.left_out(self._header).items():
            if columns:
                lines.append(f"Left out ({why}): {', '.join(columns)}.")
        return "\n".join([*lines, *self.problems.told()])


def _reading(options: dict[str, Any]) -> Reading:
    columns = {}
    for part in options["map"].split(","):
        name, equals, column = (each.strip() for each in part.partition("="))
        if not equals or not column or name not in FIELDS:
            raise CommandError(f"--map: {part!r} is none of {', '.join(f'{name}=COLUMN' for name in FIELDS)}.")
        columns[name] = column
    always = {name: options[name].strip() for name in ("agent", "action", "currency") if options[name].strip()}
    if missing := [name for name in ("agent", "action") if name not in {*columns, *always}]:
        raise CommandError(f"Say by --map or by --{missing[0]} what the {missing[0]} is.")
    words = dict(each.partition("=")[::2] for each in options["verdicts"])
    if bad := sorted(set(words.values()) - {"", *VERDICTS}):
        raise CommandError(f"--verdicts: {bad[0]!r} is none of {', '.join(VERDICTS)}; nothing after = is nobody's.")
    try:
        zone = ZoneInfo(options["zone"])
    except (ZoneInfoNotFoundError, ValueError):
        raise CommandError(f"--zone: there is no time zone {options['zone']!r}.") from None
    return Reading(columns, always, words, frozenset(options["leave"]), zone)
