"""Tickets a day and missed errors over the limit: two small charts over one axis, so that the trade is seen. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.charts.durations import Chart
from dashboard.policy_words import grouped
from orchestration.lib.templatetags.baton import number

TOP, FOOT = [0.46, 1.0], [0.0, 0.34]  # of the height: tickets above, errors below
TITLE = {"text": "Limit for acting alone", "font": {"size": 11}}


def curve(points: Sequence[Mapping[str, Any]], days: float, now: float | None, draft: float | None) -> Chart | None:
    """`points`: what another limit would have meant; `now` and `draft`: the limits of the live version and of this."""
    if len(points) < 2:
        return None
    limits = [float(point["limit"]) for point in points]
    tickets = [point["tickets"] / max(days, 1.0) for point in points]
    missed = [point["missed"] for point in points]
    marked = [(value, name) for value, name in ((now, "now"), (draft, "draft")) if value is not None]
    data = [_area(limits, tickets, "y", "human", "tickets a day"), _area(limits, missed, "y2", "fail", "missed errors")]
    for value, _ in marked:
        data += [_dot(limits, tickets, value, "y", "human"), _dot(limits, missed, value, "y2", "fail")]
    words = _words(limits, tickets, missed, marked)
    rows = [[grouped(at), f"{t:.1f}", number(m)] for at, t, m in zip(limits, tickets, missed, strict=True)]
    figure = {"data": data, "layout": _layout(limits, tickets, missed, marked)}
    return Chart("tradeoff", words, figure, ["Limit", "Tickets a day", "Missed errors"], rows)


def at(limits: Sequence[float], values: Sequence[float], limit: float) -> float:
    """The value of the greatest limit that is not above `limit`."""
    return next((v for x, v in zip(reversed(limits), reversed(values), strict=True) if x <= limit), values[0])


def _area(x: Sequence[float], y: Sequence[float], axis: str, look: str, unit: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": list(x),
        "y": [round(value, 2) for value in y],
        "yaxis": axis,
        "xaxis": "x",
        "fill": "tozeroy",
        "meta": look,
        "hovertemplate": f"%{{y}} {unit}<extra></extra>",
    }


def _dot(x: Sequence[float], y: Sequence[float], limit: float, axis: str, look: str) -> dict[str, Any]:
    value = at(x, y, limit)
    told = f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": [limit],
        "y": [round(value, 2)],
        "yaxis": axis,
        "xaxis": "x",
        "text": [told],
        "textposition": "top right",
        "hoverinfo": "skip",
        "cliponaxis": False,
        "meta": look,
    }


def _layout(
    limits: Sequence[float], tickets: Sequence[float], missed: Sequence[float], marked: Sequence[tuple[float, str]]
) -> dict[str, Any]:
    span = max(limits) - min(limits)
    near = len(marked) == 2 and abs(marked[0][0] - marked[1][0]) < 0.2 * span
    shapes = [
        {"type": "line", "xref": "x", "yref": "paper", "x0": v, "x1": v, "y0": 0, "y1": 1, "layer": "below", "name": n}
        for v, n in marked
    ]
    titles = [
        {
            "x": v,
            "y": 1,
            "xref": "x",
            "yref": "paper",
            "yanchor": "bottom",
            "showarrow": False,
            "text": f"{n.capitalize()} {grouped(v)}",
            "name": n,
            "xanchor": _side(v, marked) if near else "center",
        }
        for v, n in marked
    ]
    titles += [_title("Tickets a day", 1.0), _title("Missed errors", FOOT[1] + 0.06)]
    return {
        "xaxis": {"title": TITLE, "anchor": "y2", "tickformat": ",~r"},
        "yaxis": {"domain": TOP, "rangemode": "tozero", "nticks": 4, "range": [0, max(*tickets, 1) * 1.15]},
        "yaxis2": {"domain": FOOT, "rangemode": "tozero", "nticks": 3, "range": [0, max(*missed, 1) * 1.2]},
        "shapes": shapes,
        "annotations": titles,
        "hovermode": "x unified",
        "margin": {"l": 40, "r": 12, "t": 22, "b": 40, "pad": 0},
    }


def _side(value: float, marked: Sequence[tuple[float, str]]) -> str:
    """Two names that stand close are turned away from each other."""
    return "right" if value == min(v for v, _ in marked) else "left"


def _title(text: str, y: float) -> dict[str, Any]:
    right = {"x": 1, "xref": "paper", "xanchor": "right", "y": y, "yref": "paper", "yanchor": "top"}
    return {"text": text, "showarrow": False, "name": "text", **right}


def _words(
    limits: Sequence[float], tickets: Sequence[float], missed: Sequence[float], marked: Sequence[tuple[float, str]]
) -> str:
    values = [value for value, _ in marked] or [limits[0], limits[-1]]
    first, last = values[0], values[-1]
    if first == last:
        return (
            f"At the limit of {grouped(last)} there are {at(limits, tickets, last):.1f} tickets a day "
            f"and {number(at(limits, missed, last))} missed errors"
        )
    return (
        f"As the limit goes from {grouped(first)} to {grouped(last)}, tickets go from {at(limits, tickets, first):.1f} "
        f"to {at(limits, tickets, last):.1f} a day and missed errors from {number(at(limits, missed, first))} "
        f"to {number(at(limits, missed, last))}"
    )
