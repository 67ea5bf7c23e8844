"""What `migrate` renders anew, which is less than Django would."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.migrations.state import ModelState, ProjectState

from orchestration.config.management.commands.migrate import affected, rendering_little


def named(name: str, *more: tuple[str, Any], bases: tuple[Any, ...] = (models.Model,)) -> ModelState:
    own: list[tuple[str, Any]] = [] if more and more[0][1].primary_key else [("id", models.AutoField(primary_key=True))]
    return ModelState("a", name, [*own, *more], bases=bases)


def link(to: str) -> Any:
    return models.ForeignKey(to, models.CASCADE)


def chain() -> ProjectState:
    """A room in a house, a house in a town, and a mill that is a kind of house."""
    state = ProjectState()
    up: Any = models.OneToOneField("a.House", models.CASCADE, parent_link=True, primary_key=True)
    state.add_model(named("Town"))
    state.add_model(named("House", ("town", link("a.Town"))))
    state.add_model(named("Mill", ("house_ptr", up), bases=("a.house",)))
    state.add_model(named("Room", ("house", link("a.House"))))
    assert state.apps.get_model("a", "Room")
    return state


def test_what_names_a_model_and_what_descends_from_it_are_rendered_with_it() -> None:
    assert affected(chain(), "a", "house") == {("a", "house"), ("a", "mill"), ("a", "room")}


def test_what_a_model_names_is_left_as_it_is() -> None:
    assert affected(chain(), "a", "room") == {("a", "room")}


def test_who_names_a_changed_model_names_its_new_form() -> None:
    state = chain()

    with rendering_little():
        state.add_field("a", "house", "colour", models.TextField(default=""), preserve_default=True)

    house = state.apps.get_model("a", "House")
    assert house._meta.get_field("colour")
    assert state.apps.get_model("a", "Room")._meta.get_field("house").related_model is house
    assert house in state.apps.get_model("a", "Mill").__mro__


def test_a_step_that_reads_rows_finds_all_of_them_anew() -> None:
    state = chain()
    with rendering_little():
        state.add_field("a", "town", "name", models.TextField(default=""), preserve_default=True)

    state.clear_delayed_apps_cache()  # what Django does before such a step

    room = state.apps.get_model("a", "Room")
    assert "name" in str(room._default_manager.filter(house__town__name="x").query)
