"""Acts that failed are tried again, of each kind."""

from __future__ import annotations

import pytest

from orchestration.autonomy import again, lists, ordering, work
from orchestration.autonomy.aims import FITS, Aim, aim
from orchestration.autonomy.models import Action, Kind, State, Target
from orchestration.workspaces.models import Workspace
from tests import make
from tests.autonomy.ordered import BY, aimed, at_run, wish

pytestmark = pytest.mark.django_db
WAYS = [(target, kind) for target, kinds in FITS.items() for kind in kinds if target not in (Target.MESSAGE,)]


def at(space: Workspace, kind: Target) -> Aim:
    if kind == Target.AGENT:
        return aimed(make.agent(space, "billing"))
    if kind == Target.RUN:
        return at_run(make.run(space, make.workflow(space), status="running"))
    called = {Target.WORKFLOW: make.workflow(space).slug, Target.WORKSPACE: ""}.get(kind)
    found = aim(space.pk, kind, called) if called is not None else Aim(kind, "0192", "refund")
    assert found
    return found


@pytest.mark.parametrize(("target", "kind"), WAYS)
def test_a_kind_that_was_given_up_is_tried_again(workspace: Workspace, target: Target, kind: Kind) -> None:
    about = {"about": {"to": make.agent(workspace, "other").slug}} if kind == Kind.REROUTE else {}
    action = ordering.order(workspace.pk, wish(kind, told=about), at(workspace, target))
    Action.objects.update(state=State.DEAD, error="Baton could not do it", attempts=6)

    made = again.retry_all(workspace.pk, Action.objects.filter(workspace=workspace), BY, "once", {})
    work.carry_out()

    action.refresh_from_db()
    assert (action.attempts, lists.progress(made).states) == (1, {action.state: 1})
    assert action.error != "Baton could not do it"
