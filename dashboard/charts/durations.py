"""Plotly figures of how long runs take, without colours: the page adds those of its theme (`static/js/charts.js`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log10
from typing import Any

from django.utils import timezone

from orchestration.lib.stats import BOUNDS_US
from orchestration.lib.templatetags.baton import duration, number
from orchestration.workflows.paces import Pace

NAMES_APART = 0.07  # of the chart's height
FEW = 5  # runs below which a part of the window is a gap
QUANTILES = ((0.1, "p10"), (0.5, "p50"), (0.9, "p90"), (0.99, "p99"))
_TICKS = (1, 10, 100, 1e3, 1e4, 6e4, 6e5, 3.6e6, 1.44e7, 8.64e7, 6.048e8, 2.592e9)  # 1 ms … 1 m 1 h 1 d 30 d
_BETWEEN = (2, 5, 20, 50, 200, 500, 2e3, 5e3, 3e4, 1.2e5, 3e5, 1.8e6, 7.2e6, 2.88e7, 4.32e7, 1.728e8, 1.2096e9)
_FEW_TICKS = 3


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure, and the same in words and numbers."""

    id: str
    words: str
    figure: dict[str, Any]
    heads: list[str]
    rows: list[list[str]]


def bands(parts: Sequence[Pace], since: datetime, until: datetime) -> Chart | None:
    """p10 to p90 as a band, p50 as a line, p99 dotted, over the window."""
    step = (until - since) / len(parts)
    at = [timezone.localtime(since + step * (i + 0.5)) for i in range(len(parts))]  # as the viewer's clock says
    lines = {name: [part.percentile(q) if part.n >= FEW else None for part in parts] for q, name in QUANTILES}
    known = [value for line in lines.values() for value in line if value]
    if len(known) < 2 * len(QUANTILES):
        return None
    x = [moment.replace(tzinfo=None).isoformat() for moment in at]
    axis = _log(known)
    traces = [
        *_band(x, lines["p10"], lines["p90"]),
        _line(x, lines["p50"], "p50", "main"),
        _line(x, lines["p99"], "p99", "far"),
    ]
    _unname_close(traces, axis["range"])
    words = (
        f"Durations over time: the median goes from {_ends(lines['p50'])}, nine in ten end within {_ends(lines['p90'])}"
    )
    rows = [
        [_when(moment, step), number(part.n), *(duration(lines[name][i]) for _, name in QUANTILES)]
        for i, (moment, part) in enumerate(zip(at, parts, strict=True))
        if part.n
    ]
    marks = "%-d %b" if until - since > timedelta(days=2) else "%H:%M"
    layout = {"yaxis": axis, "xaxis": {"type": "date", "tickformat": marks}, "hovermode": "x unified"}
    return Chart(
        "bands", words, {"data": traces, "layout": layout}, ["Around", "Runs", "p10", "p50", "p90", "p99"], rows
    )


def histogram(whole: Pace) -> Chart | None:
    """How many runs took how long, on a log scale of durations."""
    counts = [max(0, count or 0) for count in whole.counts]
    filled = [i for i, count in enumerate(counts) if count]
    if not filled:
        return None
    first, last = max(0, filled[0] - 1), min(len(counts) - 1, filled[-1] + 1)
    places = list(range(first, last + 1))
    inside = _marks(lambda ms: (place := _place(ms)) is not None and first <= place <= last)
    marks = [(_place(ms), duration(ms)) for ms in inside]
    trace = {
        "type": "bar",
        "x": places,
        "y": [counts[i] for i in places],
        "customdata": [_between(i) for i in places],
        "hovertemplate": "%{y} runs, %{customdata}<extra></extra>",
        "meta": "bars",
    }
    layout = {
        "xaxis": {"tickvals": [place for place, _ in marks], "ticktext": [text for _, text in marks]},
        "yaxis": {"rangemode": "tozero"},
    }
    most = max(filled, key=lambda i: counts[i])
    words = f"Durations of {number(whole.n)} runs on a log scale; most took {_between(most)}"
    rows = [[_between(i), number(counts[i])] for i in filled]
    return Chart("spread", words, {"data": [trace], "layout": layout}, ["Took", "Runs"], rows)


def _line(x: Sequence[str], y: Sequence[float | None], name: str, part: str) -> dict[str, Any]:
    said = [duration(value) for value in y]
    return {
        "type": "scatter",
        "mode": "lines+markers" if _lonely(y) else "lines",
        "x": list(x),
        "y": list(y),
        "name": name,
        "meta": part,
        "customdata": said,
        "hovertemplate": f"{name} %{{customdata}}<extra></extra>",
    }


def _band(x: Sequence[str], low: Sequence[float | None], high: Sequence[float | None]) -> Iterator[dict[str, Any]]:
    """The band, anew after each gap: filled across one it would claim what is not known."""
    begin = 0
    for end in [*(i for i, value in enumerate(low) if value is None), len(low)]:
        if end > begin:
            yield _line(x[begin:end], low[begin:end], "p10", "edge")
            yield {**_line(x[begin:end], high[begin:end], "p90", "edge"), "fill": "tonexty"}
        begin = end + 1


def _unname_close(traces: Sequence[dict[str, Any]], bounds: Sequence[float]) -> None:
    """Lines are named at their ends, each once: of names that would lie on each other the later one stays."""
    taken: list[float] = []
    seen: set[str] = set()
    for trace in reversed(traces):
        last = next((value for value in reversed(trace["y"]) if value is not None), None)
        place = (log10(last) - bounds[0]) / (bounds[1] - bounds[0]) if last else 0.0
        if trace["name"] in seen or any(abs(place - other) < NAMES_APART for other in taken):
            trace["name"] = ""
            continue
        seen.add(trace["name"])
        taken.append(place)


def _lonely(y: Sequence[float | None]) -> bool:
    """Whether a point has no neighbour to be joined with: it would not be seen."""
    padded = [None, *y, None]
    return any(b is not None and a is None and c is None for a, b, c in zip(padded, y, padded[2:], strict=False))


def _log(values: Sequence[float]) -> dict[str, Any]:
    low, high = log10(min(values)), log10(max(values))
    marks = _marks(lambda ms: low - 0.15 <= log10(ms) <= high + 0.15)
    return {
        "type": "log",
        "range": [low - 0.15, high + 0.15],
        "tickvals": marks,
        "ticktext": [duration(ms) for ms in marks],
    }


def _marks(fits: Callable[[float], bool]) -> list[float]:
    """Round times that lie on an axis; where these are few, those between them too."""
    rough = [ms for ms in _TICKS if fits(ms)]
    return rough if len(rough) >= _FEW_TICKS else sorted([*rough, *filter(fits, _BETWEEN)])


def _place(ms: float) -> float | None:
    """Where a duration lies on the axis of the histogram's buckets."""
    top = BOUNDS_US[-1] / 1000
    return 3 * log10(ms) / log10(2) if ms <= top else None


def _between(bucket: int) -> str:
    high = duration(BOUNDS_US[bucket] / 1000)
    return f"{duration(BOUNDS_US[bucket - 1] / 1000)} to {high}" if bucket else f"up to {high}"


def _ends(line: Sequence[float | None]) -> str:
    known = [value for value in line if value is not None]
    return f"{duration(known[0])} to {duration(known[-1])}" if known else "unknown"


def _when(at: datetime, step: timedelta) -> str:
    return at.strftime("%d %b" if step >= timedelta(hours=20) else "%d %b %H:%M")
