"""How much of each thing there is now: what every page says beside its places, and so one question for all of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from orchestration.autonomy.lists import ATTENTION
from orchestration.holds.models import State
from orchestration.lib.prepared import Prepared
from orchestration.workflows.stats import OPEN


class Counts(NamedTuple):
    """What `lists.states`, `stats.in_progress` and `held.cases` say, which pages show that say more of it."""

    acts: int  # that wait for a person
    runs: int  # in progress
    cases: int  # in the inbox


def _of(states: Iterable[str]) -> str:
    return ", ".join(f"'{state}'" for state in states)


COUNTS = Prepared(
    "counts_of_places",
    "select "
    f"(select count(*) from autonomy_action where workspace_id = %(workspace)s and state in ({_of(ATTENTION)})), "
    f"(select count(*) from workflows_run where workspace_id = %(workspace)s and status in ({_of(OPEN)}) "
    "and merged_into is null), "
    f"(select count(*) from holds_hold where workspace_id = %(workspace)s and state = '{State.OPEN}')",
)


def counts(workspace_id: int) -> Counts:
    (found,) = COUNTS.rows({"workspace": workspace_id})
    return Counts(*found)
