"""What Baton costs when nothing happens."""

from __future__ import annotations

import time

from tests.bench.report import Report
from tests.bench.stand import Stand

MEMORY_MB = 700.0


def measure(stand: Stand, report: Report) -> None:
    time.sleep(3)
    before, begun = stand.cpu(), time.monotonic()
    time.sleep(5)
    used = sum(stand.cpu().values()) - sum(before.values())
    parts = stand.memory()
    report.most("memory of everything, idle", sum(parts.values()), MEMORY_MB, "MB")
    report.add("  by part", ", ".join(f"{part} {size:.0f}" for part, size in parts.items()))
    report.add("  CPU of everything, idle", f"{used / (time.monotonic() - begun):.1%} of a core")
