"""The README's examples are the programs that `make stories` runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.stories.story import STORIES

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "tests" / "stories" / "examples"


@pytest.mark.parametrize("name", [story.name for story in STORIES])
def test_an_example_in_the_readme_is_the_program_that_is_played(name: str) -> None:
    printed = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)

    assert (EXAMPLES / f"refund_{name}.py").read_text() in printed


def test_every_example_is_played() -> None:
    assert {file.stem for file in EXAMPLES.glob("refund_*.py")} == {f"refund_{story.name}" for story in STORIES}
