"""Figures in equal parts of a window, for small charts. An hour belongs to the part in which it begins.

A day that lies in several parts is read whole for the part that has most of it. Its other hours are added to their own
part and taken away from that one. So a month opens a quarter of the rows that its hours are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from orchestration.telemetry.rollups import DAY, HOUR, Table
from orchestration.telemetry.sums import Between, Row, Stretch, grouped, part_of, pieces

NONE = -1
DAY_HOURS = DAY // HOUR
Tile = tuple[datetime, int, int]  # start of an hour or a day, its part, and the part to take it away from, or NONE


def in_parts(table: Table, workspace_id: int, between: Between, points: int, columns: Sequence[str]) -> Stretch:
    """Rows of the window with the given columns, the part that they are added to, and the other that they are taken
    from (or NONE): for `summed`."""
    names = ", ".join(columns)
    part, bounds = part_of(*between, points)
    whole = between[1] - between[0] > points * DAY / 2  # else no part has most of a day
    selects, params, tiles = [], [], defaultdict[str, list[Tile]](list)
    for rows, piece in pieces(table, workspace_id, between, days=whole):
        if rows == table.day:
            _lay(tiles, table, piece, bounds[0])
            continue
        selects.append(
            f"select {part} as part, {NONE} as other, {names} from {rows} where {_HERE} and at >= %s and at < %s"
        )
        params += [*bounds, workspace_id, *piece]
    for rows, laid in ((rows, laid) for rows, laid in tiles.items() if laid):
        selects.append(
            f"select part, other, {names} from unnest({_TILES}) as t (since, part, other) "
            f"join {rows} on {_HERE} and at = since"
        )
        params += [*map(list, zip(*laid, strict=True)), workspace_id]
    return Stretch(" union all ".join(selects), tuple(params))


def summed(
    rows: Stretch, keys: Sequence[str], values: Sequence[str], where: str = "true", params: Sequence[Any] = ()
) -> list[Row]:
    """`values` (SQL sums) of what `in_parts` found and fits, by part (0 to points - 1) and `keys`; a sum is None where
    no row has any. As for `grouped`, all but `params` is ours."""
    found: dict[Row, Sequence[Any]] = {}
    for part, other, *row in grouped(rows, ("part", "other", *keys), ", ".join(values), where, params):
        key, sums = tuple(row[: len(keys)]), row[len(keys) :]
        _add(found, (part, *key), sums, 1)
        if other != NONE:
            _add(found, (other, *key), sums, -1)
    return [(*key, *sums) for key, sums in found.items()]


def _add(found: dict[Row, Sequence[Any]], key: Row, sums: Sequence[Any], sign: int) -> None:
    known = found.get(key)
    if known is None:
        found[key] = sums if sign > 0 else [value and -value for value in sums]
    else:
        found[key] = [n if value is None else (n or 0) + sign * value for n, value in zip(known, sums, strict=True)]


_HERE = "workspace_id = %s"
_TILES = "%s::timestamptz[], %s::int[], %s::int[]"


def _lay(tiles: dict[str, list[Tile]], table: Table, days: Between, bounds: Sequence[datetime]) -> None:
    """The tiles of whole days, by table."""
    day = days[0]
    while day < days[1]:
        shares = _shares(day, bounds)
        most, (since, until) = max(shares.items(), key=lambda share: share[1][1] - share[1][0])
        if until - since > DAY_HOURS / 2:  # else there is nothing to gain
            tiles[table.day].append((day, most, NONE))
            del shares[most]
        else:
            most = NONE
        for place, hours in shares.items():
            tiles[table.hour] += [(day + hour * HOUR, place, most) for hour in range(*hours)]
        day += DAY


def _shares(day: datetime, bounds: Sequence[datetime]) -> dict[int, tuple[int, int]]:
    """The parts that a day lies in, each with its first hour and the one after its last."""
    place, begin, found = bisect_right(bounds, day), 0, {}
    while begin < DAY_HOURS:
        # the first hour that begins at the next bound or later
        end = min(DAY_HOURS, -((day - bounds[place]) // HOUR)) if place < len(bounds) else DAY_HOURS
        if end > begin:
            found[place] = begin, end
        place, begin = place + 1, end
    return found
