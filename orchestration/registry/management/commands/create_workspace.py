"""Makes a workspace; harmless when it exists."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from orchestration.ledger import entries
from orchestration.registry import prices
from orchestration.workspaces import members
from orchestration.workspaces.models import User, Workspace


class Command(BaseCommand):
    help = (
        "Make a workspace: a tenant with people, keys and data of its own. Says so and changes nothing when it exists. "
        "Example: manage.py create_workspace claims --name 'Claims department'"
    )
    requires_system_checks: tuple[()] = ()  # those of a start; they import every page, for half of the time it takes

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="short name for commands: letters, digits, hyphens, underscores")
        parser.add_argument("--name", help="what people see; the slug when left out")
        parser.add_argument("--admin", metavar="USER", help="somebody with an account, who becomes its admin")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["slug"]
        new = Workspace(slug=slug, name=options["name"] or slug)
        admin = self._admin(options["admin"])
        if known := Workspace.objects.filter(slug=slug).first():
            self.stdout.write(f"Workspace {slug} exists already.")
            self._admit(admin, known)
            return
        try:
            new.full_clean()
        except ValidationError as error:
            raise CommandError(f"{slug!r} cannot be a workspace: {' '.join(error.messages)}") from error
        new.save()
        prices.seed(new)
        self._admit(admin, new)
        self.stdout.write(
            f"Workspace {slug} made. Next: manage.py create_key --workspace {slug} --name NAME --scopes ingest"
        )

    def _admin(self, name: str | None) -> User | None:
        found = User.objects.filter(username=name, is_active=True).first() if name else None
        if name and found is None:
            raise CommandError(f"Nobody has an account called {name!r}.")
        return found

    @transaction.atomic
    def _admit(self, admin: User | None, workspace: Workspace) -> None:
        if admin is None:
            return
        membership = members.admit(admin, workspace, ["admin"], True, None)
        told = {"name": admin.get_username(), "roles": membership.roles, "sees_content": True}
        subject = ("person", admin.get_username())
        entries.record(workspace.pk, "member.changed", subject, "baton:command", told, timezone.now())
        self.stdout.write(f"{admin.get_username()} is an admin of {workspace.slug}.")
