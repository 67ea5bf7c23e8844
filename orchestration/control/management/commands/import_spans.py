"""Takes spans from files, old ones too."""

from __future__ import annotations

import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orchestration.control import import_files
from orchestration.control.import_files import Problems
from orchestration.control.importing import Importer
from orchestration.telemetry import neutral
from orchestration.telemetry.admission import DAY_NS
from orchestration.telemetry.models import Signal

HELP = """Take spans from files into a workspace: history from elsewhere, of any age.

A file has one JSON object a line, and may be packed by gzip:

  {"trace_id": "4e6e6d2eea02ee94792c955d6c56069f", "span_id": "cf4a1915c5f35366", "parent_id": null,
   "name": "invoke_agent refund", "kind": "internal", "start_ns": 1735689600000000000, "end_ns": 1735689601000000000,
   "status": "ok", "attributes": {"service.name": "desk", "gen_ai.operation.name": "invoke_agent",
   "gen_ai.agent.name": "refund"}}

kind is internal, server, client, producer or consumer; status is ok, error or unset, with status_message for words.
Attributes mean what they mean in OpenTelemetry. What comes goes the way of all telemetry: the same reading, redaction
and figures. Old spans wake no agent. They are kept as if they had happened today: retention counts from receipt.

Stop it at any time, and run it again: it goes on where it was, and nothing is stored or counted twice. Bad lines are
counted, the first few are named, and their neighbours are taken.

example
  manage.py create_workspace history
  manage.py import_spans spans.jsonl.gz more.jsonl --workspace history"""

MOST_DAYS = 2_000  # each has a partition of its own


class Command(BaseCommand):
    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        import_files.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = import_files.workspace_called(options["workspace"])
        paths: list[Path] = options["files"]
        import_files.check_files(paths)
        begun, importer, problems = time.monotonic(), Importer(workspace, Signal.TRACES), Problems()
        with import_files.progress(paths, "Taking spans") as bar:
            _take(paths, bar, importer, problems)
        done = importer.done
        self.stdout.write(f"{done.new:,} new spans in {workspace.slug}, {done.items - done.new:,} were there.")
        self.stdout.write(import_files.finish(importer, problems, "spans", begun))
        if problems.count and not done.items:
            raise CommandError("Not one line is a span: see --help for what a line looks like.")


def _take(paths: list[Path], bar: Any, importer: Importer, problems: Problems) -> None:
    """Each line is read here to name what is wrong with it; the digest reads the good ones again."""
    when, known = neutral.since_2000(time.time_ns()), neutral.Resources()
    days: set[int] = set()
    for path in paths:
        for number, said in enumerate(import_files.lines(path, bar), 1):
            line = said.strip()
            if not line:
                continue
            try:
                day = neutral.read_line(line, when, known).start_ns // DAY_NS
                if day not in days and len(days) >= MOST_DAYS:
                    raise neutral.BadLine(
                        "start_ns", f"lies on one day more than the {MOST_DAYS:,} that one import makes"
                    )
            except neutral.BadLine as bad:
                problems.note(path, number, bad.field, str(bad))
                continue
            days.add(day)
            importer.add(line)
    importer.flush()
