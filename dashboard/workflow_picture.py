"""A declared workflow as a picture: steps from left to right by what they come after. Pure; a template draws it.

1. Layers, by the longest chain before a step.
2. A line that passes a layer gets a lane of its own there, so that it crosses no box.
3. Within its layer each thing goes to the middle of what it hangs together with, in a few sweeps to and fro.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestration.workflows.precedence import cycle, layers

WIDTH, HEIGHT, GAP_X, GAP_Y, LANE, EDGE = 168, 54, 52, 18, 14, 4
SWEEPS, LETTERS = 4, 22


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is known of a step that is to be drawn. `look`: agent | skill | human | webhook; `state` is a word, of a run
    that is shown, and `tone` its colour."""

    id: str
    name: str
    owner: str
    look: str
    guarded: bool = False
    undone: bool = False  # has a compensation
    state: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    step: Drawn
    x: float
    y: float
    title: str
    below: str

    @property
    def middle(self) -> float:
        return self.y + HEIGHT / 2

    @property
    def right(self) -> float:
        return self.x + WIDTH


@dataclass(frozen=True, slots=True)
class Picture:
    """`words` says the same as the boxes and lines."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[str, ...]  # paths
    words: str
    lacks: str = ""  # why there is none

    box_width: int = WIDTH
    box_height: int = HEIGHT


def picture(steps: Sequence[Drawn], after: Mapping[str, Sequence[str]]) -> Picture:
    """`after`: by id; names that are none of the steps' are left out of the picture."""
    known = {step.id: step for step in steps if step.id}
    chains = {key: [each for each in dict.fromkeys(after.get(key, ())) if each in known] for key in known}
    if not known:
        return Picture(0, 0, (), (), "", "A picture is drawn once there is a step.")
    if found := cycle(chains):
        return Picture(0, 0, (), (), "", f"No picture: {' after '.join(found)} goes in a circle.")
    columns, links = _columns(chains)
    _untangle(columns, links)
    places, height = _places(columns, known)
    boxes = {key: _box(known[key], *places[key]) for key in known}
    lines = [_line(before, key, boxes, places, links) for key in known for before in chains[key]]
    width = len(columns) * WIDTH + (len(columns) - 1) * GAP_X + 2 * EDGE
    return Picture(width, round(height), tuple(boxes.values()), tuple(lines), _words(steps, chains))


_Node = str | tuple[str, str, int]  # a step, or the lane of a line (before, step) in a layer
_Links = dict[_Node, list[_Node]]  # by node, what it hangs on in the layer before


def _columns(chains: Mapping[str, Sequence[str]]) -> tuple[list[list[_Node]], _Links]:
    levels = layers(chains)
    depth = {key: level for level, keys in enumerate(levels) for key in keys}
    columns: list[list[_Node]] = [list(keys) for keys in levels]
    links: _Links = {key: [] for key in chains}
    for key, befores in chains.items():
        for before in befores:
            last: _Node = before
            for level in range(depth[before] + 1, depth[key]):
                lane = (before, key, level)
                columns[level].append(lane)
                links[lane] = [last]
                last = lane
            links[key].append(last)
    return columns, links


def _untangle(columns: list[list[_Node]], links: _Links) -> None:
    back: _Links = {}
    for node, befores in links.items():
        for before in befores:
            back.setdefault(before, []).append(node)
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        order = range(1, len(columns)) if forth else range(len(columns) - 2, -1, -1)
        for level in order:
            beside = columns[level - 1 if forth else level + 1]
            at = {node: place / max(1, len(beside) - 1) for place, node in enumerate(beside)}
            mine = {node: place / max(1, len(columns[level]) - 1) for place, node in enumerate(columns[level])}
            near = links if forth else back
            rank = {node: _mean([at[each] for each in near.get(node, ())], mine[node]) for node in columns[level]}
            columns[level].sort(key=rank.__getitem__)


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _places(columns: list[list[_Node]], known: Mapping[str, Drawn]) -> tuple[dict[_Node, tuple[float, float]], float]:
    """Where each step or lane begins: columns are centred on the highest."""
    sizes = [[HEIGHT if node in known else LANE for node in column] for column in columns]
    heights = [sum(size) + GAP_Y * (len(size) - 1) for size in sizes]
    whole = max(heights)
    places: dict[_Node, tuple[float, float]] = {}
    for level, (column, size) in enumerate(zip(columns, sizes, strict=True)):
        y = EDGE + (whole - heights[level]) / 2
        for node, tall in zip(column, size, strict=True):
            places[node] = (EDGE + level * (WIDTH + GAP_X), y)
            y += tall + GAP_Y
    return places, whole + 2 * EDGE


def _line(
    before: str, key: str, boxes: Mapping[str, Box], places: Mapping[_Node, tuple[float, float]], links: _Links
) -> str:
    lanes = sorted((node for node in places if node[:2] == (before, key) and not isinstance(node, str)), key=str)
    lanes.sort(key=lambda node: places[node][0])
    x, y = boxes[before].right, boxes[before].middle
    path = f"M{x:g} {y:g}"
    for lane in lanes:
        to, down = places[lane][0], places[lane][1] + LANE / 2
        path += _curve(x, y, to, down) + f"H{to + WIDTH:g}"
        x, y = to + WIDTH, down
    return path + _curve(x, y, boxes[key].x - 5, boxes[key].middle)


def _curve(x: float, y: float, to: float, down: float) -> str:
    middle = (x + to) / 2
    return f"C{middle:g} {y:g} {middle:g} {down:g} {to:g} {down:g}"


def _box(step: Drawn, x: float, y: float) -> Box:
    room = LETTERS - (4 if step.undone else 0)  # the sign of a compensation stands beside it
    return Box(step, x, y, _short(step.name or step.id), _short(step.state or step.owner, room))


def _short(text: str, most: int = LETTERS) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _words(steps: Sequence[Drawn], chains: Mapping[str, Sequence[str]]) -> str:
    """Each step with what it comes after, as a sentence each."""
    names = {step.id: step.name or step.id for step in steps}
    told = []
    for step in steps:
        befores = [names[each] for each in chains.get(step.id, ())]
        where = f"after {' and '.join(befores)}" if befores else "at the beginning"
        by, state = f" by {step.owner}" if step.owner else "", f", {step.state}" if step.state else ""
        told.append(f"{names[step.id]}{by} {where}{state}")
    return f"{'; '.join(told)}."
