"""Everything on this machine, in front: engines, tables, people, web, workers, beat, and for the demo the agents."""

from __future__ import annotations

import gc
import signal
import time
import urllib.request
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.error import URLError

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connections

from orchestration.config import checks, engines, first_run
from orchestration.config.processes import wait_for
from orchestration.config.progress import Progress
from orchestration.config.state import State, locked
from orchestration.config.supervise import Supervisor, end_old, listen, share_memory
from orchestration.telemetry.retention import ensure_partitions

USUAL = settings.BASE_DIR / "var" / "run"
PARTS = ("demo", "beat", "replay", "worker", "digest", "web")


class Command(BaseCommand):
    help = "Starts Baton and stays in front; Ctrl-C ends all of it."
    requires_system_checks = ()  # they import all pages: whoever is told that it runs already need not wait for that

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="with users for three roles and simulated agents")

    asked = False  # to end

    def handle(self, *args: Any, demo: bool, **options: Any) -> None:
        state: State = settings.STATE
        lock = state.lock("up.lock")
        if not locked(lock):
            self.stdout.write(f"Baton already runs on {state.folder}: {address_file(state).read_text().strip()}")
            return
        begun = time.monotonic()
        for number in (signal.SIGINT, signal.SIGTERM):  # until the supervisor listens
            signal.signal(number, self.interrupt)
        end_old([state.pids / name for name in PARTS])
        try:
            with engines.attached(state, lasting=False) as embedded:
                self.run(state, embedded, demo=demo, begun=begun)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(f"The database that DATABASE_URL names does not serve us: {error}") from error
        except KeyboardInterrupt:
            self.stdout.write("\nStopped before it was ready.")
        finally:
            lock.close()

    def interrupt(self, *_: object) -> None:
        """Noted too, since what is raised while a process forks is lost."""
        self.asked = True
        raise KeyboardInterrupt

    def run(self, state: State, embedded: list[engines.Engine], *, demo: bool, begun: float) -> None:
        self.check()
        from orchestration.config import roles  # noqa: PLC0415  with all pages, as above

        gc.enable()  # `manage.py` has imported without it; migrations leave much behind
        if first_run.migrate(embedded):
            self.stdout.write("Tables are up to date.")
        ensure_partitions()
        passwords = first_run.ensure_people(state, demo=demo)
        demo_keys = first_run.ensure_demo_keys(state) if demo else ("", "")
        if demo:
            first_run.ensure_demo_policies()
        for warning in checks.ledger(None, databases=["default"]):
            self.stderr.write(self.style.WARNING(str(warning)))
        connections.close_all()
        server, port = listen(settings.BATON_HOST, settings.BATON_PORT)
        address = local_address(port)
        address_file(state).write_text(address + "\n")
        roles.preload()
        share_memory()
        supervisor = Supervisor(state)
        for engine in embedded:
            supervisor.adopt(engine)
        with supervisor.listening():
            try:
                supervisor.ending = self.asked
                roles.begin(supervisor, server)
                self.await_pages(supervisor, address)
                if demo:
                    supervisor.add("demo", roles.demo(address, *demo_keys), nice=5)
                    supervisor.each_round = Progress(roles.demo_memory(), self.stdout).show
                self.greet(address, passwords, state, time.monotonic() - begun)
                supervisor.watch()
                self.stdout.write("\nStopping …")
            finally:
                supervisor.stop()
                address_file(state).unlink(missing_ok=True)

    def await_pages(self, supervisor: Supervisor, address: str) -> None:
        """Returns once pages are served. Raises KeyboardInterrupt."""
        if not wait_for(lambda: supervisor.ending or served(supervisor, address), 30, pause=0.05):
            self.stdout.write(f"The web process does not answer. Its log: {supervisor.state.logs / 'web.log'}")
        if supervisor.ending:
            raise KeyboardInterrupt

    def greet(self, address: str, passwords: dict[str, str], state: State, seconds: float) -> None:
        public = settings.PUBLIC_URL.geturl() if settings.PUBLIC_URL else address
        lines = ["", f"  Baton      {public}    (ready after {seconds:.1f} s)"]
        if public != address:
            lines.append(f"  on this machine  {address}")
        lines += [f"  log in     {name:10} {password}" for name, password in passwords.items()]
        here = "" if state.folder == USUAL else f"BATON_STATE={state.folder} "
        lines += [
            f"  a key      {here}.venv/bin/python manage.py create_key --workspace default --name NAME --scopes ingest",
            f"  exporter   OTEL_EXPORTER_OTLP_ENDPOINT={public}",
            f"  logs       {state.logs}",
            "  Ctrl-C ends all of it.",
            "",
        ]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()


def address_file(state: State) -> Path:
    return state.folder / "address"


def local_address(port: int) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.BATON_HOST, settings.BATON_HOST)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{port}"


def served(supervisor: Supervisor, address: str) -> bool:
    """One look while starting; what dies meanwhile is started again then too."""
    supervisor.tend()
    return serves(address)


def serves(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=2) as answer:  # noqa: S310  an address of ours
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
