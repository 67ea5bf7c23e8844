"""What the import commands do alike: open files, show progress, name what is wrong with which line, sum up."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import time
import zlib
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

import click
from django.core.management.base import CommandError

from orchestration.control.importing import Importer, settle_all, unsettled
from orchestration.workspaces.models import Workspace

NAMED = 5  # bad lines that are named
EACH_S = 0.2
DELIMITERS = ",;\t|"


@dataclass(slots=True)
class Problems:
    """Lines that were left out: how many, and the first few by name."""

    count: int = 0
    named: list[str] = field(default_factory=list)

    def note(self, path: Path, line: int, at: str, words: str) -> None:
        self.count += 1
        if len(self.named) < NAMED:
            self.named.append(f"{path.name} line {line:,}: {f'{at} ' if at else ''}{words}")

    def told(self) -> list[str]:
        if not self.count:
            return []
        more = ["  …"] if self.count > len(self.named) else []
        return [f"{self.count:,} bad lines were left out:", *(f"  {line}" for line in self.named), *more]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="plain, or gzip (.gz)")
    parser.add_argument("--workspace", default="default", metavar="SLUG", help="where to; the workspace default else")


def workspace_called(slug: str) -> Workspace:
    found = Workspace.objects.filter(slug=slug).first()
    if found is None:
        raise CommandError(f"There is no workspace {slug!r}. To make it: manage.py create_workspace {slug}")
    return found


def check_files(paths: list[Path]) -> None:
    """All of them, before anything of the first is taken."""
    for path in paths:
        try:
            with path.open("rb") as file:
                file.read(1)
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from None


@contextmanager
def progress(paths: list[Path], label: str) -> Iterator[Any]:
    """A bar over the bytes of all files. Where nobody watches it is one line."""
    total = sum(path.stat().st_size for path in paths)
    with click.progressbar(length=total, label=label, file=sys.stderr, width=30) as bar:
        yield bar


def lines(path: Path, bar: Any) -> Iterator[bytes]:
    """The lines of a file, whether packed or not; `bar` is told how many bytes of it were read."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if packed else raw
        told, next_s = 0, 0.0
        try:
            for line in file:
                if (now := time.monotonic()) >= next_s:
                    at = raw.tell()
                    bar.update(at - told)
                    told, next_s = at, now + EACH_S
                yield line
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise CommandError(f"{path} is cut off or damaged; what came before was taken.") from None
        bar.update(raw.tell() - told)


def rows(path: Path, bar: Any, wanted: set[str], problems: Problems) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with their line numbers. What has another number of values than the header is noted."""
    text = (line.decode("utf-8-sig" if first else "utf-8", "replace") for first, line in _marked(path, bar))
    head = next(text, "")
    delimiter = max(DELIMITERS, key=head.count)
    header = next(csv.reader(io.StringIO(head), delimiter=delimiter), [])
    if missing := sorted(wanted - set(header)):
        raise CommandError(f"{path.name} has no column {', '.join(missing)}. It has: {', '.join(header)[:500]}.")
    found = csv.reader((line.replace("\0", "\ufffd") for line in text), delimiter=delimiter)
    while True:
        try:
            values = next(found)
        except StopIteration:
            return
        except csv.Error as error:
            problems.note(path, found.line_num + 1, "", str(error))
            continue
        if len(values) == len(header):
            yield found.line_num + 1, dict(zip(header, values, strict=True))
        elif values:
            problems.note(path, found.line_num + 1, "", f"has {len(values)} values, the header {len(header)}")


def _marked(path: Path, bar: Any) -> Iterator[tuple[bool, bytes]]:
    first = True
    for line in lines(path, bar):
        yield first, line
        first = False


def finish(importer: Importer, problems: Problems, what: str, begun: float) -> str:
    """Settle what was taken, and say what was new, what was there, and what was left out."""
    took = time.monotonic() - begun
    left = unsettled(importer.workspace.pk, datetime.now(UTC))
    with click.progressbar(length=left, label="Telling runs", file=sys.stderr, width=30) as bar:
        settle_all(importer.workspace.pk, lambda n: bar.update(max(0, left - n - bar.pos)))
    done = importer.done
    said = [
        f"{done.items:,} {what} in {took:.1f} s ({done.items / max(took, 0.001):,.0f}/s), and "
        f"{time.monotonic() - begun - took:.1f} s to tell the runs."
    ]
    return "\n".join([*said, *problems.told()])
