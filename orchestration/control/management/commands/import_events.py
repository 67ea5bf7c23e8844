"""Takes event logs from files, as runs."""

from __future__ import annotations

import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
from django.core.management.base import BaseCommand, CommandError

from orchestration.control import import_files
from orchestration.control.import_files import Problems
from orchestration.control.importing import Importer
from orchestration.telemetry.eventlog import FIELDS, BadRow, Log, Reading
from orchestration.telemetry.models import Signal

HELP = """Take event logs (CSV with a header, perhaps packed by gzip) into a workspace: each case becomes a run.

--map says which columns hold what; several make one field by `+`. All other columns become attributes of the step.

  case       what a run is about: an application, a ticket
  activity   what was done
  time       when: 2026-01-31T12:00:00+01:00; without a zone it is taken as --zone
  lifecycle  start and complete rows make one step that takes time; schedule rows tell since when it waited
  resource   who did it: a person, unless --automatic says otherwise. People never become agents: their steps are
             human steps, with the name kept in the step

Without lifecycle each row is a moment. With --states each row holds until the next one of its case, as in the log of
a ticket system; --waiting names the states in which nobody works.

Stop it at any time, and run it again: nothing is stored or counted twice. Bad rows are counted, the first few named.

examples
  manage.py import_events loans.csv.gz --workspace bank --workflow loan --automatic 112=loan-engine \\
    --map case=case_id,activity=activity,time=timestamp,lifecycle=lifecycle,resource=resource

  manage.py import_events tickets.csv --workspace it --workflow incident --states --waiting 'Queued*' '*Wait*' \\
    --map case=case_id,activity=activity+lifecycle,time=timestamp,resource=person"""


class Command(BaseCommand):
    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        import_files.add_arguments(parser)
        parser.add_argument("--workflow", required=True, metavar="NAME", help="what the process is called")
        parser.add_argument("--map", required=True, metavar="FIELD=COLUMN,…", help="which columns hold what, see above")
        parser.add_argument(
            "--automatic",
            nargs="+",
            default=[],
            metavar="RESOURCE[=NAME]",
            help="resources that are no people (* fits all)",
        )
        parser.add_argument("--states", action="store_true", help="each row holds until the next one of its case")
        parser.add_argument("--waiting", nargs="+", default=[], metavar="ACTIVITY", help="states in which nobody works")
        parser.add_argument("--zone", default="UTC", help="of times that name none, such as Europe/Brussels")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = import_files.workspace_called(options["workspace"])
        paths: list[Path] = options["files"]
        import_files.check_files(paths)
        log = Log(_reading(options))
        begun, importer, problems = time.monotonic(), Importer(workspace, Signal.EVENTS), Problems()
        with import_files.progress(paths, "Taking events") as bar:
            rows = sum(_take(path, bar, log, importer, problems) for path in paths)
            for event in log.ends():
                importer.add(orjson.dumps(event))
            importer.flush()
        self.stdout.write(
            f"{rows:,} rows of {len(log.cases):,} cases: {importer.done.new:,} new runs and steps in {workspace.slug}."
        )
        self.stdout.write(import_files.finish(importer, problems, "events", begun))
        if problems.count and not rows:
            raise CommandError("Not one row could be taken: see --help for what --map means.")


def _reading(options: dict[str, Any]) -> Reading:
    columns = {}
    for part in options["map"].split(","):
        field, equals, named = part.partition("=")
        if not equals or not named or field.strip() not in FIELDS:
            raise CommandError(f"--map: {part!r} is none of {', '.join(f'{name}=COLUMN' for name in FIELDS)}.")
        columns[field.strip()] = tuple(column.strip() for column in named.split("+"))
    if missing := [field for field in FIELDS[:3] if field not in columns]:
        raise CommandError(f"--map does not say which column is the {' nor the '.join(missing)}.")
    if options["states"] and "lifecycle" in columns:
        raise CommandError("--states and a lifecycle exclude each other: a state holds until the next one.")
    try:
        zone = ZoneInfo(options["zone"])
    except (ZoneInfoNotFoundError, ValueError):
        raise CommandError(f"--zone: there is no time zone {options['zone']!r}.") from None
    automatic = tuple((pattern, name) for pattern, _, name in (each.partition("=") for each in options["automatic"]))
    return Reading(options["workflow"].strip(), columns, automatic, tuple(options["waiting"]), options["states"], zone)


def _take(path: Path, bar: Any, log: Log, importer: Importer, problems: Problems) -> int:
    """Rows taken of one file."""
    taken = 0
    wanted = {column for columns in log.reading.columns.values() for column in columns}
    for number, row in import_files.rows(path, bar, wanted, problems):
        try:
            for event in log.events(row):
                importer.add(orjson.dumps(event))
        except BadRow as bad:
            problems.note(path, number, bad.field, str(bad))
        else:
            taken += 1
    return taken
