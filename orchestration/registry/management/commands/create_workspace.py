"""Makes a workspace; harmless when it exists."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from orchestration.registry import prices
from orchestration.workspaces.models import Workspace


class Command(BaseCommand):
    help = (
        "Make a workspace: a tenant with people, keys and data of its own. Says so and changes nothing when it exists. "
        "Example: manage.py create_workspace claims --name 'Claims department'"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="short name for commands: letters, digits, hyphens, underscores")
        parser.add_argument("--name", help="what people see; the slug when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["slug"]
        new = Workspace(slug=slug, name=options["name"] or slug)
        if Workspace.objects.filter(slug=slug).exists():
            self.stdout.write(f"Workspace {slug} exists already.")
            return
        try:
            new.full_clean()
        except ValidationError as error:
            raise CommandError(f"{slug!r} cannot be a workspace: {' '.join(error.messages)}") from error
        new.save()
        prices.seed(new)
        self.stdout.write(
            f"Workspace {slug} made. Next: manage.py create_key --workspace {slug} --name NAME --scopes ingest"
        )
