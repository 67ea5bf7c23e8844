from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from orchestration.control.dropping import losses
from orchestration.workspaces.models import User, Workspace
from orchestration.workspaces.ways import Keeping
from tests import make


def test_only_what_is_there_today_and_would_go_is_counted(workspace: Workspace, stranger: User) -> None:
    now = timezone.now()
    who = make.agent(workspace)
    for days, n in ((2, 100), (12, 20), (25, 3), (33, 7)):
        make.calls(workspace, who, n=n, at=now - timedelta(days=days))
    there = Workspace.objects.get(slug="elsewhere")
    make.calls(there, make.agent(there), n=500, at=now - timedelta(days=20))
    for days in (5, 50, 60):
        make.run(workspace, started_at=now - timedelta(days=days))

    found = {loss.kind: loss.n for loss in losses(workspace, Keeping(7, 40), now)}

    assert found == {"spans": 23, "runs": 2}


def test_keeping_as_much_or_more_loses_nothing(workspace: Workspace) -> None:
    assert losses(workspace, Keeping(30, 400), timezone.now()) == []
    assert losses(workspace, Keeping(31, 500), timezone.now()) == []
