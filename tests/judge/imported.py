"""Data sets of the folder: read as files for their truth, and imported for what Baton makes of them."""

from __future__ import annotations

import csv
import gzip
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.bench.stand import SCOPES, Stand, Tenant

PAGE = 500
Thing = dict[str, Any]


@dataclass
class Imported:
    """A set in a workspace of its own, as the API tells it."""

    tenant: Tenant
    said: str  # by the command

    def runs(self) -> list[Thing]:
        return list(self._all("/api/v1/runs"))

    def run(self, run: str) -> Thing:
        """A run alone, by id, trace id or the caller's own text; {} when there is none."""
        try:
            found: Thing = self.tenant.get(f"/api/v1/runs/{quote(run, safe='')}?limit=5000")
        except Exception:
            return {}
        return found

    def systems(self) -> list[Thing]:
        return list(self._all("/api/v1/systems"))

    def _all(self, path: str) -> Iterator[Thing]:
        cursor = ""
        while True:
            page = self.tenant.get(f"{path}?limit={PAGE}&cursor={quote(cursor)}", timeout=120)
            yield from page["items"]
            cursor = page["next"]
            if not cursor:
                return


class Imports:
    """Each set is imported once, when the first subject asks for it."""

    def __init__(self, folder: Path, stand: Stand, say: Callable[[str], None]) -> None:
        self.folder, self.stand, self.say = folder, stand, say
        self._known: dict[str, Imported] = {}

    def has(self, name: str) -> bool:
        return (self.folder / name).is_dir()

    def spans(self, name: str) -> Imported:
        return self._imported(name, ["import_spans", str(self.folder / name / "spans.jsonl.gz")])

    def events(self, name: str, options: Sequence[str]) -> Imported:
        return self._imported(name, ["import_events", str(self.folder / name / "events.csv.gz"), *options])

    def workspace(self, name: str) -> str:
        """A new one for a set; its slug."""
        slug = f"{name.replace('_', '-')}-{secrets.token_hex(3)}"
        self.stand.manage("create_workspace", slug)
        return slug

    def _imported(self, name: str, command: list[str]) -> Imported:
        if name not in self._known:
            slug = self.workspace(name)
            said = self.stand.manage(*command, "--workspace", slug)
            self.say(f"{name}: {said}")
            with self.stand.connect() as connection:
                row = connection.execute("select id from workspaces_workspace where slug = %s", [slug]).fetchone()
            assert row
            key = self.stand.manage("create_key", "--workspace", slug, "--name", "judge", "--scopes", SCOPES)
            self._known[name] = Imported(Tenant(self.stand, row[0], key), said)
        return self._known[name]

    @cache  # noqa: B019  lives as long as the judging
    def lines(self, name: str, file: str = "spans.jsonl.gz") -> list[Thing]:
        with gzip.open(self.folder / name / file, "rt", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    @cache  # noqa: B019
    def rows(self, name: str, file: str) -> list[dict[str, str]]:
        with gzip.open(self.folder / name / file, "rt", encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))
