"""`python -m orchestration.demo`: the simulator as a small process of its own, without Django.

Takes its wishes from the environment, where the command `demo` puts them: BATON_DEMO_URL, BATON_KEY (never an argument,
which others could see in `ps`), BATON_DEMO_RATE, BATON_DEMO_SEED.
"""

from __future__ import annotations

import logging
import os
import signal
import threading

from orchestration.demo import company


def main() -> None:
    url, key = os.environ["BATON_DEMO_URL"], os.environ["BATON_KEY"]
    rate, seed = float(os.environ["BATON_DEMO_RATE"]), int(os.environ["BATON_DEMO_SEED"])
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    logging.basicConfig(format="%(asctime)s %(message)s")
    firm = company.found(url, key, seed=seed, per_minute=rate)
    print(f"agents at work for {url}", flush=True)
    firm.stage.play(stop.wait)
    print("agents stopped: {taken} taken, {refused} refused, {dropped} dropped".format(**firm.close()), flush=True)


if __name__ == "__main__":
    main()
