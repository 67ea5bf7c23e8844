"""Figures in equal parts of a window, for small charts. An hour belongs to the part in which it begins.

A day that lies in several parts is read whole for the part that has most of it. Its other hours are read twice: added
to their own part, and taken away from that one. So a month opens half of the rows that its hours are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from orchestration.telemetry.rollups import DAY, HOUR, Table
from orchestration.telemetry.sums import Between, Stretch, part_of, pieces

Tile = tuple[datetime, int, int]  # start of an hour or a day, part, 1 to add or -1 to take away


def in_parts(table: Table, workspace_id: int, between: Between, points: int, columns: Sequence[str]) -> Stretch:
    """Rows of the window with `part` (0 to points - 1), `sign` and the given columns, to be summed times their sign."""
    names = ", ".join(columns)
    part, bounds = part_of(*between, points)
    whole = between[1] - between[0] > points * DAY / 2  # else no part has most of a day
    selects, params, tiles = [], [], defaultdict[str, list[Tile]](list)
    for rows, piece in pieces(table, workspace_id, between, days=whole):
        if rows == table.day:
            _lay(tiles, table, piece, bounds[0])
            continue
        selects.append(f"select {part} as part, 1 as sign, {names} from {rows} where {_HERE} and at >= %s and at < %s")
        params += [*bounds, workspace_id, *piece]
    for rows, laid in ((rows, laid) for rows, laid in tiles.items() if laid):
        selects.append(
            f"select part, sign, {names} from unnest({_TILES}) as t (since, part, sign) "
            f"join {rows} on {_HERE} and at = since"
        )
        params += [*map(list, zip(*laid, strict=True)), workspace_id]
    return Stretch(" union all ".join(selects), tuple(params))


_HERE = "workspace_id = %s"
_TILES = "%s::timestamptz[], %s::int[], %s::int[]"


def _lay(tiles: dict[str, list[Tile]], table: Table, days: Between, bounds: Sequence[datetime]) -> None:
    """The tiles of whole days, by table."""
    for day in _steps(days, DAY):
        places = {hour: bisect_right(bounds, hour) for hour in _steps((day, day + DAY), HOUR)}
        ((most, hours),) = Counter(places.values()).most_common(1)
        if hours <= len(places) / 2:  # nothing to gain
            tiles[table.hour] += [(hour, place, 1) for hour, place in places.items()]
            continue
        apart = [(hour, place) for hour, place in places.items() if place != most]
        tiles[table.day].append((day, most, 1))
        tiles[table.hour] += [(hour, place, 1) for hour, place in apart] + [(hour, most, -1) for hour, _ in apart]


def _steps(between: Between, size: timedelta) -> Iterator[datetime]:
    at, until = between
    while at < until:
        yield at
        at += size
