"""Round times along an axis."""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.lib.templatetags.baton import duration

MOST = 7
SECOND, MINUTE, HOUR, DAY = 1000.0, 60_000.0, 3_600_000.0, 86_400_000.0
_STEPS = (
    *(base * 10**power for power in range(3) for base in (1.0, 2.0, 5.0)),
    *(n * SECOND for n in (1, 2, 5, 10, 15, 30)),
    *(n * MINUTE for n in (1, 2, 3, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)),
    *(n * DAY for n in (1, 2, 7, 14, 30, 90, 365)),
)


@dataclass(frozen=True, slots=True)
class Tick:
    x: str
    text: str


def ticks(whole_ms: float, left: float, right: float, free: float) -> list[Tick]:
    """From 0 on, at most MOST of them; none within `free` of the right end, where something else is written."""
    step = next((step for step in _STEPS if whole_ms / step < MOST), _STEPS[-1] * max(1, whole_ms // _STEPS[-1] // 6))
    found = []
    at = 0.0
    while at <= whole_ms:
        x = left + (right - left) * at / whole_ms if whole_ms else left
        if x <= right - free + 24 or at == 0:
            found.append(Tick(f"{x:.1f}", _text(at, step, whole_ms)))
        at += step
    return found


def clock_text(ms: float) -> str:
    """The time at the end of an axis, as its ticks are written."""
    if ms < MINUTE:
        return duration(ms)
    minutes, seconds = divmod(round(ms / SECOND), 60)
    return f"{minutes}:{seconds:02}" if ms < HOUR else duration(ms)


def _text(ms: float, step: float, whole_ms: float) -> str:
    """3:00 where minutes are told, else as durations are written."""
    if SECOND <= step < HOUR and MINUTE <= whole_ms < HOUR:
        minutes, seconds = divmod(round(ms / SECOND), 60)
        return f"{minutes}:{seconds:02}"
    if SECOND <= step < HOUR <= whole_ms:
        hours, minutes = divmod(round(ms / MINUTE), 60)
        return f"{hours}:{minutes:02} h"
    return duration(ms) if ms else "0"
