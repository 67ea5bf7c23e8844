"""What Baton did long ago."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from orchestration.autonomy import forgetting, ordering, work
from orchestration.autonomy.models import Action, Kind, Order, Stop
from orchestration.ledger.models import Entry
from orchestration.workspaces.models import Workspace
from tests import make
from tests.autonomy.ordered import aimed, done, wish

pytestmark = pytest.mark.django_db
OLD = timedelta(days=401)


def forget(workspace: Workspace) -> int:
    return forgetting.forget(workspace.pk, timezone.now() - timedelta(days=400))


def test_old_acts_go_and_their_receipts_stay(workspace: Workspace) -> None:
    agents = [make.agent(workspace, name) for name in ("one", "two")]
    ordering.order_all(workspace.pk, wish(Kind.PAUSE), [aimed(agent) for agent in agents], {})
    work.carry_out()
    ordering.order_all(workspace.pk, wish(Kind.RESUME), [aimed(agent) for agent in agents], {})
    work.carry_out()
    receipts = Entry.objects.count()
    Action.objects.filter(kind=Kind.PAUSE).update(created_at=timezone.now() - OLD)
    Order.objects.update(created_at=timezone.now() - OLD)

    assert forget(workspace) == 2

    assert set(Action.objects.values_list("kind", flat=True)) == {"resume"}
    assert (Order.objects.get().kind, Entry.objects.count()) == ("resume", receipts)


def test_what_still_stops_somebody_stays_however_old(workspace: Workspace) -> None:
    done(workspace, Kind.QUARANTINE, aimed(make.agent(workspace)))
    ordering.order(workspace.pk, wish(Kind.PAUSE), aimed(make.agent(workspace, "late")))
    Action.objects.update(created_at=timezone.now() - OLD)

    assert forget(workspace) == 0

    assert (Stop.objects.count(), Action.objects.count()) == (1, 2)
