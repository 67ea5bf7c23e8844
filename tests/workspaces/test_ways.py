"""What an admin sets for a whole workspace."""

from __future__ import annotations

import pytest

from orchestration.workspaces import ways
from orchestration.workspaces.models import User, Workspace
from orchestration.workspaces.ways import Keeping, NotKept


@pytest.mark.parametrize("keeping", [Keeping(0, 400), Keeping(181, 400), Keeping(30, 29), Keeping(30, 4000)])
def test_data_is_kept_within_bounds(workspace: Workspace, admin: User, keeping: Keeping) -> None:
    with pytest.raises(NotKept):
        ways.keep_for(workspace, keeping, admin)

    assert Keeping.of(Workspace.objects.get(pk=workspace.pk)) == Keeping(30, 400)


def test_nobody_agrees_to_another_loss_than_was_shown(workspace: Workspace, admin: User) -> None:
    ways.keep_for(workspace, Keeping(20, 400), admin)

    with pytest.raises(NotKept, match="somebody else"):
        ways.keep_for(workspace, Keeping(7, 400), admin, instead_of=Keeping(30, 400))

    assert ways.keep_for(workspace, Keeping(7, 400), admin, instead_of=Keeping(20, 400)) == Keeping(20, 400)


@pytest.mark.parametrize(
    ("wanted", "shorter"), [((30, 400), False), ((31, 400), False), ((29, 500), True), ((30, 399), True)]
)
def test_keeping_less_of_either_kind_is_less(wanted: tuple[int, int], shorter: bool) -> None:
    assert Keeping(*wanted).shortens(Keeping(30, 400)) is shorter


def test_content_is_turned_off_once(workspace: Workspace, admin: User) -> None:
    assert [ways.keep_content(workspace, False, admin) for _ in range(2)] == [True, False]
