"""The figures beside the places of every page are those that the pages behind them say."""

from __future__ import annotations

from orchestration.autonomy import lists
from orchestration.autonomy.models import Action, Kind
from orchestration.autonomy.models import State as ActState
from orchestration.control import counted, held
from orchestration.holds.models import Hold
from orchestration.holds.models import State as HoldState
from orchestration.workflows import stats
from orchestration.workflows.models import RunStatus
from orchestration.workspaces.models import Workspace
from tests import make
from tests.autonomy.ordered import aimed, done


def one_of_each(space: Workspace) -> None:
    at = aimed(make.agent(space))
    for act in ActState:
        Action.objects.filter(pk=done(space, Kind.PAUSE, at).pk).update(state=act)
    for case in HoldState:
        Hold.objects.create(workspace=space, source="decision", question="Q", proposal="P", why="W", state=case)
    runs = [make.run(space, status=status) for status in RunStatus]
    make.run(space, status=RunStatus.RUNNING, merged_into=runs[0].id)


def test_what_stands_beside_a_place_is_what_its_page_says(workspace: Workspace) -> None:
    one_of_each(workspace)
    one_of_each(make.workspace("elsewhere"))

    found = counted.counts(workspace.pk)

    acts = lists.states(workspace.pk)
    assert found == (2, 2, 1)
    assert found.acts == sum(acts[state] for state in lists.ATTENTION)
    assert found.runs == sum(stats.in_progress(workspace.pk).values())
    assert found.cases == held.cases(workspace.pk)
