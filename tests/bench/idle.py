"""What Baton costs when nothing happens, and how quickly it shows what is stored."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial

import httpx

from tests.bench.load import templates
from tests.bench.report import Report, percentile
from tests.bench.sending import closed_loop
from tests.bench.stand import Stand

MEMORY_MB, PAGE_MS = 700.0, 150.0
API = (
    "/api/v1/overview?window=1h",
    "/api/v1/overview?window=24h",
    "/api/v1/runs",
    "/api/v1/agents",
    "/api/v1/workflows",
    "/api/v1/systems",
)
PAGES = ("/", "/runs/", "/agents/", "/workflows/", "/settings/health/")


def measure(stand: Stand, report: Report, tries: int) -> None:
    memory(stand, report)
    tenant = stand.default()
    if not tenant.spans():
        choice = templates(8)
        closed_loop(stand.url, tenant.key, choice * 8)
        tenant.settled()
    report.add("spans stored in the workspace asked", f"{tenant.spans():,}")
    for path in API:
        times(report, path, partial(tenant.get, path), tries)
    client = log_in(stand)
    for path in PAGES:
        times(report, f"page {path}", partial(page, client, path), tries)


def memory(stand: Stand, report: Report) -> None:
    time.sleep(3)
    before, begun = stand.cpu(), time.monotonic()
    time.sleep(5)
    used = sum(stand.cpu().values()) - sum(before.values())
    parts = stand.memory()
    report.most("memory of everything, idle", sum(parts.values()), MEMORY_MB, "MB")
    report.add("  by part", ", ".join(f"{part} {size:.0f}" for part, size in parts.items()))
    report.add("  CPU of everything, idle", f"{used / (time.monotonic() - begun):.1%} of a core")


def times(report: Report, what: str, ask: Callable[[], object], tries: int) -> None:
    waits = []
    try:
        ask()
        for _ in range(tries):
            begun = time.perf_counter()
            ask()
            waits.append((time.perf_counter() - begun) * 1000)
    except httpx.HTTPError as error:
        report.add(what, f"no answer: {str(error).splitlines()[0]}", good=False)
        return
    waits.sort()
    report.most(f"{what}, p95", percentile(waits, 0.95), PAGE_MS, "ms")


def page(client: httpx.Client, path: str) -> None:
    client.get(path).raise_for_status()


def log_in(stand: Stand) -> httpx.Client:
    """As the admin that a first start prints."""
    found = re.search(r"admin\s+(\S+)", (stand.folder / "up.log").read_text())
    assert found
    client = httpx.Client(base_url=stand.url, follow_redirects=True, timeout=20)
    page = client.get("/accounts/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token
    answer = client.post(
        "/accounts/login/",
        data={"login": "admin", "password": found[1], "csrfmiddlewaretoken": token[1]},
        headers={"Referer": stand.url},
    )
    if "login" in answer.url.path:
        raise RuntimeError("could not log in as admin")
    return client
