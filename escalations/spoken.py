"""What precedents say of open cases, as people read it: how often it was decided so, how often otherwise, by whom and
why it was kept; and where they are listed, what they decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from escalations import answering, precedents
from escalations.covering import Bounds
from escalations.models import Act, Descendant, Escalation, Precedent, Verb
from escalations.words import label, person, shown
from orchestration.holds.models import Hold
from orchestration.lib.templatetags.baton import number
from orchestration.policies.models import Policy
from orchestration.workspaces.models import User

SAYS = {Verb.APPROVE: "Approved", Verb.REJECT: "Rejected"}
MOST_SPOKEN = 3  # in one batch
MOST_WORDS = 6  # of a field that are named one by one
MOST_LISTED, MOST_TOLD, MOST_ACTS = 100, 100, 10


@dataclass(frozen=True, slots=True)
class Spoken:
    """A precedent with what came of it. `here`: cases of the open batch that it covers; `waiting`: of all batches;
    `rests`: why it speaks for nothing although nobody revoked it; `lets`: whether its policy lets it
    answer by itself."""

    precedent: Precedent
    agreed: int
    otherwise: int
    alone: int
    here: int = 0
    waiting: int = 0
    rests: str = ""
    lets: bool = False

    @property
    def verdict(self) -> str:
        return SAYS[Verb(self.precedent.verdict)]

    @property
    def times(self) -> int:
        """How often people decided so: when it was kept, and since."""
        return self.precedent.cases + self.agreed

    @property
    def part(self) -> int:
        """In how many cases it had a part."""
        return self.agreed + self.otherwise + self.alone

    @property
    def who(self) -> str:
        return person(self.precedent.said_by)

    @property
    def speaks(self) -> bool:
        return not self.rests and self.precedent.revoked_at is None

    @property
    def itself(self) -> str:
        """Whether it answers without a person, in words."""
        if not self.lets or not self.speaks:
            return ""
        if self.otherwise:
            return "It no longer answers by itself, since people said otherwise"
        return "It answers by itself what can be undone"

    @property
    def press(self) -> str:
        """As the button sends it: which, and of how many cases the page spoke."""
        return f"{self.precedent.pk}:{self.here}"


@dataclass(frozen=True, slots=True)
class Line:
    """One of the bounds: the field, and what it may be."""

    name: str
    label: str
    words: str
    low: float | None = None
    high: float | None = None

    @property
    def exact(self) -> tuple[str, str]:
        return repr(self.low).removesuffix(".0"), repr(self.high).removesuffix(".0")


@dataclass(frozen=True, slots=True)
class Told:
    """A case that a precedent had a part in."""

    descendant: Descendant
    hold: Hold | None

    @property
    def who(self) -> str:
        return person(self.descendant.person) if self.descendant.act_id else "The precedent itself"

    @property
    def became(self) -> str:
        if self.hold is None:
            return "No longer kept"
        return "Agents were told" if self.hold.applied_at else self.hold.get_state_display()


def of_rows(cases: Iterable[Escalation], now: datetime) -> list[Spoken]:
    """What speaks for the open cases of one batch, the one that covers most first."""
    covered = Counter(case.precedent_id for case in cases if case.precedent_id)
    if not covered:
        return []
    found = Precedent.objects.filter(pk__in=covered, revoked_at=None, expires_at__gt=now)
    made = [_spoken(each, here=covered[each.pk]) for each in _counted(found)]
    return sorted(made, key=lambda each: -each.here)[:MOST_SPOKEN]


def listed(workspace_id: int, now: datetime) -> tuple[list[Spoken], list[Spoken]]:
    """Those that speak, and those that no longer do; each the last first."""
    rows = list(_counted(Precedent.objects.filter(workspace=workspace_id)).order_by("-said_at")[:MOST_LISTED])
    live = _live_versions(workspace_id)
    open_ones = Escalation.objects.filter(precedent__in=rows, open=True).order_by()
    waiting = dict(open_ones.values_list("precedent").annotate(n=Count("pk")))
    lets = answering.letting(workspace_id, {rule for each in rows if (rule := _rule(each))})
    made = [
        _spoken(each, waiting=waiting.get(each.pk, 0), rests=_rests(each, live, now), lets=_rule(each) in lets)
        for each in rows
    ]
    return [each for each in made if each.speaks], [each for each in made if not each.speaks]


def one(precedent: Precedent, now: datetime) -> Spoken:
    found = _counted(Precedent.objects.filter(pk=precedent.pk)).get()
    waiting = Escalation.objects.filter(precedent=precedent, open=True).count()
    rule = _rule(found)
    lets = answering.letting(found.workspace_id, {rule} if rule else set())
    return _spoken(
        found, waiting=waiting, rests=_rests(found, _live_versions(found.workspace_id), now), lets=bool(lets)
    )


def decided(precedent: Precedent) -> list[Told]:
    """The cases it had a part in, the last first."""
    rows = list(precedent.descendants.select_related("person").order_by("-at")[:MOST_TOLD])
    holds = Hold.objects.in_bulk([row.pk for row in rows])
    return [Told(row, holds.get(row.pk)) for row in rows]


def lines(limits: Bounds) -> list[Line]:
    """The numbers first, then words, then what may be anything."""
    numbers = [_number(name, *limits.within[name]) for name in sorted(limits.within, key=_amount_first)]
    words = [_words(name, told) for name, told in sorted(limits.words.items()) if name not in limits.within]
    return [*numbers, *words, *(Line(name, label(name), "Anything") for name in limits.free)]


def to_keep(workspace_id: int, who: User, now: datetime) -> list[Act]:
    """What this person said lately and may keep."""
    return [act for act in precedents.keepable(workspace_id, who, now)[:MOST_ACTS] if act.words]


def _number(name: str, low: float, high: float) -> Line:
    words = shown(name, low) if low == high else f"{shown(name, low)} to {shown(name, high)}"
    return Line(name, label(name), words, low, high)


def _words(name: str, told: list[Any]) -> Line:
    names = [shown(name, each) for each in told[:MOST_WORDS]]
    more = len(told) - len(names)
    return Line(name, label(name), " or ".join(names) + (f", or {number(more)} others" if more > 0 else ""))


def _amount_first(name: str) -> tuple[bool, str]:
    return name != "amount", name


def _counted(found: QuerySet[Precedent]) -> QuerySet[Precedent]:
    alone = Q(descendants__act_id=None)
    return found.select_related("said_by", "revoked_by").annotate(
        agreed=Count("descendants", filter=~alone & Q(descendants__agreed=True)),
        otherwise=Count("descendants", filter=Q(descendants__agreed=False)),
        alone=Count("descendants", filter=alone),
    )


def _spoken(row: Any, *, here: int = 0, waiting: int = 0, rests: str = "", lets: bool = False) -> Spoken:
    return Spoken(row, row.agreed, row.otherwise, row.alone, here, waiting, rests, lets)


def _rule(each: Precedent) -> answering.Rule | None:
    return (each.policy, each.version) if each.policy and each.version is not None else None


def _live_versions(workspace_id: int) -> Mapping[str, int | None]:
    return dict(Policy.objects.filter(workspace=workspace_id).values_list("slug", "live"))


def _rests(each: Precedent, live: Mapping[str, int | None], now: datetime) -> str:
    if each.expires_at and each.expires_at <= now:
        return "It ran out"
    at = live.get(each.policy, each.version)
    if each.policy in live and at != each.version:
        return f"It was said under version {each.version}; {f'version {at} is live' if at else 'none is live now'}"
    return ""
