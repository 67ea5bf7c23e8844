"""A run as lanes: one for each agent and for people, what they did and when, and how work went from one to the other.

Engine values in, numbers of a drawing out. Coordinates are those of the SVG: 812 wide, a lane is 64 high.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dashboard.charts.lane_parts import PEOPLE, UNKNOWN, Part, Who, covered
from dashboard.charts.ticks import Tick, clock_text, ticks
from orchestration.lib.templatetags.baton import duration, named, plural
from orchestration.telemetry.spans import Kind
from orchestration.workflows.duplicates import Duplicate
from orchestration.workflows.story import Story

LEFT, RIGHT, WIDTH = 132.0, 782.0, 812
LANE, TOP, BAR = 64, 42, 20  # a lane's height, the first bar's top, a bar's height
MOST_LANES = 12
MOST_ARROWS = 24
MOST_BRACKETS = 3
HAIR = 1.5  # between two bars that are drawn as one
WIDE = 6.0  # of a bar that can be pressed
NAME = 17  # characters that fit beside the lanes
MS = 1_000_000
SLACK_NS = 1_000 * MS


@dataclass(frozen=True, slots=True)
class Bar:
    x: str
    width: str
    tone: str  # turn | agent | tool | fail | human | wait | lost
    span: str  # id of the step it is, "" where several are drawn as one


@dataclass(frozen=True, slots=True)
class Gate:
    x: str
    tone: str  # ok | human | crit


@dataclass(frozen=True, slots=True)
class Note:
    x: str
    text: str
    tone: str  # crit | gate
    foreign: bool


@dataclass(slots=True)
class Lane:
    name: str
    foreign: bool
    words: str
    y: int  # its bars' top
    bars: list[Bar] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def middle(self) -> int:
        return self.y + BAR // 2


@dataclass(frozen=True, slots=True)
class Arrow:
    x1: str
    y1: int
    x2: str
    y2: int
    curve: str


@dataclass(frozen=True, slots=True)
class Bracket:
    path: str
    x: str  # the label's middle
    y: int


@dataclass(frozen=True, slots=True)
class Drawing:
    height: int
    foot: int
    ticks: list[Tick]
    lanes: list[Lane]
    arrows: list[Arrow]
    brackets: list[Bracket]
    now: str  # what the clock says at the line of the present; "" when the run is over
    left_out: int  # agents beyond those that are drawn
    words: str


class _Scale:
    def __init__(self, start: int, end: int) -> None:
        self.start, self.length = start, max(1, end - start)

    def x(self, ns: int) -> float:
        return LEFT + (RIGHT - LEFT) * min(1.0, max(0.0, (ns - self.start) / self.length))


def draw(
    story: Story, parts: dict[Who, list[Part]], twice: Sequence[Duplicate], until_ns: int, *, live: bool
) -> Drawing | None:
    """`parts` are those of `parts_of`; `until_ns` is where the drawing ends: the run's end, or now while it goes on.
    None where no agent is known."""
    order = [who for who in (*story.agents, PEOPLE, UNKNOWN) if parts.get(who)]
    if not order:
        return None
    left_out, order = max(0, len(order) - MOST_LANES), order[:MOST_LANES]
    scale = _Scale(story.started_ns, max(until_ns, story.ended_ns))
    lanes = {who: _lane(who, place, parts[who], scale) for place, who in enumerate(order)}
    _gates(story, lanes, scale)
    _failures(story, lanes, scale)
    height = LANE * len(lanes) + 40
    arrows = [*_arrows(story, lanes, parts, scale), *_asked(story, lanes, scale)]
    return Drawing(
        height,
        height - 8,
        ticks(scale.length / MS, LEFT, RIGHT, 60 if live else 24),
        list(lanes.values()),
        arrows,
        _brackets(story, twice, lanes, scale),
        clock_text(scale.length / MS) if live else "",
        left_out,
        _words(order, len(story.handoffs)),
    )


def _words(order: Sequence[Who], handed: int) -> str:
    names = [named(who[1]) for who in order if who not in (PEOPLE, UNKNOWN)]
    people = ", and people" if PEOPLE in order else ""
    return f"Lanes of {', '.join(names) or 'steps without an agent'}{people}; {plural(handed, 'handoff,handoffs')}"


def _lane(who: Who, place: int, parts: Sequence[Part], scale: _Scale) -> Lane:
    name = "People" if who == PEOPLE else "Unknown parent" if who == UNKNOWN else named(who[1])
    lane = Lane(_cut(name), who not in (PEOPLE, UNKNOWN), _sum(who, parts), TOP + LANE * place)
    lane.bars = list(_bars(parts, scale))
    return lane


def _sum(who: Who, parts: Sequence[Part]) -> str:
    took = duration(covered(part for part in parts if part.tone != "wait") / MS)
    if who == PEOPLE:
        waited = covered(part for part in parts if part.tone == "wait")
        return f"waiting {duration(waited / MS)}" if waited else f"took {took}"
    if who == UNKNOWN:
        return plural(len(parts), "step,steps")
    steps = sum(part.tone in ("agent", "tool", "fail") for part in parts)
    return f"{plural(steps, 'step,steps')} · {took}"


def _bars(parts: Sequence[Part], scale: _Scale) -> Iterable[Bar]:
    """Bars at least 2 wide. Those of one tone that would be drawn within a hair of each other are one bar, so that a
    run of many thousand steps stays a drawing of some hundred."""
    newest: dict[str, int] = {}  # place of the newest bar of each tone
    layers: list[tuple[float, float, str, str]] = []
    for part in parts:
        x, end = scale.x(part.start), scale.x(part.end)
        end = min(RIGHT, max(x + 2, end))
        last = layers[newest[part.tone]] if part.tone in newest else None
        if last is not None and x >= last[0] and x - last[1] < HAIR and (end - x < 4 or end <= last[1]):
            layers[newest[part.tone]] = (last[0], max(end, last[1]), part.tone, "")
        else:
            newest[part.tone] = len(layers)
            layers.append((x, end, part.tone, part.span))
    for x, end, tone, span in layers:
        yield Bar(f"{min(x, RIGHT - 2):.1f}", f"{max(2.0, end - x):.1f}", tone, span if end - x >= WIDE else "")


def _gates(story: Story, lanes: dict[Who, Lane], scale: _Scale) -> None:
    """Checks that passed or stepped in, and questions to people."""
    hit = {each.span_id for each in story.guardrail_hits}
    for each in story.placed:
        lane = lanes.get((each.application, each.agent))
        if lane and each.kind == Kind.GUARDRAIL and each.step.span_id not in hit:
            _gate(lane, scale.x(each.step.start_ns), "ok")
    for check in story.guardrail_hits:
        if lane := lanes.get((check.application, check.agent)):
            x = scale.x(check.at_ns)
            _gate(lane, x, "crit")
            _note(lane, x + 12, f"Stopped: {_cut(named(check.guardrail), 26)}", "gate", foreign=True)
    for asked in story.escalations:
        if lane := lanes.get((asked.application, asked.agent)):
            x = scale.x(asked.at_ns)
            _gate(lane, x, "human")
            _note(lane, x + 12, "Asked a person", "gate", foreign=False)


def _gate(lane: Lane, x: float, tone: str) -> None:
    if all(abs(float(gate.x) - x) >= 3 or gate.tone != tone for gate in lane.gates):
        lane.gates.append(Gate(f"{x:.1f}", tone))


def _note(lane: Lane, x: float, text: str, tone: str, *, foreign: bool) -> None:
    """One note of a tone in a lane: more would lie on each other."""
    if all(note.tone != tone for note in lane.notes):
        lane.notes.append(Note(f"{min(x, RIGHT - 6.0 * len(text)):.1f}", text, tone, foreign))


def _failures(story: Story, lanes: dict[Who, Lane], scale: _Scale) -> None:
    retried = {(each.agent, each.step.subject) for each in story.placed if each.attempt > 1 and not each.failed}
    for each in story.placed:
        lane = lanes.get((each.application, each.agent))
        if each.failed and lane and each.kind != Kind.AGENT:
            cause = _cut(named(each.step.error.partition(":")[0]), 22) or "failed"
            again = ", retried" if (each.agent, each.step.subject) in retried else ""
            _note(lane, scale.x(each.step.start_ns), f"{cause}{again}", "crit", foreign=True)


def _arrows(story: Story, lanes: dict[Who, Lane], parts: dict[Who, list[Part]], scale: _Scale) -> Iterable[Arrow]:
    """To where the other agent began. Of very many only those that do not lie on each other."""
    starts = {who: sorted(part.start for part in each) for who, each in parts.items()}
    apart = 0.0 if len(story.handoffs) <= MOST_ARROWS else (RIGHT - LEFT) / MOST_ARROWS
    last = -apart
    for each in story.handoffs:
        who, x = (each.to_application, each.to_agent), scale.x(each.at_ns)
        source, target = lanes.get((each.application, each.from_agent)), lanes.get(who)
        if source and target and source is not target and x - last >= apart:
            place = bisect_left(starts[who], each.at_ns - SLACK_NS)
            begun = starts[who][place] if place < len(starts[who]) else each.at_ns
            yield _arrow(x, source, scale.x(begun), target)
            last = x


def _asked(story: Story, lanes: dict[Who, Lane], scale: _Scale) -> Iterable[Arrow]:
    people = lanes.get(PEOPLE)
    for each in story.escalations[:MOST_ARROWS]:
        source = lanes.get((each.application, each.agent))
        if people and source:
            yield _arrow(scale.x(each.at_ns), source, scale.x(each.at_ns), people)


def _arrow(x1: float, source: Lane, x2: float, target: Lane) -> Arrow:
    x1 = min(x1, x2 - 8)  # room for the bend
    y1, y2 = source.middle, target.middle
    curve = f"M{x1:.1f} {y1} C{x1 + 9:.1f} {y1} {x2 - 9:.1f} {y2} {x2:.1f} {y2}"
    return Arrow(f"{x1:.1f}", y1, f"{x2:.1f}", y2, curve)


def _brackets(story: Story, twice: Sequence[Duplicate], lanes: dict[Who, Lane], scale: _Scale) -> list[Bracket]:
    found: list[Bracket] = []
    if len(twice) > 4 * MOST_BRACKETS:  # a rule and no exception: three of many would say little
        return found
    starts = {each.step.span_id: each.step for each in story.placed}
    for each in twice:
        first, again = lanes.get(each.first_agent), lanes.get(each.again_agent)
        if first and again and first is not again and len(found) < MOST_BRACKETS:
            step = starts[each.first]
            x1, x2 = (scale.x((s.start_ns + (s.end_ns or s.start_ns)) // 2) for s in (step, starts[each.again]))
            found.append(_bracket(x1, first, x2, again))
    return found


def _bracket(x1: float, first: Lane, x2: float, again: Lane) -> Bracket:
    down = 1 if again.y > first.y else -1
    begin = first.y + BAR + 3 if down > 0 else first.y - 3
    end = again.y - 3 if down > 0 else again.y + BAR + 3
    level = begin + 13 * down
    bend = min(4.0, (x2 - x1) / 2)
    path = (
        f"M{x1:.1f} {begin}V{level - bend * down:.1f}q0 {bend * down:.1f} {bend:.1f} {bend * down:.1f}"
        f"H{x2 - bend:.1f}q{bend:.1f} 0 {bend:.1f} {bend * down:.1f}V{end}"
    )
    middle = min(RIGHT - 56, max(LEFT + 56, (x1 + x2) / 2))
    return Bracket(path, f"{middle:.1f}", level)


def _cut(name: str, most: int = NAME) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
