"""A workspace's rules, ready to be asked hundreds of times a second. They say what `evaluate` says, always: only what
cannot come out otherwise is remembered. Which rules speak of an act, by the facts that scopes read; and what follows
where the same conditions are true again, which for most is certain before they are asked (`sides`). Conditions are
asked together (`together`).

For one thread: the event loop that decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.policies.effects import Effect
from orchestration.policies.evaluate import Answer, Match, Rule, bound, concluded, judge, missing, said
from orchestration.policies.scopes import READS
from orchestration.policies.sides import Key, Sides, decided_by_sides
from orchestration.policies.together import Together, Told

# Made-up names must not fill the memory: what is full is emptied.
NAMES, CIRCLES, ANSWERS, SIDES = 1024, 64, 256, 1024
WORTH = 4  # so often the same rules are asked one by one before they are put together, which takes milliseconds

Facts = Mapping[str, Any]


class Ready:
    """Rules in their order, and the effect where none of them speaks."""

    def __init__(self, rules: Sequence[Rule], default: Effect) -> None:
        self._rules = tuple(rules)
        self._default = default
        self._reads = tuple(name for name in READS if any(name in rule.scope.reads for rule in self._rules))
        self._by_names: dict[tuple[str, ...], _Circle] = {}
        self._circles: dict[tuple[int, ...], _Circle] = {}

    def evaluate(self, facts: Facts) -> Answer:
        key = tuple([str(facts.get(name) or "") for name in self._reads])
        circle = self._by_names.get(key)
        if circle is None:
            if len(self._by_names) >= NAMES:
                self._by_names.clear()
            circle = self._by_names[key] = self._circle(facts)
        return circle.evaluate(facts)

    def _circle(self, facts: Facts) -> _Circle:
        places = tuple(place for place, rule in enumerate(self._rules) if rule.scope.takes(facts))
        found = self._circles.get(places)
        if found is None:
            if len(self._circles) >= CIRCLES:
                self._circles.clear()
                self._by_names.clear()
            found = self._circles[places] = _Circle([self._rules[place] for place in places], self._default)
        return found


class _Circle:
    """Rules that speak of the same acts."""

    def __init__(self, rules: Sequence[Rule], default: Effect) -> None:
        self._rules, self._default = rules, default
        self._silent = Answer(default, ())
        self._asked = 0
        self._conditions: _Conditions | None = None
        self._answers: dict[int, Answer] = {}  # by the conditions that are true, where all could be told

    def evaluate(self, facts: Facts) -> Answer:
        if not self._rules:
            return self._silent
        if self._conditions is None:
            self._asked += 1
            if self._asked < WORTH:
                activation = bound(facts)
                judged = (judge(rule, facts, activation) for rule in self._rules)
                return concluded([match for match in judged if match], self._default)
            self._conditions = _Conditions(self._rules)
        true, untold = self._conditions.test(facts)
        if untold:
            return self._answer(true, dict(untold), facts)
        found = self._answers.get(true)
        if found is None:
            if len(self._answers) >= ANSWERS:
                self._answers.clear()
            found = self._answers[true] = self._answer(true, {}, facts)
        return found

    def _answer(self, true: int, untold: Mapping[int, str], facts: Facts) -> Answer:
        found = []
        for place, rule in enumerate(self._rules):
            why = untold.get(place)
            outcome = bool(true >> place & 1) if why is None else why
            if effect := said(rule, outcome):
                found.append(Match(rule, outcome, effect, () if why is None else missing(rule, facts)))
        return concluded(found, self._default)


class _Conditions:
    """Of rules, in their order. What those said that are decided by sides is remembered by the sides."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        programs = [rule.program for rule in rules]
        sided = [place for place, rule in enumerate(rules) if decided_by_sides(rule)]
        others = sorted(set(range(len(rules))) - set(sided))
        self._sides = Sides([rules[place] for place in sided])
        self._sided = Together(programs, sided)
        self._others = Together(programs, others) if others else None
        self._known: dict[Key, int] = {}

    def test(self, facts: Facts) -> Told:
        key = self._sides.of(facts)
        true = None if key is None else self._known.get(key)
        untold: Sequence[tuple[int, str]] = ()
        if true is None:
            true, untold = self._sided.test(self._sided.bind(facts))
            if key is not None and not untold:
                if len(self._known) >= SIDES:
                    self._known.clear()
                self._known[key] = true
        if self._others is None:
            return true, tuple(untold)
        more, failed = self._others.test(self._others.bind(facts))
        return true | more, (*untold, *failed)
