"""One case, one decision: several people press at the same moment, over HTTP, each in a session of their own."""

from __future__ import annotations

import http.client
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from escalations.models import Act, Batch, Escalation
from orchestration.holds import verdicts
from orchestration.holds.models import Hold, State
from orchestration.ledger.models import Entry
from orchestration.outbox.models import Endpoint, Message
from orchestration.workspaces.models import Workspace
from tests.escalations.conftest import chosen, refunds, second
from tests.waiting import LONG_S

pytestmark = pytest.mark.django_db(transaction=True)
SESSIONS, ROUNDS = 6, 20 if os.environ.get("EXPLORE") else 3  # a broken lock shows in each of them
Press = Callable[[Batch, Sequence[str], str], int]


def session(port: int, person: str, space: Workspace) -> Press:
    """A browser's session of a new reviewer; presses and returns the status."""
    client, token = Client(), secrets.token_hex(16)
    client.force_login(second(space, person))
    name = settings.SESSION_COOKIE_NAME
    cookie = f"{name}={client.cookies[name].value}; {settings.CSRF_COOKIE_NAME}={token}"
    heads = {"Cookie": cookie, "X-CSRFToken": token, "Content-Type": "application/x-www-form-urlencoded"}

    def press(batch: Batch, cases: Sequence[str], act: str) -> int:
        told = urlencode({"act": act, "key": secrets.token_hex(8), "reason": "risk", "case": cases}, doseq=True)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG_S)
        try:
            connection.request("POST", f"/inbox/{batch.pk}/decide/", told, heads)
            return connection.getresponse().status
        finally:
            connection.close()

    return press


def at_once(presses: Sequence[Callable[[], int]]) -> list[int]:
    gate = Barrier(len(presses))

    def do(press: Callable[[], int]) -> int:
        gate.wait(LONG_S)
        return press()

    with ThreadPoolExecutor(len(presses)) as pool:
        return list(pool.map(do, presses))


def told_agents(space: Workspace) -> int:
    """Verdicts take effect; twice, as two sweeps may."""
    Hold.objects.filter(state=State.DECIDED).update(apply_at=timezone.now() - timedelta(seconds=1))
    verdicts.apply_due()
    verdicts.apply_due()
    return Message.objects.filter(workspace=space, event="hold.applied").count()


def verdicts_noted(cases: Iterable[str]) -> list[int]:
    """How many entries of the ledger each of these cases has."""
    found = Counter(Entry.objects.filter(kind="verdict").values_list("subject_id", flat=True))
    return [found[case] for case in cases]


@pytest.fixture
def people(served: int, workspace: Workspace) -> list[Press]:
    Endpoint.objects.create(workspace=workspace, url="https://x.example", events=["hold.applied"], salt="s")
    return [session(served, f"person-{place}", workspace) for place in range(SESSIONS)]


def test_of_six_who_press_at_once_one_decides(people: list[Press], workspace: Workspace) -> None:
    batch = refunds(workspace, ROUNDS, odd=False)
    cases = chosen(batch, everything=True)
    acts = ("approve", "reject")

    rounds = [
        at_once([lambda p=press, a=acts[n % 2], c=case: p(batch, [c], a) for n, press in enumerate(people)])  # type: ignore[misc]
        for case in cases
    ]

    assert [Counter(statuses) for statuses in rounds] == [Counter({302: 1, 409: SESSIONS - 1})] * ROUNDS
    assert verdicts_noted(case.partition(":")[0] for case in cases) == [1] * ROUNDS
    assert told_agents(workspace) == ROUNDS
    assert Escalation.objects.filter(open=True).count() == 0


def test_two_bulks_that_overlap_decide_each_case_once(people: list[Press], workspace: Workspace) -> None:
    batch = refunds(workspace, 30, odd=False)
    every = [f"{pk}:{revision}" for pk, revision in Hold.objects.order_by("pk").values_list("pk", "revision")]
    one, two = every[:20], every[10:]

    statuses = at_once([lambda: people[0](batch, one, "approve"), lambda: people[1](batch, two, "reject")])

    assert sorted(statuses) == [302, 409]
    assert Hold.objects.filter(state=State.DECIDED).count() == 30
    said = Counter(Hold.objects.values_list("verdict", flat=True))
    assert sorted(said.values()) == [10, 20]
    lost = [each for act in Act.objects.all() for each in act.results if not each["done"]]
    assert len(lost) == 10
    assert verdicts_noted(case.partition(":")[0] for case in every) == [1] * 30
    assert told_agents(workspace) == 30
