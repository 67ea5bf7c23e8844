"""`manage.py demo` as a person or the launcher starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from orchestration.demo.arrivals import Plan
from orchestration.demo.company import found
from orchestration.demo.history import PATIENT, tell
from orchestration.demo.management.commands.demo import Command
from orchestration.demo.memory import Memory, Telling, past_of
from orchestration.demo.stage import Stage
from tests.client.receiver import receiver
from tests.waiting import LONG_S, came_true

CHECKOUT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "manage.py", "demo"]


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=CHECKOUT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_it_works_until_it_is_told_to_end_and_then_sends_all_it_has(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("a-secret-key\n")
    with receiver() as got:
        process = start("--url", got.url, "--key-file", str(key), "--rate", "60")
        assert came_true(lambda: got.spans and got.events)
        argv = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.send_signal(signal.SIGTERM)
        words, _ = process.communicate(timeout=LONG_S)

    assert process.returncode == 0
    assert f"{len(got.spans) + len(got.events)} taken, 0 refused, 0 dropped" in words
    known = {span["spanId"] for span in got.spans}
    assert all(span["parentSpanId"] in known for span in got.spans if "parentSpanId" in span)
    assert got.requests[0][1]["Authorization"] == "Bearer a-secret-key"
    assert b"a-secret-key" not in argv
    assert int(status.partition("VmRSS:")[2].split()[0]) < 60_000


def test_a_past_is_told_once_and_a_hard_end_loses_none_of_it(tmp_path: Path) -> None:
    def enough() -> bool:
        return bool(got.spans) and "history: part 1 " in log.read_text()

    log = tmp_path / "log"
    memory = Memory(tmp_path / "memory", "a-key")
    plan, _ = memory.company(time.time_ns(), 1, 0.4)
    memory.write(Telling(past_of(plan).left[:3], 3))
    with receiver() as got:
        about = {"BATON_KEY": "a-key", "BATON_DEMO_URL": got.url, "BATON_DEMO_RATE": "1", "BATON_DEMO_SEED": "1"}
        about |= {"BATON_DEMO_MEMORY": str(memory.folder)}
        for number in (signal.SIGKILL, signal.SIGTERM):
            with log.open("w") as out:
                process = subprocess.Popen(
                    [sys.executable, "-m", "orchestration.demo"], cwd=CHECKOUT, env=os.environ | about, stdout=out
                )
                while not (enough() if number == signal.SIGKILL else not memory.telling().left):
                    time.sleep(0.02)
                process.send_signal(number)
                process.wait(LONG_S)

    assert process.returncode == 0
    assert {span["spanId"] for span in got.spans} >= told_of(plan)
    assert memory.telling().left == []


def told_of(plan: Plan) -> set[str]:
    """The spans of the three days, told without any trouble."""
    with receiver() as got:
        company = found(got.url, "a-key", plan, Stage(), PATIENT)
        assert all(tell(company, chapter) for chapter in past_of(plan).left[:3])
        company.close(30.0)
    return {span["spanId"] for span in got.spans}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--key=k", "--url=ftp://x"), "--url must be an address"),
        (("--key-file=/nowhere/key",), "cannot be read"),
        (("--key=k", "--rate=0"), "above 0"),
        ((), "No key"),
    ],
)
def test_a_wish_that_makes_no_sense_is_answered_with_a_sentence(
    arguments: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BATON_KEY", raising=False)

    with pytest.raises(CommandError, match=words):
        call_command("demo", *arguments)


def test_help_says_what_each_wish_does() -> None:
    words = Command().create_parser("manage.py", "demo").format_help()

    assert all(wish in words for wish in ("--url", "--key-file", "--rate", "--seed", "BATON_KEY"))
