"""`python -m orchestration.demo`: the simulator as a small process of its own, without Django.

Takes its wishes from the environment, where the command `demo` puts them: BATON_DEMO_URL, BATON_KEY (never an argument,
which others could see in `ps`), BATON_DEMO_RATE, BATON_DEMO_SEED; and BATON_DEMO_MEMORY, a folder. With it the company
has a past of thirty days, told once, and goes on after a stop as if there had been none; BATON_DEMO_PAST_KEY is a key
that may tell of decisions of the past. Without the folder each start founds a new company without a past, and a stop
brings what is under way to its end.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from orchestration.demo.arrivals import Plan
from orchestration.demo.company import Company, found
from orchestration.demo.memory import FRESH_NS, RETOLD_NS, Memory, missed
from orchestration.demo.rhythm import Rhythm
from orchestration.demo.stage import Stage, Story

NOTED_S = 10.0


def main() -> None:
    url, key = os.environ["BATON_DEMO_URL"], os.environ["BATON_KEY"]
    rate, seed = float(os.environ["BATON_DEMO_RATE"]), int(os.environ["BATON_DEMO_SEED"])
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    logging.basicConfig(format="%(asctime)s %(message)s")
    folder = os.environ.get("BATON_DEMO_MEMORY")
    while not stop.is_set():
        if folder:
            lived(url, key, Memory(Path(folder), key), (seed, rate), stop)
        else:
            passing(url, key, Plan(Rhythm(time.time_ns(), days=0), seed, rate), stop)


def passing(url: str, key: str, plan: Plan, stop: threading.Event) -> None:
    """A company without a past, and with an end."""
    company = found(url, key, plan, Stage(), asks=True)
    company.open(plan.rhythm.founded_ns)
    print(f"agents at work for {url}", flush=True)
    company.stage.play(stop.wait)
    say_goodbye(company)


def lived(url: str, key: str, memory: Memory, wishes: tuple[int, float], stop: threading.Event) -> None:
    """A company with a past. What it missed while nobody played is told by `history`; what is new, here."""
    now = time.time_ns()
    plan, told = memory.company(now, *wishes)
    gap = missed(plan, told, now)
    if gap:
        memory.write(memory.telling().and_first(gap))
    after = max(told, now - FRESH_NS)
    memory.told(plan, after)
    past = Past(memory)
    past.mind()
    company = found(url, key, plan, Stage(), past_key=os.environ.get("BATON_DEMO_PAST_KEY", ""), asks=True)
    company.asking.lived = memory.live(after)
    company.sight.after_ns = after
    company.open(after)
    company.stage.rush(time.time_ns())
    company.stage.begin(notes(company, past))
    print(f"agents at work for {url}", flush=True)
    company.stage.play(stop.wait, to_the_end=False)
    past.stop()
    if say_goodbye(company)["dropped"] == 0:
        memory.told(plan, company.stage.now())


class Past:
    """The process that tells the past. It ends with us, whatever ends us: then its standard input is closed."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.process: subprocess.Popen[bytes] | None = None

    def mind(self) -> None:
        """Have it told as long as something is left: Baton may have been away for a while."""
        if (self.process is None or self.process.poll() is not None) and self.memory.telling().left:
            command = [sys.executable, "-m", "orchestration.demo.history"]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait()


def notes(company: Company, past: Past) -> Story:
    """Writes down now and then until when all is told, with some reserve for what still waits to be sent."""
    while True:
        yield NOTED_S
        past.memory.told(company.plan, max(company.sight.after_ns, company.stage.now() - RETOLD_NS))
        past.mind()


def say_goodbye(company: Company) -> dict[str, int]:
    counts = company.close()
    print("agents stopped: {taken} taken, {refused} refused, {dropped} dropped".format(**counts), flush=True)
    return counts


if __name__ == "__main__":
    main()
