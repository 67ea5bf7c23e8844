"""Steps in the order in which people read them: each below its parent, brothers by start; and without those that are
as they should be, where that is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows.story import Placed

VIEWS = ("folded", "all", "problems")
FEW = 12  # steps of a run that is shown whole
_TELLING = frozenset({Kind.WORKFLOW, Kind.AGENT, Kind.TOOL, Kind.RETRIEVAL, Kind.HUMAN, Kind.HANDOFF, Kind.GUARDRAIL})
_Key = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Line:
    """A row, and how many steps below it are not shown."""

    placed: Placed
    folded: int = 0


def outline(placed: Sequence[Placed]) -> list[Placed]:
    """The steps as a tree written down line by line. `placed` is in order of start, as the fold leaves it.

    Agents at work at once overlap in time, so in order of start their steps would stand below each other's.
    """
    known = {_key(each) for each in placed}
    below: dict[_Key, list[Placed]] = {}
    tops: list[Placed] = []
    for each in placed:
        above = _above(each)
        if each.parent and each.depth and above in known:
            below.setdefault(above, []).append(each)
        else:
            tops.append(each)
    lines: list[Placed] = []
    waiting = tops[::-1]
    while waiting:
        each = waiting.pop()
        lines.append(each)
        waiting.extend(reversed(below.pop(_key(each), [])))
    return lines + [each for lost in below.values() for each in lost]  # a ring of parents hangs from no top


def shown(placed: Sequence[Placed], view: str, marked: Collection[bytes] = ()) -> list[Line]:
    """The rows of a view: `all`; `folded`, without calls of models and inner steps that went well; `problems`, only
    what failed, was tried again or stands alone. `marked` are span ids that tell something in any view. Those above a
    row that is shown are shown too."""
    rows = outline(placed)
    if view == "all" or (view == "folded" and len(rows) <= FEW):
        return [Line(each) for each in rows]
    keys = [_key(each) for each in rows]
    places = {key: place for place, key in enumerate(keys)}
    above = [places.get((each.step.trace_id, each.parent), -1) if each.parent else -1 for each in rows]
    kept = [False] * len(rows)
    for place, each in enumerate(rows):
        if each.step.span_id in marked or (is_problem(each) if view == "problems" else _tells(each)):
            at = place
            while at >= 0 and not kept[at]:
                kept[at] = True
                at = above[at]
    hidden = [0] * len(rows)
    for place in range(len(rows)):
        if not kept[place] and (at := _kept_above(place, above, kept)) >= 0:
            hidden[at] += 1
    return [Line(each, count) for each, has, count in zip(rows, kept, hidden, strict=True) if has]


def _kept_above(place: int, above: Sequence[int], kept: Sequence[bool]) -> int:
    """The nearest row above that is kept, -1 for none; a ring of parents leads nowhere."""
    steps, at = 0, above[place]
    while at >= 0 and not kept[at] and steps < len(above):
        steps, at = steps + 1, above[at]
    return at if at >= 0 and kept[at] else -1


def is_problem(each: Placed) -> bool:
    return each.failed or each.attempt > 1 or each.orphan or each.step.outcome == Outcome.CONTROL


def _tells(each: Placed) -> bool:
    return not each.depth or each.kind in _TELLING or not each.step.end_ns or is_problem(each)


def _key(each: Placed) -> _Key:
    return each.step.trace_id, each.step.span_id


def _above(each: Placed) -> _Key:
    return each.step.trace_id, each.parent
