"""`migrate` as Django has it, in a fifth of the time.

Django renders a model anew after each step that touches it, and with it all that are related to it by any number of
links. Here each model is linked to the workspace, so that a first start would render some ten thousand models, for
twelve seconds. A step that alters tables needs the model itself and those that name it; one that reads or writes rows
makes Django render all of them, once (`is_delayed`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import migrate
from django.db.migrations.state import ProjectState

Key = tuple[str, str]


def affected(state: ProjectState, app_label: str, model_name: str, delay: bool = False) -> set[Key]:
    """The model and those whose fields or whose ancestry name it."""
    key = (app_label, model_name)
    state.is_delayed = True
    heirs = {other for other, model in state.models.items() if names(model.bases) & {f"{app_label}.{model_name}"}}
    return {key, *state.relations.get(key, {}), *heirs}


def names(bases: Any) -> set[str]:
    return {base.lower() for base in bases if isinstance(base, str)}


@contextmanager
def rendering_little() -> Iterator[None]:
    states: Any = ProjectState  # the stubs do not tell of this method
    whole = states._find_reload_model
    states._find_reload_model = affected
    try:
        yield
    finally:
        states._find_reload_model = whole


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> str | None:
        with rendering_little():
            return super().handle(*args, **options)
