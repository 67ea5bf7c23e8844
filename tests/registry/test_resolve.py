"""Names to ids, in several processes at once."""

from __future__ import annotations

import pytest

from orchestration.registry import resolve
from orchestration.registry.models import Application
from orchestration.workspaces.models import Workspace


@pytest.mark.django_db(transaction=True)
def test_an_application_that_another_process_met_is_not_made_again_without_its_environment() -> None:
    workspace = Workspace.objects.create(slug="elsewhere", name="Elsewhere")
    made = resolve.applications.ids(workspace.pk, {("billing", "production"): ()})
    resolve.forget()  # as in a process that has seen no span of it

    found = resolve.applications_named(workspace.pk, {"billing"})

    assert found == {"billing": made["billing", "production"]}
    assert Application.objects.filter(workspace=workspace).count() == 1
