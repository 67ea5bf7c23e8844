"""Sweeps in one message."""

from __future__ import annotations

import pytest
from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from structlog.testing import CapturingLogger

from orchestration.config import tasks
from orchestration.config.celery import app
from orchestration.config.schedule import SCHEDULE
from orchestration.config.tasks import sweep

done: list[str] = []


@shared_task(name="tests.goes_well")
def goes_well() -> None:
    done.append("well")


@shared_task(name="tests.fails")
def fails() -> None:
    raise ValueError("no")


@shared_task(name="tests.is_late")
def is_late() -> None:
    raise SoftTimeLimitExceeded


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    done.clear()


@pytest.mark.django_db  # connections are looked after between tasks
def test_what_fails_is_written_down_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    said = CapturingLogger()
    monkeypatch.setattr(tasks, "log", said)

    assert sweep([goes_well.name, fails.name, goes_well.name]) == 2

    assert done == ["well", "well"]
    assert [(call.args, call.kwargs) for call in said.calls] == [(("sweep failed",), {"task": fails.name})]


def test_when_the_time_is_over_it_is_over_for_all() -> None:
    with pytest.raises(SoftTimeLimitExceeded):
        sweep([goes_well.name, is_late.name, goes_well.name])

    assert done == ["well"]


def test_each_task_of_the_clock_exists_once() -> None:
    named = [task for entry in SCHEDULE.values() for task in (*entry.get("args", [()])[0], entry["task"])]
    app.loader.import_default_modules()
    own = [task for task in named if task != sweep.name]

    assert set(named) <= set(app.tasks)
    assert len(own) == len(set(own))


def test_tasks_with_a_queue_of_their_own_are_swept_there() -> None:
    routes = settings.CELERY_TASK_ROUTES
    found = {
        task: entry["options"]["queue"]
        for entry in SCHEDULE.values()
        for task in entry.get("args", [()])[0]
        if routes.get(task, entry["options"]["queue"]) != entry["options"]["queue"]
    }
    assert found == {}
