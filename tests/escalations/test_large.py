"""The inbox with ten thousand open cases of fifty kinds."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from escalations.models import Batch, Precedent
from orchestration.holds.models import Hold
from orchestration.workspaces.models import Workspace
from tests import make
from tests.dashboard.conftest import region
from tests.escalations.conftest import chosen, press
from tests.scenes import scene
from tests.waiting import allowed

pytestmark = pytest.mark.django_db
CASES, KINDS, EACH = 10_000, 50, 25

BATCHES = f"""
insert into escalations_batch (id, workspace_id, key, core, title, agent, policy, version, skill, people, cases,
    differing, due_at, opened_at, split, revision, assigned_why)
select gen_random_uuid(), %(space)s, 'kind-' || n %% {KINDS}, '{{}}', 'Kind ' || n %% {KINDS}, 'bot-' || n %% 7,
    'refund-limit', 1, '', 1, {EACH}, 1, now() + n * interval '1 minute', now(), false, 0, ''
from generate_series(1, {CASES // EACH}) n
"""
HOLDS = f"""
with made as (
    insert into holds_hold (id, workspace_id, source, state, revision, agent, application, run, step, question,
        proposal, why, evidence, cost_of_waiting, policy, version, skill, people, on_timeout, opened_at, batch, looked,
        verdict, note, key)
    select gen_random_uuid(), %(space)s, 'agent', 'open', 0, b.agent, '', '', '', 'May I?', 'It', 'Over', '[]', '',
        'refund-limit', 1, '', 1, 'remind', now(), b.id, 0, '', '', ''
    from escalations_batch b, generate_series(1, {EACH}) n returning id, batch
)
insert into escalations_escalation (hold_id, workspace_id, batch_id, key, number, agent, action_type, policy, version,
    skill, amount, currency, fields, text, standing, differs, distance, selected, open, opened_at, raised_by, unneeded,
    elsewhere)
select m.id, %(space)s, m.batch, b.key, row_number() over (partition by m.batch), b.agent, 'refund', 'refund-limit', 1,
    '', 500 + random() * 400, 'USD',
    jsonb_build_object('amount', 500.0, 'context.item_back', random() > .5, 'context.refunds', floor(random() * 4)),
    'May I?', 'alike', '[]', 0, true, true, now(), '', false, false
from made m join escalations_batch b on b.id = m.batch
"""


PRECEDENTS = f"""
insert into escalations_precedent (id, workspace_id, hold_id, key, shape, within, title, agent, verdict, cases,
    said_at, expires_at, revoked_why)
select gen_random_uuid(), %(space)s, gen_random_uuid(), 'kind-' || n, '{{}}', '{{}}', 'Kind ' || n, 'bot', 'approve',
    11, now(), now() + interval '90 days', ''
from generate_series(0, {KINDS - 1}) n
"""
COVERED = """
update escalations_escalation e set precedent_id = p.id, before = 'approve'
from escalations_precedent p where p.key = e.key and p.workspace_id = e.workspace_id
"""
USED = """
insert into escalations_descendant (hold_id, workspace_id, precedent_id, act_id, agreed, at)
select gen_random_uuid(), %(space)s, p.id, gen_random_uuid(), n %% 50 > 0, now()
from escalations_precedent p, generate_series(1, 200) n
"""


def fill() -> None:
    space = make.workspace()
    with connection.cursor() as cursor:
        cursor.execute(BATCHES, {"space": space.pk})
        cursor.execute(HOLDS, {"space": space.pk})
        cursor.execute("analyze escalations_batch, escalations_escalation, holds_hold")


full = scene(fill)


def times(client: Client, path: str, n: int = 3, **headers: str) -> tuple[float, float, int]:
    """The slowest in ms, the quickest in ms of our own CPU (which neighbours lengthen least), and bytes."""
    took, own, weight = [], [], 0
    for _ in range(n):
        began, cpu = time.perf_counter(), time.process_time()
        weight = len(client.get(path, headers=headers).content)
        own.append(1000 * (time.process_time() - cpu))
        took.append(1000 * (time.perf_counter() - began))
    return max(took), min(own), weight


def test_pages_are_quick_and_light_with_ten_thousand_open_cases(as_reviewer: Client) -> None:
    batch = Batch.objects.order_by("due_at")[3]
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "page": ("/inbox/", {}),
        "batch": (f"/inbox/{batch.pk}/", {}),
        "newest": ("/inbox/?sort=newest&page=4", {}),
        "largest": ("/inbox/?view=team&sort=largest", {}),
        "list alone": (f"/inbox/{batch.pk}/", region("batches")),
        "case alone": (f"/inbox/{batch.pk}/?case=7", region("case")),
    }
    as_reviewer.get("/inbox/")

    found = {name: times(as_reviewer, path, **heads) for name, (path, heads) in asked.items()}

    for name, (ms, own, weight) in found.items():
        print(f"{name}: {ms:.0f} ms ({own:.0f} ms of our CPU), {weight / 1000:.0f} kB")
    # 300 ms are promised on a quiet machine; a page that reads all cases takes far longer even at its quickest
    assert {name: own for name, (_, own, _) in found.items() if own > allowed(300)} == {}
    assert {name: weight for name, (*_, weight) in found.items() if weight > 1 << 20} == {}


def test_precedents_of_all_of_them_cost_no_page_more(as_reviewer: Client, workspace: Workspace) -> None:
    with connection.cursor() as cursor:
        for sql in (PRECEDENTS, COVERED, USED):
            cursor.execute(sql, {"space": workspace.pk})
        cursor.execute("analyze escalations_precedent, escalations_descendant, escalations_escalation")
    batch = Batch.objects.order_by("due_at")[3]
    paths = {"batch": f"/inbox/{batch.pk}/", "list": "/inbox/precedents/"}
    paths["one"] = f"/inbox/precedents/{Precedent.objects.values_list('pk', flat=True)[0]}/"
    assert "Decided like this 207 times" in as_reviewer.get(paths["batch"]).content.decode()

    found = {name: times(as_reviewer, path) for name, path in paths.items()}

    for name, (ms, own, weight) in found.items():
        print(f"{name}: {ms:.0f} ms ({own:.0f} ms of our CPU), {weight / 1000:.0f} kB")
    assert {name: own for name, (_, own, _) in found.items() if own > allowed(300)} == {}
    assert {name: weight for name, (*_, weight) in found.items() if weight > 150_000} == {}


def test_no_query_of_the_page_reads_all_cases(as_reviewer: Client) -> None:
    """In the database's own words: cases are found by an index, whatever else has to be read."""
    batch = Batch.objects.order_by("due_at")[3]
    with CaptureQueriesContext(connection) as seen:
        as_reviewer.get(f"/inbox/{batch.pk}/")

    asked = [each["sql"] for each in seen.captured_queries if "from escalations_escalation" in each["sql"].lower()]
    asked += [each["sql"] for each in seen.captured_queries if 'from "escalations_escalation"' in each["sql"].lower()]
    with connection.cursor() as cursor:
        plans = []
        for sql in asked:
            cursor.execute("explain " + sql)
            plans.append("\n".join(row[0] for row in cursor))

    assert plans
    assert [plan for plan in plans if "Seq Scan on escalations_escalation" in plan] == []


def test_a_verdict_on_five_hundred_takes_less_than_three_seconds(as_reviewer: Client) -> None:
    batch = Batch.objects.order_by("due_at")[0]
    Batch.objects.filter(pk__in=Batch.objects.values("pk")[:20]).update(key=batch.key)
    cases = [case for each in Batch.objects.all()[:20] for case in chosen(each)]
    began = time.perf_counter()

    answer = press(as_reviewer, batch, cases, sure="1")
    took = time.perf_counter() - began

    print(f"500 decided by a press in {took:.2f} s")
    assert answer.status_code == 302
    assert Hold.objects.filter(state="decided").count() == 500
    assert took < allowed(3)
