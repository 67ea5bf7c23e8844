"""May I? As the README prints it, and as the client that agents copy asks it: against the served application."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.utils import timezone

from orchestration.client import Answer, Baton, Refused
from orchestration.holds import verdicts
from orchestration.holds.models import Answered, Hold
from orchestration.holds.verdicts import Verdict
from orchestration.policies.models import Decision
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import User, Workspace
from tests.api.conftest import tenant
from tests.api.test_decisions import author, rule

__all__ = ["author", "tenant"]  # fixtures
README = Path(__file__).resolve().parents[2] / "README.md"
REFUND = {"type": "refund", "amount": 620, "currency": "USD"}


@pytest.fixture
def key(tenant: Workspace, author: User, served: int) -> str:
    rule(tenant, author)
    return create_key(tenant, "bot", ["decide"])[1]


@pytest.fixture
def baton(served: int, key: str) -> Any:
    found = Baton(f"http://127.0.0.1:{served}", key, service="refunds")
    yield found
    found.close()


def decide(hold: str, by: User, verdict: Verdict) -> None:
    verdicts.decide(Hold.objects.get(pk=hold), verdict, by, revision=0)
    Hold.objects.filter(pk=hold).update(apply_at=timezone.now() - timedelta(seconds=1))


def later(seconds: float, work: Any) -> threading.Timer:
    timer = threading.Timer(seconds, work)
    timer.start()
    return timer


def printed(word: str, port: int, key: str, hold: str = "") -> dict[str, Any]:
    """What the README's one line with `word` in it answers, run by a shell as it stands."""
    line = next(line for line in re.findall(r"^    (curl .*)$", README.read_text(), re.M) if word in line)
    line = line.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    told = {**os.environ, "KEY": key, "HOLD": hold}
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True, timeout=70, env=told)
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
def test_one_line_of_curl_asks_and_one_waits(served: int, tenant: Workspace, key: str, author: User) -> None:
    """The workspace counts in dollars, so the README's euros cannot be compared and a person is asked."""
    asked = printed("decisions", served, key)
    assert printed("decisions", served, key) == asked
    assert asked["effect"] == "hold"

    timer = later(0.5, lambda: decide(asked["hold"], author, Verdict(Answered.APPROVE)))
    told = printed("wait=60", served, key, asked["hold"])
    timer.join()

    assert (told["state"], told["verdict"]) == ("applied", "approve")
    assert Decision.objects.filter(workspace=tenant).count() == 1


@pytest.mark.parametrize(
    ("verdict", "effect"),
    [
        (Verdict(Answered.APPROVE), "allow"),
        (Verdict(Answered.REJECT, "no"), "deny"),
        (Verdict(Answered.AMEND, "", {"amount": 100}), "amend"),
        (Verdict(Answered.MORE, "which account?"), "evidence"),
    ],
)
def test_the_client_asks_and_waits_for_the_person(baton: Baton, author: User, verdict: Verdict, effect: str) -> None:
    answer = baton.decide("refund-bot", REFUND, run="R-1", context={"returned": True})
    assert (answer.effect, answer.allowed, answer.away) == ("hold", False, False)

    timer = later(0.3, lambda: decide(answer.hold, author, verdict))
    said = baton.wait(answer, timeout_s=20)
    timer.join()

    assert (said.effect, said.allowed) == (effect, effect == "allow")
    assert said.told["note"] == (verdict.note or None)


def test_what_is_small_is_allowed_at_once(baton: Baton) -> None:
    assert baton.decide("refund-bot", {**REFUND, "amount": 20}).allowed


def test_silence_is_no_consent(baton: Baton) -> None:
    answer = baton.decide("refund-bot", REFUND)

    said = baton.wait(answer, timeout_s=1, fail="open")

    assert (said.effect, said.hold, said.allowed) == ("hold", answer.hold, False)


def test_the_same_key_asks_once(baton: Baton, tenant: Workspace) -> None:
    first, second = (baton.decide("refund-bot", REFUND, key="order-1") for _ in range(2))

    assert first == second
    assert Hold.objects.filter(workspace=tenant).count() == 1


def test_what_is_wrong_is_told_and_not_tried_again(baton: Baton, served: int) -> None:
    with pytest.raises(Refused, match="urgent"):
        baton.decide("refund-bot", REFUND, urgent=True)
    with pytest.raises(Refused, match="401"):
        Baton(f"http://127.0.0.1:{served}", "bat_unknown", service="x").decide("refund-bot", REFUND)
    with pytest.raises(Refused, match="404"):
        baton.wait("0192d3a0-0000-7000-8000-000000000000")


@pytest.mark.parametrize(("fail", "effect"), [("closed", "deny"), ("open", "allow")])
def test_with_baton_away_the_caller_has_said_what_to_do(fail: str, effect: str) -> None:
    away = Baton("http://127.0.0.1:9", "key", service="x")
    began = time.monotonic()

    answers = [
        away.decide("refund-bot", REFUND, fail=fail, timeout_s=0.5),
        away.wait("some-hold", fail=fail, timeout_s=0.3),
    ]

    assert answers == [Answer(effect, away=True)] * 2
    assert away.decide("refund-bot", REFUND, timeout_s=0.1).effect == "deny"
    assert time.monotonic() - began < 10
