"""How several processes share the suite: in portions whose tests have something costly in common, the longest first.

Each process has engines and a database of its own, so that tests may stop, lock and empty them.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

WHOLE = "tests/journeys/whole/"  # the files in it share one running Baton
# Were a long portion begun last, all but one process would wait for it at the end.
LONGEST = (
    WHOLE,
    "tests/config/test_supervise.py",
    "tests/journeys/",
    "tests/config/test_foreign.py",
    "tests/api/test_nonsense.py",
    "tests/api/test_intake.py",
    "tests/demo/",
    "tests/telemetry/test_parts.py",
    "tests/control/",
)


def portion(nodeid: str) -> str:
    """The file of a test, since tests of one share what it sets up; or the folder of files that go together."""
    file = nodeid.partition("::")[0]
    return WHOLE if file.startswith(WHOLE) else file


def rank(nodeid: str) -> int:
    """How early it is begun. Within one rank tests keep the order that they have."""
    return next((place for place, name in enumerate(LONGEST) if nodeid.startswith(name)), len(LONGEST))


def scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """xdist's own, told what a portion is; in the order of collection, not by how many tests a portion has."""
    config.option.loadscopereorder = False
    found = LoadScopeScheduling(config, log)
    found._split_scope = portion
    return found
