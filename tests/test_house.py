"""The rules of the house that no linter knows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import ForeignKey

from tests import sharing

ROOT = Path(__file__).resolve().parents[1]
ROOMS = sorted(path.parent for path in (ROOT / "orchestration").glob("*/__init__.py"))
FORBIDDEN = {
    "utils.py",
    "helpers.py",
    "services.py",
    "selectors.py",
    "managers.py",
    "constants.py",
    "types.py",
    "base.py",
}
SETTING = re.compile(r"\b(?:BATON_[A-Z_]+|DATABASE_URL|REDIS_URL)\b")


def floors() -> dict[str, int]:
    """How high each room stands, by the list that import-linter is given."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each.get("containers") == ["orchestration"])
    rooms = [(height, room.strip(" ()")) for height, layer in enumerate(reversed(layers)) for room in layer.split("|")]
    return {room: height for height, room in rooms} | {"dashboard": 100, "escalations": 100}


def sources() -> list[Path]:
    return [path for folder in ("orchestration", "dashboard", "escalations") for path in (ROOT / folder).rglob("*.py")]


def test_foreign_keys_point_downward() -> None:
    heights = floors()
    upward = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, ForeignKey) and not isinstance(field.related_model, str)
        for here, there in [(model._meta.app_label, field.related_model._meta.app_label)]
        if here in heights and there in heights and here != there and heights[here] <= heights[there]
    ]

    assert upward == []


@pytest.mark.parametrize("room", ROOMS, ids=lambda path: path.name)
def test_a_room_has_a_charter(room: Path) -> None:
    text = (room / "__init__.py").read_text()

    assert text.startswith('"""'), f"{room.name}/__init__.py says nothing of what lives there"
    assert len(text.split()) > 20


def test_a_room_has_a_floor() -> None:
    assert {room.name for room in ROOMS} <= floors().keys()


def test_readme_names_the_settings_that_the_code_reads_and_no_others() -> None:
    """`NAME_FILE` is explained once for all secrets, so it counts as NAME."""
    readme = (ROOT / "README.md").read_text()
    table = readme.split("## Settings")[1].split("\n## ")[0]
    documented = {name.removesuffix("_FILE") for name in SETTING.findall(table)}

    read = {
        name
        for path in sources()
        if path.name != "client.py" and "demo" not in path.parts  # what agents read is no setting of Baton
        for name in re.findall(r'\(\s*"(BATON_[A-Z_]+|DATABASE_URL|REDIS_URL)"', path.read_text())
    }

    assert documented == read


def test_files_that_share_a_running_baton_are_run_by_one_process(request: pytest.FixtureRequest) -> None:
    sharing_it = [item.nodeid for item in request.session.items if Path(item.path).parent.name == "whole"]

    assert {sharing.portion(nodeid) for nodeid in sharing_it} <= {sharing.WHOLE}


def test_no_file_is_named_for_a_kind() -> None:
    assert [path for path in sources() if path.name in FORBIDDEN] == []


def test_a_template_opens_with_words_on_what_it_is_given() -> None:
    assert [path for path in (ROOT / "templates").rglob("*.html") if not path.read_text().startswith("{#")] == []


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt", "requirements-uv.txt"])
def test_a_lock_has_hashes_and_no_addresses(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert "://" not in text
    assert text.count("==") <= text.count("--hash=sha256:")
