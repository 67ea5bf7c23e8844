"""Prints a new key for machines, and only it, on standard output."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orchestration.control.administration import create_key
from orchestration.workspaces.keys import KeyRefused
from orchestration.workspaces.models import Workspace

HELP = """Make a key for a machine and print it on standard output, once: only its SHA-256 is kept.

scopes
  ingest   send telemetry and events          decide   ask "may I?" and ask a person
  work     take and finish steps, hand over   read     read what the pages show
  admin    everything that an admin may do

A key with --agents vouches for those agents only: what it says of others is kept and shown as claimed,
and decisions and holds that it asks for in the name of others are refused (403).

examples
  manage.py create_key --workspace default --name laptop --scopes ingest
  KEY=$(manage.py create_key --workspace default --name billing --scopes ingest,decide --agents billing,refund)"""


class Command(BaseCommand):
    help = HELP
    requires_system_checks: tuple[()] = ()  # those of a start; they import every page, for half of the time it takes

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="SLUG", help="the workspace it belongs to")
        parser.add_argument("--name", required=True, help="by which people recognise it later")
        parser.add_argument("--scopes", required=True, metavar="A,B", help="what it may do, see above")
        parser.add_argument("--agents", default="", metavar="A,B", help="agents it vouches for; any when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = Workspace.objects.filter(slug=options["workspace"]).first()
        if workspace is None:
            raise CommandError(self._no_workspace(options["workspace"]))
        try:
            _, plain = create_key(
                workspace, options["name"].strip(), _split(options["scopes"]), _split(options["agents"])
            )
        except KeyRefused as error:
            raise CommandError(f"Nothing was made: {error}. Example: --scopes ingest,decide") from error
        self.stdout.write(plain)

    def _no_workspace(self, slug: str) -> str:
        known = ", ".join(Workspace.objects.order_by("slug").values_list("slug", flat=True)[:20])
        return (
            f"There is no workspace {slug!r}. "
            + (f"There are: {known}. " if known else "")
            + f"To make it: manage.py create_workspace {slug}"
        )


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
