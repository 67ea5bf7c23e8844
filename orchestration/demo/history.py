"""Tells the past, chapter by chapter, through the same doors as the present: `python -m orchestration.demo.history`.

A process of its own, so that its memory goes with it. It may be stopped at any moment: what a chapter has sent is the
same when it is sent again, to the last id, and Baton takes a repeat as what it is.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

from orchestration.client import Sending
from orchestration.demo.arrivals import KINDS, Plan
from orchestration.demo.company import Company, found
from orchestration.demo.memory import Chapter, Memory, Telling
from orchestration.demo.rhythm import DAY, HOUR, PAST_DAYS
from orchestration.demo.stage import Stage

# it has time: whoever is told too much at once says so, and then it waits
PATIENT = Sending(batch=512, queue=1024, linger_s=0.3, timeout_s=30.0, patience_s=3600.0, waits=True)
MOST_WAITING = 8_000
LONGEST_WAIT_S = 30.0
BACKLOG = re.compile(rb"^baton_backlog_items ([0-9.e+]+)", re.MULTILINE)
KEPT_NS = PAST_DAYS * DAY - HOUR // 2  # what is older will not be taken


def courtesy(url: str) -> Callable[[], None]:
    """Waits while much is still to be digested: else the present, which the pages show, would queue behind the past."""

    def wait() -> None:
        until = time.monotonic() + LONGEST_WAIT_S
        while waiting(url) > MOST_WAITING and time.monotonic() < until:
            time.sleep(0.1)

    return wait


def waiting(url: str) -> float:
    """How much Baton has taken and not yet digested, by its own figures; 0 when it does not say."""
    try:
        with urlopen(f"{url.rstrip('/')}/metrics", timeout=5.0) as answer:  # noqa: S310  the address we send to
            found = BACKLOG.search(answer.read(1 << 20))
    except (OSError, ValueError):
        return 0.0
    return float(found[1]) if found else 0.0


def tell(company: Company, chapter: Chapter) -> bool:
    """Play a chapter; whether Baton has taken all of it."""
    stage, sight = company.stage, company.sight
    oldest = stage.clock() - KEPT_NS
    sight.after_ns, sight.until_ns, sight.signs = max(chapter.after_ns, oldest), chapter.before_ns, False
    before = company.counts()["dropped"]
    if chapter.whole:
        since = max(chapter.since_ns, oldest)
        for kind in KINDS:
            for arrival in company.plan.between(kind, since, chapter.until_ns):
                company.start(arrival)
    else:
        company.remember(oldest, chapter.until_ns)
    stage.rush(chapter.before_ns)
    stage.clear()
    return company.flush(PATIENT.patience_s) and company.counts()["dropped"] == before


def tell_all(
    url: str, key: str, plan: Plan, memory: Memory, say: Callable[[Telling], None], *, past_key: str = ""
) -> Telling:
    telling, begun = memory.telling(), time.monotonic()
    before = telling.seconds
    company = found(url, key, plan, Stage(), PATIENT, past_key=past_key)
    company.asking.lived = memory.lived
    company.sight.breathe = courtesy(url)
    while telling.left:
        spans, events = company.sight.spans, company.sight.events
        if not tell(company, telling.left[0]):
            break  # the next start tries again
        del telling.left[0]
        telling.spans += company.sight.spans - spans
        telling.events += company.sight.events - events
        telling.seconds = before + time.monotonic() - begun
        memory.write(telling)
        say(telling)
    company.close()
    return telling


def main() -> None:
    """Ends with whoever started it: its standard input is closed then. It takes no time from the pages."""
    os.nice(5)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
    key, folder = os.environ["BATON_KEY"], Path(os.environ["BATON_DEMO_MEMORY"])
    memory = Memory(folder, key)
    plan, _ = memory.company(time.time_ns(), 0, 1.0)
    past_key = os.environ.get("BATON_DEMO_PAST_KEY", "")
    tell_all(os.environ["BATON_DEMO_URL"], key, plan, memory, report, past_key=past_key)


def report(telling: Telling) -> None:
    done = telling.of - len(telling.left)
    print(f"history: part {done} of {telling.of}, {telling.spans:,} spans, {telling.seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
