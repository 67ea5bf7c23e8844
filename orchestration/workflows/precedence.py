"""What comes after what: circles, and the layers that a picture is drawn in. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

After = Mapping[str, Sequence[str]]  # by step, those that have to end before it


def cycle(after: After) -> list[str]:
    """One circle, beginning and ending with the same step; empty: there is none."""
    clear: set[str] = set()
    for start in after:
        trail: list[str] = [start]
        branches = [iter(after[start])]
        while branches and start not in clear:
            step = next(branches[-1], None)
            if step is None:
                branches.pop()
                clear.add(trail.pop())
            elif step in trail:
                return [*trail[trail.index(step) :], step]
            elif step not in clear:
                trail.append(step)
                branches.append(iter(after[step]))
    return []


def layers(after: After) -> list[list[str]]:
    """Steps by how many come before them in the longest chain, each layer in the order it was given in. There must be
    no circle."""
    depth: dict[str, int] = {}
    waiting = list(after)
    while waiting:
        later: list[str] = []
        for step in waiting:
            if all(before in depth for before in after[step]):
                depth[step] = 1 + max((depth[before] for before in after[step]), default=-1)
            else:
                later.append(step)
        waiting = later
    return [[step for step in after if depth[step] == level] for level in range(max(depth.values(), default=-1) + 1)]
