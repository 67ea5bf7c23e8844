"""The small line of a tile, as SVG paths. A gap in the data is a gap in the line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

WIDTH, HEIGHT, TOP, FOOT = 160.0, 28.0, 4.0, 24.0


@dataclass(frozen=True, slots=True)
class Spark:
    """`line` for the stroke, `area` for the tint below it; both "" where there is nothing to draw."""

    line: str
    area: str
    tone: str  # agent | human | fail


def spark(points: Sequence[float | None], tone: str = "agent", bounds: tuple[float, float] | None = None) -> Spark:
    """Scaled between its own least and greatest value, which zero belongs to: a small change stays small. Or between
    two bounds that are told beside it; what lies outside is drawn at the edge."""
    known = [point for point in points if point is not None]
    if len(known) < 2 or not any(known):
        return Spark("", "", tone)
    low, high = bounds or (min(0.0, *known), max(known))
    step = (WIDTH - 2) / max(1, len(points) - 1)
    places = [
        (1 + i * step, FOOT - (FOOT - TOP) * (min(high, max(low, p)) - low) / (high - low) if p is not None else None)
        for i, p in enumerate(points)
    ]
    pieces = [
        [(x, y) for x, y in group if y is not None] for has, group in groupby(places, lambda p: p[1] is not None) if has
    ]
    return Spark(" ".join(map(_line, pieces)), " ".join(map(_area, pieces)), tone)


def _line(piece: list[tuple[float, float]]) -> str:
    if len(piece) == 1:  # a lone point is drawn as a dash, or it would not be seen
        (x, y) = piece[0]
        return f"M{x - 1.5:.1f} {y:.1f}h3"
    return "M" + " ".join(f"{x:.1f} {y:.1f}" for x, y in piece)


def _area(piece: list[tuple[float, float]]) -> str:
    if len(piece) == 1:
        return ""
    return f"{_line(piece)}V{HEIGHT:.0f}H{piece[0][0]:.1f}Z"
