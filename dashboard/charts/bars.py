"""Bars of a table's cell: shares of elapsed time, durations on a log scale, a step's place in its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10

from orchestration.workflows.stats import Shares

THINNEST = 0.4  # per cent: what is there is seen


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar in per cent of its width, as text for an SVG attribute."""

    x: str
    width: str
    tone: str  # agent | human | wait | tool | fail | mute


@dataclass(frozen=True, slots=True)
class Whisker:
    """p50 to p90 as a bar on a line from p10 to p99, in per cent of a log scale."""

    p10: str
    p50: str
    width: str
    p99: str
    words: str


def shares_bar(shares: Shares | None) -> list[Piece]:
    if shares is None:
        return []
    parts = (("agent", shares.agents), ("human", shares.people), ("wait", shares.waiting))
    pieces, x = [], 0.0
    for tone, share in parts:
        width = 100 * max(0.0, share)
        if width:
            pieces.append(Piece(f"{x:.2f}", f"{width:.2f}", tone))
        x += width
    return pieces


def stacked(parts: Sequence[tuple[str, float]], whole: float) -> list[Piece]:
    """Parts laid end to end over a whole: (tone, amount)."""
    pieces, x = [], 0.0
    for tone, amount in parts:
        if amount > 0 and whole > 0:
            width = 100 * amount / whole
            pieces.append(Piece(f"{x:.2f}", f"{max(THINNEST, width):.2f}", tone))
            x += width
    return pieces


def placed(offset_ms: float, duration_ms: float, whole_ms: float, tone: str) -> Piece:
    """Where a step lies in its run. A moment is drawn as thin as can be seen, and inside the bar."""
    if whole_ms <= 0:
        return Piece("0.00", "100.00", tone)
    x = min(100.0, max(0.0, 100 * offset_ms / whole_ms))
    width = max(THINNEST, min(100 - x, 100 * duration_ms / whole_ms))
    return Piece(f"{min(x, 100 - width):.2f}", f"{width:.2f}", tone)


class LogScale:
    """A shared scale for the durations of a table, a little wider than what is in it."""

    def __init__(self, values: Sequence[float | None]) -> None:
        known = [value for value in values if value]
        self._low = log10(min(known)) - 0.15 if known else 0.0
        self._high = log10(max(known)) + 0.05 if known else 1.0

    def place(self, ms: float) -> float:
        span = self._high - self._low
        return min(100.0, max(0.0, 100 * (log10(max(ms, 1e-3)) - self._low) / span)) if span > 0 else 50.0

    def whisker(self, times: Sequence[float | None], words: str) -> Whisker | None:
        """Of p10, p50, p90 and p99."""
        known = [ms for ms in times if ms is not None]
        if len(known) < 4:
            return None
        low, middle, high, end = map(self.place, known)
        return Whisker(
            f"{low:.2f}", f"{middle:.2f}", f"{max(THINNEST, high - middle):.2f}", f"{max(end, high):.2f}", words
        )
