"""What all tests of a file begin with, made once: each of them changes it as it likes and is rolled back to it.

It is committed and not held in a transaction around them, in which the database's clock would stand still. A file whose
tests commit has none, since these empty the database.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.emptying import empty


def scene(build: Callable[[], object]) -> Any:
    """A fixture of the file, used by all of its tests, whichever comes first. What was made they read from the
    database themselves: a row in memory would keep what one of them has done to it."""

    @pytest.fixture(scope="module", autouse=True)
    def made(django_db_setup: None, django_db_blocker: Any) -> Any:
        try:
            with django_db_blocker.unblock():
                build()
            yield
        finally:
            with django_db_blocker.unblock():
                empty()

    return made
