"""How several processes share the suite: in portions whose tests have something costly in common, the longest first.

Each process has engines and a database of its own, so that tests may stop, lock and empty them.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

WHOLE = "tests/journeys/whole/"  # the files in it share one running Baton
# Were a long portion begun last, all but one process would wait for it at the end. Those that start a whole Baton wait
# much themselves, so that something else is done between them.
LONGEST = (
    WHOLE,
    "tests/journeys/",
    "tests/config/test_supervise.py",
    "tests/demo/",
    "tests/config/test_foreign.py",
    "tests/control/",
    "tests/config/test_grants.py",
    "tests/api/test_intake.py",
    "tests/telemetry/test_parts.py",
    "tests/escalations/",
)


def portion(nodeid: str) -> str:
    """The file of a test, since tests of one share what it sets up; or the folder of files that go together."""
    file = nodeid.partition("::")[0]
    return WHOLE if file.startswith(WHOLE) else file


def rank(nodeid: str) -> int:
    """How early it is begun. Within one rank tests keep the order that they have."""
    return next((place for place, name in enumerate(LONGEST) if nodeid.startswith(name)), len(LONGEST))


class Portions(LoadScopeScheduling):  # type: ignore[misc]
    """xdist's own, told what a portion is."""

    def _split_scope(self, nodeid: str) -> str:
        return portion(nodeid)

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """A portion that is done is forgotten: after each message xdist counts what is left of all that it has."""
        super().mark_test_complete(node, item_index, duration)
        name = portion(self.registered_collections[node][item_index])
        if all(self.assigned_work[node][name].values()):
            del self.assigned_work[node][name]


def scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Portions in the order of collection, not by how many tests each has."""
    config.option.loadscopereorder = False
    return Portions(config, log)


def compile_own_share(config: pytest.Config) -> None:
    """In a new checkout it takes longer to rewrite the asserts of all files than to collect their tests. Each process
    begins with files that no other begins with, and finds the others written down."""
    number = os.environ.get("PYTEST_XDIST_WORKER", "")
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    here = Path(__file__).parent
    if processes < 2 or sys.dont_write_bytecode or [Path(each).resolve() for each in config.args] != [here]:
        return
    for file in sorted(here.rglob("test_*.py"))[int(number.removeprefix("gw")) :: processes]:
        with suppress(Exception, pytest.skip.Exception):  # collection says what is wrong with it
            import_module(".".join(file.relative_to(here.parent).with_suffix("").parts))
