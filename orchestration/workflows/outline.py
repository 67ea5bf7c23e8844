"""Steps in the order in which people read them: each below its parent, brothers by start."""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.workflows.story import Placed


def outline(placed: Sequence[Placed]) -> list[Placed]:
    """The steps as a tree written down line by line. `placed` is in order of start, as the fold leaves it.

    Agents at work at once overlap in time, so in order of start their steps would stand below each other's.
    """
    known = {(each.step.trace_id, each.step.span_id) for each in placed}
    below: dict[tuple[bytes, bytes], list[Placed]] = {}
    tops: list[Placed] = []
    for each in placed:
        above = (each.step.trace_id, each.parent)
        if each.parent and each.depth and above in known:
            below.setdefault(above, []).append(each)
        else:
            tops.append(each)
    lines: list[Placed] = []
    waiting = tops[::-1]
    while waiting:
        each = waiting.pop()
        lines.append(each)
        waiting.extend(reversed(below.pop((each.step.trace_id, each.step.span_id), [])))
    return lines + [each for lost in below.values() for each in lost]  # a ring of parents hangs from no top
