"""`/load.csv`, `/load.json`: the human load as a file, from the source that the overview's panel and the API read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import orjson
from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from orchestration.control.human_load import HumanLoad, human_load
from orchestration.workspaces.current import MEMBER, Here, needs

DAYS = ("day", "asked", "changed", "unchanged", "runs_ended")
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
FLOWS = ("workflow", "runs", "without_a_person", "share", "low", "high", "target", "state")


@require_safe
@needs(MEMBER)
def export(request: Here, form: str) -> HttpResponse:
    """`?of=workflows`: the share of each that ended without a person; else a line a day. JSON holds both."""
    if form not in ("csv", "json"):
        raise Http404("A file is csv or json")
    now = timezone.now()
    load, by_flow = human_load(request.workspace.pk, now), request.GET.get("of") == "workflows"
    if form == "json":
        body = orjson.dumps(_whole(load), option=orjson.OPT_INDENT_2)
        return file_of(body, "application/json", f"human-load-{now:%Y%m%d}.json")
    lines = table_of(FLOWS, _flows(load)) if by_flow else table_of(DAYS, _days(load))
    name = f"without-a-person-{now:%Y%m%d}.csv" if by_flow else f"human-load-{now:%Y%m%d}.csv"
    return file_of(lines.encode(), "text/csv; charset=utf-8", name)


def _days(load: HumanLoad) -> Iterator[tuple[object, ...]]:
    for each in load.days:
        yield each.day.isoformat(), each.asked, each.changed, each.unchanged, each.ended


def _flows(load: HumanLoad) -> Iterator[tuple[object, ...]]:
    for each in load.alone:
        low, high = each.interval or (None, None)
        yield each.workflow, each.runs, each.alone, each.share, low, high, each.target, each.state


def _whole(load: HumanLoad) -> dict[str, Any]:
    return {
        "days": [asdict(each) for each in load.days],
        "answered": load.answered,
        "unchanged_share": load.unchanged_share,
        "unchanged_interval": load.unchanged_interval,
        "capacity_a_day": load.capacity_a_day,
        "over_a_day": load.over_a_day,
        "over_days": load.over_days,
        "growth": load.growth,
        "overrun": asdict(load.overrun),
        "without_a_person": [dict(zip(FLOWS, line, strict=True)) for line in _flows(load)],
    }


def table_of(names: Iterable[str], rows: Iterable[tuple[object, ...]]) -> str:
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return sheet.getvalue()


def _cell(value: object) -> object:
    """A spreadsheet takes a text that begins like a formula for one; workflows are named by whoever sends spans."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


def file_of(body: bytes, kind: str, name: str) -> HttpResponse:
    answer = HttpResponse(body, content_type=kind)
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
