"""Simulated agents at work, until a signal ends it."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestration.demo import arrivals

CHECKOUT = Path(arrivals.__file__).resolve().parents[2]


class Command(BaseCommand):
    help = (
        "Simulates agents at work and sends what they do to a Baton, as a stranger would: by OTLP and the public API. "
        "Customer service, billing and refund agents, each with an exporter of its own, a bot and a script; with "
        "handoffs, failures, retries, repeated look-ups, and now and then a question to a person. "
        "It outlives Baton's restarts and runs until Ctrl-C or SIGTERM; then what is under way is brought to an end "
        "and sent. Nothing else on the machine is touched: it needs no database."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012  Django's own spelling

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="address of Baton (default: %(default)s)")
        parser.add_argument(
            "--key", default="", help="key with the scope ingest; others on this machine can see it in `ps`"
        )
        parser.add_argument(
            "--key-file", default="", help="file that holds the key; without both: the variable BATON_KEY"
        )
        parser.add_argument(
            "--rate",
            type=a_rate,
            default=arrivals.PER_MINUTE,
            metavar="R",
            help="customers a minute (default: %(default)g; one makes about 20 spans in 15 seconds)",
        )
        parser.add_argument("--seed", type=int, default=1, metavar="S", help="the same seed tells the same stories")

    def handle(self, *args: Any, **options: Any) -> None:
        url = urlsplit(options["url"])
        if url.scheme not in ("http", "https") or not url.hostname:
            raise CommandError("--url must be an address such as http://127.0.0.1:8000")
        wishes = {
            "BATON_KEY": key_of(options["key"], options["key_file"]),
            "BATON_DEMO_URL": options["url"],
            "BATON_DEMO_RATE": str(options["rate"]),
            "BATON_DEMO_SEED": str(options["seed"]),
            "PYTHONPATH": os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        }
        # Django and what comes with it would cost 60 MB for as long as the simulator runs, and it needs none of it
        os.execve(sys.executable, [sys.executable, "-m", "orchestration.demo"], os.environ | wishes)  # noqa: S606


def key_of(key: str, file: str) -> str:
    """The key, from whichever place names it first."""
    if not key and file:
        try:
            key = Path(file).read_text()
        except OSError as error:
            raise CommandError(f"--key-file {file} cannot be read: {error.strerror}") from error
    key = (key or os.environ.get("BATON_KEY", "")).strip()
    if not key:
        raise CommandError("No key: give --key, --key-file or the variable BATON_KEY (manage.py create_key makes one).")
    return key


def a_rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 600:
        raise ArgumentTypeError("must be a number above 0, and at most 600")
    return rate
