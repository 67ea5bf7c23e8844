"""Which cases of one key are decided together. Pure.

1. alike    a case joins a batch only when it is like every one in it (complete linkage: no two that are alike in a
            batch differ by more than one, in any field), and where it finds none it begins one
2. merge    batches whose cases are all alike become one, as long as nobody has them open
3. differs  a case like no other, or with one companion, goes to the nearest larger batch, if it differs in few fields:
            it stands first there and is not selected. One that differs in more stands alone
4. marks    which fields of a case are not like its batch: what others agree in, and numbers beyond their range

The order in which cases came decides which batch a case is in, never whether unlike ones are together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from escalations import odds
from escalations.closeness import FLOOR, TEXT, Case, Measure
from escalations.models import MOST_IN_A_BATCH, Standing
from orchestration.holds.likeness import CONFIDENCE

MOST_DIFFERING = 5  # in a batch, and never more than half as many as are alike
MOST_FIELDS = 4  # in which one may differ that stays with the others
SMALL, LARGER = 2, 3
BEYOND = 0.6  # of the range of the others and of the usual spread, by which a number stands out
LOOKED_AT = 60  # batches of one key that are tried, and cases of one to compare with


@dataclass(slots=True)
class Group:
    """`id`: of the batch it is already, None for a new one. `room`: for how many more. `kin`: only groups of one kin
    merge (who has been given them)."""

    id: UUID | None = None
    core: list[Case] = field(default_factory=list)
    differing: list[Case] = field(default_factory=list)
    room: int = MOST_IN_A_BATCH
    kin: int = 0
    lonely: bool = False

    @property
    def cases(self) -> list[Case]:
        return [*self.differing, *self.core]


@dataclass(frozen=True, slots=True)
class Place:
    """How a case stands in its batch. `risk`: how likely approving it is wrong, where that was learnt."""

    standing: Standing
    differs: list[str]
    distance: float
    selected: bool
    risk: float | None


def arrange(measure: Measure, groups: Sequence[Group], news: Iterable[Case]) -> list[Group]:
    """The groups as they are with the new cases in. Those that differed are looked at again: meanwhile there may be
    others like them. Groups that end without a case are left out."""
    found = list(groups)
    loose = sorted(news, key=_order)
    loose += sorted(_taken_out(found), key=_order)
    for case in loose:
        _join(measure, found, case)
    _merge(measure, found)
    _attach(measure, found)
    return [group for group in found if group.core]


def places(measure: Measure, group: Group) -> dict[UUID, Place]:
    """How each case stands. Selected starts what is like the others, of which its agent is sure, and what people
    nearly always let pass, where that is known."""
    found = {}
    alone = Standing.ALONE if group.lonely else Standing.ALIKE
    for case in group.differing:
        marks = _marks(measure, case, group.core)
        found[case.id] = Place(Standing.DIFFERS, list(marks), _far(marks), False, measure.risk(case))
    for case in group.core:
        risk = measure.risk(case)
        passes = odds.may_start_selected(measure.model, risk)
        marks = _standing_out(measure, case, group.core)
        if not marks and not passes:  # it came when nobody knew yet what verdicts have taught since
            marks = _marks(measure, case, group.core[:LOOKED_AT])
        standing = Standing.DIFFERS if marks else alone
        sure = not marks and passes and _sure(case)
        found[case.id] = Place(standing, list(marks), _far(marks), sure, risk)
    return found


def doubtful(measure: Measure, group: Group) -> dict[UUID, Place]:
    """Of a group that stays together those which people have said no to too often to start selected."""
    found = places(measure, group)
    return {pk: place for pk, place in found.items() if not odds.may_start_selected(measure.model, place.risk)}


def _order(case: Case) -> tuple[object, UUID]:
    return case.order, case.id


def _taken_out(groups: list[Group]) -> list[Case]:
    """The differing ones of all groups, which give them up."""
    loose = []
    for group in groups:
        loose += group.differing
        group.room += len(group.differing)
        group.differing = []
    return loose


def _join(measure: Measure, groups: list[Group], case: Case) -> None:
    """Into the fullest that has room and in which all are like it, or into one of its own."""
    for group in sorted(groups, key=lambda each: -len(each.core))[:LOOKED_AT]:
        if group.room > 0 and all(measure.alike(case, other) for other in reversed(group.core)):
            group.core.append(case)
            group.room -= 1
            group.lonely = False
            return
    groups.append(Group(core=[case], room=MOST_IN_A_BATCH - 1))


def _merge(measure: Measure, groups: list[Group]) -> None:
    """The smaller into the larger, the newer into the older where they are equal."""
    order = sorted((group for group in groups if group.core), key=lambda each: len(each.core))
    for small in order:
        for large in reversed(order):
            if small is large or not small.core or not large.core or len(small.core) > len(large.core):
                continue
            if small.kin == large.kin and len(small.core) <= large.room and _all_alike(measure, small, large):
                _pour(small, large)


def _all_alike(measure: Measure, one: Group, other: Group) -> bool:
    return all(measure.alike(case, each) for case in one.core for each in other.core)


def _pour(small: Group, large: Group) -> None:
    if large.id is None:
        large.id, small.id = small.id, None
    large.core += small.core
    large.room -= len(small.core)
    large.lonely = False
    small.core = []


def _attach(measure: Measure, groups: list[Group]) -> None:
    """Few cases that are like no others go where they differ least."""
    larger = [group for group in groups if len(group.core) > LARGER]
    for group in sorted(
        (each for each in groups if 0 < len(each.core) <= SMALL), key=lambda each: _order(each.core[0])
    ):
        homes = [home for home in larger if home.kin == group.kin and _takes(home, len(group.core))]
        near = min(((_apart(measure, group, home), place) for place, home in enumerate(homes)), default=None)
        if near is None or near[0][0] > MOST_FIELDS:
            group.lonely = bool(larger) and len(group.core) == 1
            continue
        home = homes[near[1]]
        home.differing += group.core
        home.room -= len(group.core)
        group.core = []


def _takes(home: Group, more: int) -> bool:
    most = min(MOST_DIFFERING, len(home.core) // 2)
    return home.room >= more and len(home.differing) + more <= most


def _apart(measure: Measure, group: Group, home: Group) -> tuple[int, float]:
    """In how many fields the group differs from most of the others, and by how much."""
    worst = max((_marks(measure, case, home.core) for case in group.core), key=len)
    if TEXT in worst and len(worst) == 1 and measure.prose:
        return MOST_FIELDS + 1, 0.0  # about something else
    return len(worst), sum(min(each, 3.0) for each in worst.values())


def _marks(measure: Measure, case: Case, others: Sequence[Case]) -> dict[str, float]:
    """Fields in which a case differs from most of the others, the largest difference first."""
    seen: Counter[str] = Counter()
    most: dict[str, float] = {}
    for other in others:
        if other.id != case.id:
            for name, distance in measure.differences(case, other).items():
                seen[name] += 1
                most[name] = max(most.get(name, 0.0), distance)
    half = len(others) / 2
    marked = {name: most[name] for name, count in seen.items() if count >= half}
    return dict(sorted(marked.items(), key=lambda item: (-item[1], item[0])))


def _standing_out(measure: Measure, case: Case, core: Sequence[Case]) -> dict[str, float]:
    """Numbers of a case that is alike and still beyond the others' range by a margin."""
    if len(core) <= LARGER:
        return {}
    found = {}
    for name, value in case.fields.items():
        if not isinstance(value, float) or name not in measure.numbers:
            continue
        rest = [other.fields.get(name) for other in core if other.id != case.id]
        numbers = [each for each in rest if isinstance(each, float)]
        if len(numbers) < LARGER or min(numbers) <= value <= max(numbers):
            continue
        edge = max(numbers) if value > max(numbers) else min(numbers)
        gap = measure.apart(name, value, edge)
        if gap > BEYOND and gap > BEYOND * measure.apart(name, min(numbers), max(numbers)):
            found[name] = gap
    return found


def _sure(case: Case) -> bool:
    confidence = case.fields.get(CONFIDENCE)
    return not isinstance(confidence, float) or confidence >= FLOOR


def _far(marks: dict[str, float]) -> float:
    return round(sum(min(each, 9.0) for each in marks.values()), 3)
