"""How quick pages are with thirty days stored: once with few spans behind them, then with many.

Every page of the menu, the first workflow, agent and run, each region of the overview by itself as a page in use asks
for it, and the figures of the API. What is told is what a client waits for on this machine, the network left out.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from functools import partial

import httpx

from tests.bench.load import spread_over
from tests.bench.report import Report, percentile
from tests.bench.sending import closed_loop
from tests.bench.stand import Stand, Tenant
from tests.bench.traces import Shape

PAGE_MS = 150.0
GROWTH = 1.5  # times as long as with few spans
FEW_MS = 20.0  # below this, what doubles is noise
FEW = 100_000
DAYS = 29  # a day less than spans are kept
RANGES = ("24h", "30d")
API = (
    *(f"/api/v1/overview?window={window}" for window in ("1h", "24h", "30d")),
    "/api/v1/runs",
    "/api/v1/agents",
    "/api/v1/workflows",
    "/api/v1/systems",
)
PAGES = (
    *(f"/?range={range_}" for range_ in RANGES),
    "/runs/",
    "/runs/?state=failed",
    "/runs/?range=30d&sort=took",
    "/agents/",
    *(f"/workflows/?range={range_}" for range_ in RANGES),
    "/inbox/",
    "/policies/",
    "/routing/",
    "/handoffs/",
    "/actions/",
    "/ledger/",
    "/settings/health/",
)
REGIONS = ("answers", "load", "attention", "flows")

Ask = Callable[[], object]


def measure(stand: Stand, report: Report, spans: int, tries: int) -> None:
    tenant = stand.default()
    fill(tenant, report, min(FEW, spans))
    client = log_in(stand)
    few = many = all_times(client, tenant, tries)
    if spans > FEW:
        fill(tenant, report, spans)
        many = all_times(client, tenant, tries)
    report.add("stored", f"{tenant.spans():,} spans in {DAYS} days")
    for what, (half, slow) in many.items():
        before = few.get(what, (half, slow))[1]
        grown = slow / max(before, FEW_MS)
        report.add(
            what,
            f"p50 {half:,.0f} p95 {slow:,.0f} ms",
            budget=f"≤ {PAGE_MS:g} ms, {GROWTH} times of few",
            ratio=f"{slow / PAGE_MS:.2f}, {grown:.1f} times",
            good=slow <= PAGE_MS and grown <= GROWTH,
        )


def fill(tenant: Tenant, report: Report, spans: int) -> None:
    """Until so many are stored."""
    lacking = spans - tenant.spans()
    report.say(f"making {lacking:,} spans of {DAYS} days")
    requests = spread_over(DAYS, max(0, lacking) // Shape.spans + 1)
    begun = time.monotonic()
    sent = closed_loop(tenant.stand.url, tenant.key, requests)
    tenant.settled(600)
    report.say(f"{tenant.spans():,} stored, {sent.spans / (time.monotonic() - begun):,.0f} a second")
    with tenant.stand.connect() as connection:
        connection.execute("analyze")  # as autovacuum does long before so much has come


def all_times(client: httpx.Client, tenant: Tenant, tries: int) -> dict[str, tuple[float, float]]:
    """Median and 95th percentile in ms, by what was asked for."""
    asked: dict[str, Ask] = {path: partial(tenant.get, path) for path in API}
    asked |= {f"page {path}": partial(page, client, path) for path in [*PAGES, *first_ones(client)]}
    for range_ in RANGES:
        asked |= {f"region {each} of {range_}": partial(page, client, f"/?range={range_}", each) for each in REGIONS}
    return {what: times(ask, tries) for what, ask in asked.items()}


def first_ones(client: httpx.Client) -> Sequence[str]:
    """The page of one workflow, agent and run each."""
    found = [
        re.search(rf'href="(/{kind}s/(?!new)[\w-]{{3,}}/)', client.get(f"/{kind}s/").text)
        for kind in ("workflow", "agent", "run")
    ]
    paths = [one[1] for one in found if one]
    return [*paths, *(f"{path}?range=30d" for path in paths if not path.startswith("/runs/"))]


def times(ask: Ask, tries: int) -> tuple[float, float]:
    waits = []
    ask()
    for _ in range(tries):
        begun = time.perf_counter()
        ask()
        waits.append((time.perf_counter() - begun) * 1000)
    waits.sort()
    return percentile(waits, 0.5), percentile(waits, 0.95)


def page(client: httpx.Client, path: str, region: str = "") -> None:
    client.get(path, headers={"HX-Request": "true", "HX-Target": region} if region else {}).raise_for_status()


def log_in(stand: Stand) -> httpx.Client:
    """As the admin that a first start prints."""
    found = re.search(r"admin\s+(\S+)", (stand.folder / "up.log").read_text())
    assert found
    client = httpx.Client(base_url=stand.url, follow_redirects=True, timeout=20)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get("/accounts/login/").text)
    assert token
    answer = client.post(
        "/accounts/login/",
        data={"login": "admin", "password": found[1], "csrfmiddlewaretoken": token[1]},
        headers={"Referer": stand.url},
    )
    if "login" in answer.url.path:
        raise RuntimeError("could not log in as admin")
    return client
