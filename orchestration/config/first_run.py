"""What a start makes sure of before anything is served: tables, the first workspace, the first people."""

from __future__ import annotations

import json
import os
import secrets
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from pkgutil import iter_modules

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.db.migrations.recorder import MigrationRecorder

from orchestration.control.administration import create_key
from orchestration.registry import prices
from orchestration.workspaces.keys import find
from orchestration.workspaces.models import ApiKey, Membership, User, Workspace

from . import demo_bank, demo_desk, engines
from .state import State, private

DEMO = {"operator": ["operator"], "reviewer": ["reviewer"], "admin": ["admin"]}
REAL = {"admin": ["admin"]}


def migrate(embedded: Sequence[engines.Engine]) -> bool:
    """Brings the tables up to date; true when there was something to do.

    Whether there is, is told by names alone: building Django's graph of all migrations would cost each start a second.
    """
    if set(migration_names()) <= set(MigrationRecorder(connection).applied_migrations()):
        return False
    with engines.ledger_lent(embedded):
        _apart(lambda: call_command("migrate", interactive=False, verbosity=0))
    return True


def _apart(work: Callable[[], object]) -> None:
    """In a process of its own, with which the memory goes that it took: 60 MB, for the graph of all migrations."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        failed = 1
        try:
            work()
            failed = 0
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(failed)
    if os.waitpid(child, 0)[1]:
        raise ImproperlyConfigured("The tables could not be brought up to date; what failed stands above.")


def migration_names() -> list[tuple[str, str]]:
    folders = {app.label: Path(app.path, "migrations") for app in apps.get_app_configs()}
    return [
        (label, module.name)
        for label, folder in folders.items()
        for module in iter_modules([str(folder)])
        if module.name[0].isdigit()
    ]


def ensure_people(state: State, *, demo: bool) -> dict[str, str]:
    """The passwords that should be printed: those made now, and for the demo those of every start."""
    workspace, new = Workspace.objects.get_or_create(slug="default", defaults={"name": "Default"})
    if new:
        prices.seed(workspace)
    file = state.folder / "passwords"
    kept: dict[str, str] = json.loads(file.read_text()) if demo and file.exists() else {}
    made = {}
    for name, roles in (DEMO if demo else REAL).items():
        if not User.objects.filter(username=name).exists() or (demo and name not in kept):
            made[name] = ensure_person(workspace, name, roles)
    if demo and made:
        with open(file, "w", opener=private) as out:
            json.dump(kept | made, out)
    return kept | made


def ensure_demo_keys(state: State) -> tuple[str, str]:
    """The key of the simulated agents, and the one by which their past is told; kept beside the demo's passwords."""
    agents = _kept_key(state.folder / "demo_key", "simulated agents", ["ingest", "decide", "work"])
    return agents, _kept_key(state.folder / "demo_past_key", "past of the simulated agents", ["ingest", "admin"])


def _kept_key(file: Path, name: str, scopes: list[str]) -> str:
    known = find(file.read_text()) if file.exists() else None
    if known:
        ApiKey.objects.filter(pk=known.key_id).exclude(scopes__contains=scopes).update(scopes=scopes)
        return file.read_text()
    _, plain = create_key(Workspace.objects.get(slug="default"), name, scopes)
    with open(file, "w", opener=private) as out:
        out.write(plain)
    return plain


def ensure_demo_policies() -> None:
    """And who decides what they ask people about."""
    workspace = Workspace.objects.get(slug="default")
    demo_bank.ensure_policies(workspace, User.objects.get(username="admin"))
    demo_desk.ensure_desk(workspace)


@transaction.atomic
def ensure_person(workspace: Workspace, name: str, roles: list[str]) -> str:
    user = User.objects.get_or_create(username=name)[0]
    password = secrets.token_urlsafe(12)
    user.set_password(password)
    user.save()
    Membership.objects.update_or_create(
        user=user, workspace=workspace, defaults={"roles": roles, "sees_content": "admin" in roles}
    )
    return password
