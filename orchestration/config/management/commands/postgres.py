"""One of PostgreSQL's own programs on Baton's database: `manage.py postgres pg_dump -Fc > baton.dump`."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import REMAINDER, ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from orchestration.config import env
from orchestration.config.postgres import find

VARIABLES = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}


class Command(BaseCommand):
    help = "Runs psql, pg_dump or pg_restore on Baton's database."
    requires_system_checks: tuple[()] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("program", choices=["psql", "pg_dump", "pg_restore"])
        parser.add_argument("arguments", nargs=REMAINDER)

    def handle(self, *args: Any, program: str, arguments: list[str], **options: Any) -> None:
        database = settings.DATABASES["default"]
        target = {name: str(database[key]) for name, key in VARIABLES.items() if database.get(key)}
        target |= {f"PG{name.upper()}": str(value) for name, value in database["OPTIONS"].items() if name == "sslmode"}
        if program == "pg_restore":  # it does not look at PGDATABASE
            arguments = ["--dbname", target["PGDATABASE"], *arguments]
        if program != "psql" and not env.secret("DATABASE_URL"):
            arguments = ["--no-acl", *arguments]  # each start arranges who may do what anew
        done = subprocess.run([str(find().folder / program), *arguments], env=os.environ | target, check=False)
        sys.exit(done.returncode)
