"""How much of each thing there is now: what every page says beside its places, and so one question for all of it."""

from __future__ import annotations

from typing import NamedTuple

from django.db import connection

from orchestration.autonomy.lists import ATTENTION
from orchestration.holds.models import State
from orchestration.workflows.stats import OPEN


class Counts(NamedTuple):
    """What `lists.states`, `stats.in_progress` and `held.cases` say, which pages show that say more of it."""

    acts: int  # that wait for a person
    runs: int  # in progress
    cases: int  # in the inbox


def counts(workspace_id: int) -> Counts:
    with connection.cursor() as cursor:
        cursor.execute(
            "select "
            "(select count(*) from autonomy_action where workspace_id = %(workspace)s and state = any(%(acts)s)), "
            "(select count(*) from workflows_run where workspace_id = %(workspace)s and status = any(%(runs)s) "
            "and merged_into is null), "
            "(select count(*) from holds_hold where workspace_id = %(workspace)s and state = %(case)s)",
            {"workspace": workspace_id, "acts": list(ATTENTION), "runs": list(OPEN), "case": State.OPEN},
        )
        return Counts(*cursor.fetchone())
