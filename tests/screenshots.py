"""Makes the pictures of the README: starts a demo of its own, waits for its history, and looks at it as a person does.

python -m tests.screenshots [--wait SECONDS] [--to FOLDER]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".github" / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MOST_BYTES = 180_000
WIDE = (1200, 744)


@dataclass(frozen=True, slots=True)
class Picture:
    """`path`: an address; or a list, whose first row that holds `row` is opened. `press`: a button, and what it brings
    into view."""

    name: str
    path: str
    theme: str = "light"
    size: tuple[int, int] = WIDE
    row: str | None = None
    press: tuple[str, str] | None = None


PICTURES = (
    Picture("overview", "/"),
    Picture("overview-dark", "/", "dark"),
    Picture("run", "/runs/?q=Refund&status=completed", row="Refund request"),
    Picture("policy", "/policies/refund-limit/edit/", press=("Save and replay", "Decisions that change")),
)


@dataclass(frozen=True, slots=True)
class Demo:
    address: str
    password: str
    process: subprocess.Popen[str]


@contextmanager
def demo() -> Iterator[Demo]:
    """A Baton with simulated agents, thrown away afterwards."""
    state = tempfile.mkdtemp(prefix="baton-pictures-")
    Path(state).chmod(0o711)  # as root PostgreSQL runs as another account
    env = os.environ | {"BATON_STATE": f"{state}/state", "BATON_PORT": str(free_port())}
    command = [sys.executable, "manage.py", "up", "--demo"]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    try:
        yield started(process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        shutil.rmtree(state, ignore_errors=True)


def started(process: subprocess.Popen[str]) -> Demo:
    """What it prints once pages are up."""
    address = ""
    for line in process.stdout or ():
        print(line, end="")
        if found := re.search(r"Baton\s+(http://\S+)", line):
            address = found[1]
        if (found := re.search(r"log in\s+admin\s+(\S+)", line)) and address:
            return Demo(address, found[1], process)
    raise SystemExit("The demo did not start.")


def told(running: Demo) -> None:
    """Waits until the agents have told their whole past."""
    for line in running.process.stdout or ():
        if "history" in line:
            print(line.rstrip())
        if re.search(r"history\s+all \d+ days", line):
            return
    raise SystemExit("The demo ended before its history was told.")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def take(browser: Browser, running: Demo, picture: Picture, folder: Path) -> Path:
    width, height = picture.size
    context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    context.add_cookies([{"name": "theme", "value": picture.theme, "url": running.address}])
    page = context.new_page()
    log_in(page, running)
    page.goto(running.address + picture.path)
    if picture.row is not None:
        row = page.locator("main tbody tr", has_text=picture.row).first
        row.locator("a[href]").first.click()
        page.wait_for_load_state()
    if picture.press is not None:
        button, brings = picture.press
        page.get_by_role("button", name=button).click()
        page.get_by_text(brings).wait_for(timeout=60_000)
    page.wait_for_timeout(2000)  # the stream is open and charts are drawn
    path = folder / f"{picture.name}.png"
    page.screenshot(path=path)
    context.close()
    return path


def catch_up(browser: Browser, running: Demo) -> None:
    """Waits until what the agents have sent is shown."""
    page = browser.new_page()
    log_in(page, running)
    while "behind" in page.inner_text("main"):
        time.sleep(10)
        page.reload()
    page.close()


def log_in(page: Page, running: Demo) -> None:
    page.goto(f"{running.address}/accounts/login/")
    page.fill("input[name=login]", "admin")
    page.fill("input[name=password]", running.password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(f"{running.address}/")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wait", type=int, default=60, help="seconds in which agents work before pictures are taken")
    parser.add_argument("--to", type=Path, default=FOLDER)
    asked = parser.parse_args()
    asked.to.mkdir(parents=True, exist_ok=True)
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    with demo() as running, sync_playwright() as playwright:
        told(running)
        time.sleep(asked.wait)
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        catch_up(browser, running)
        for picture in PICTURES:
            path = take(browser, running, picture, asked.to)
            size = path.stat().st_size
            print(f"{path}  {size / 1000:.0f} kB{'  (too large)' if size > MOST_BYTES else ''}")
        browser.close()


if __name__ == "__main__":
    main()
