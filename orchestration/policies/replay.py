"""A draft over recorded decisions, by the very evaluator that runs live: what would have been asked, passed and
refused, and what that would have cost. Pure: recorded decisions in, a report out.

A hundred thousand decisions and a hundred rules are millions of questions, so each is asked once: what the other rules
say is the same before and after, conditions are tested together (`together`), and the limits of the curve beside them.
What follows from how a condition came out is `evaluate.said`, as it is live.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from orchestration.policies import asks, cel
from orchestration.policies.effects import STRICTNESS, Effect, Kind
from orchestration.policies.evaluate import Rule, missing, said
from orchestration.policies.lookback import Lookback
from orchestration.policies.replay_report import Point, Recorded, Report
from orchestration.policies.scopes import READS
from orchestration.policies.together import KNOWN, Together, Told, names_in

POINTS = 25  # of the curve
REMEMBERED = 20_000
KINDS = {strictness: kind for kind, strictness in STRICTNESS.items()}
SILENT = -1  # below every strictness: nobody spoke

Facts = dict[str, Any]


class Voices:
    """Rules of one scope on many facts: how strict the strictest of them is."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._together = Together([rule.program for rule in self.rules])
        self._says = [
            (_strictness(said(rule, True)), _strictness(said(rule, False)), _strictness(said(rule, "")))
            for rule in self.rules
        ]
        self._known: dict[Told, int] = {}

    def told(self, activation: Any) -> Told:
        return self._together.test(activation)

    def each(self, told: Told) -> list[int]:
        """How strict each rule is, by how its condition came out."""
        true, untold = told
        failed = {place for place, _ in untold}
        return [
            failing if place in failed else then if true >> place & 1 else otherwise
            for place, (then, otherwise, failing) in enumerate(self._says)
        ]

    def strictest(self, activation: Any) -> int:
        if not self.rules:
            return SILENT
        key = _plain(self.told(activation))
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            found = self._known[key] = max(self.each(key))
        return found


class Replay:
    """Fed with recorded decisions, oldest first. `live`: the rules in force; `draft` takes the place of its policy."""

    def __init__(self, live: Sequence[Rule], draft: Rule, default: Effect) -> None:
        self._draft = draft
        self._default = STRICTNESS[default.kind]
        self._others = tuple(rule for rule in live if rule.policy != draft.policy)
        self._was = Voices([rule for rule in live if rule.policy == draft.policy][:1])
        self._is = Voices([draft])
        self._limits = _limits(draft)
        self._ladder = Voices(
            [
                Rule.of(draft.policy, draft.slug, draft.name, draft.version, _body(draft, limit))
                for limit in self._limits
            ]
        )
        self._rungs: Counter[tuple[Told | None, int, bool]] = Counter()  # None: outside of the draft's scope
        self._voices: dict[tuple[int, ...], Voices] = {}
        self._scopes: dict[tuple[str, ...], Voices] = {}
        programs = [rule.program for rule in (*live, draft)]
        self._names = names_in(programs)
        past = {name for name in self._names if name.startswith("past.")}
        self._lookback = Lookback(past) if past else None
        self.report = Report()

    @property
    def looks_back(self) -> bool:
        """Whether it wants to see (`warm`) what came before the first decision that it is fed with."""
        return self._lookback is not None

    def warm(self, history: Iterable[Recorded]) -> None:
        """Decisions that are only looked back on."""
        for recorded in history:
            self._facts(recorded)

    def feed(self, history: Iterable[Recorded]) -> None:
        for recorded in history:
            self._one(recorded)

    def finish(self) -> Report:
        report = self.report
        report.curve = self._curve()
        report.limit = self._draft.limits.get("limit") if report.curve else None
        report.finish()
        return report

    def _one(self, recorded: Recorded) -> None:
        facts = self._facts(recorded)
        activation = self._bound(facts)
        others = self._scoped(facts).strictest(activation)
        was, now = others, others
        theirs = bool(self._was.rules) and self._was.rules[0].scope.takes(facts)
        if theirs:
            was = max(others, self._was.strictest(activation))
        mine = self._draft.scope.takes(facts)
        if mine:
            now = max(others, self._mine(facts, activation))
        before, after = self._kind(was), self._kind(now)
        report = self.report
        report.decisions += 1
        report.imported += recorded.imported
        report.timeless += recorded.timeless
        report.first, report.last = report.first or recorded.at, recorded.at
        report.otherwise += not recorded.imported and before.value != recorded.effect
        if not (mine or theirs):
            return  # neither version can be heard on this: its tickets are no doing of theirs
        report.concerned += 1
        report.before.add(before, recorded)
        report.after.add(after, recorded)
        if before is not after:
            report.change(recorded, before, after)
        if self._limits:
            told = _plain(self._ladder.told(activation)) if mine else None
            self._rungs[told, others, recorded.went_wrong] += 1

    def _mine(self, facts: Facts, activation: Any) -> int:
        """What the draft says, counted by how its condition came out."""
        true, untold = self._is.told(activation)
        self.report.judged += 1
        self.report.true += true
        if untold:
            self.report.untold += 1
            self.report.missing.update(missing(self._draft, facts))
        return self._is.each((true, untold))[0]

    def _kind(self, strictness: int) -> Kind:
        return KINDS[self._default if strictness == SILENT else strictness]

    def _facts(self, recorded: Recorded) -> Facts:
        facts = asks.restored(recorded.facts) if "now" in self._names else dict(recorded.facts)
        if self._lookback is None:
            return facts
        subjects = asks.subjects_in(facts, recorded.run)
        seen = self._lookback.facts(subjects, recorded.action_type, recorded.at)
        counts = recorded.effect != Kind.DENY and recorded.verdict != "reject"
        amount = facts.get("action.amount")
        self._lookback.add(subjects, recorded.action_type, recorded.at, recorded.agent, amount, counts)
        return {**seen, **facts}  # what was recorded was what the rules saw

    def _bound(self, facts: Facts) -> Any:
        """Of the facts those that some rule names: binding costs more than testing."""
        wanted = {name: facts[name] for name in self._names if name in facts}
        if KNOWN in self._names:
            wanted[KNOWN] = sorted(facts)
        return cel.activation(wanted)

    def _scoped(self, facts: Facts) -> Voices:
        """The other rules in whose scope the act lies. Acts are of few kinds, so they are remembered by what scopes
        look at."""
        key = tuple(str(facts.get(name) or "") for name in READS)
        found = self._scopes.get(key)
        if found is None:
            places = tuple(place for place, rule in enumerate(self._others) if rule.scope.takes(facts))
            found = self._voices.get(places)
            if found is None:
                found = self._voices[places] = Voices([self._others[place] for place in places])
            if len(self._scopes) >= REMEMBERED:
                self._scopes.clear()
            self._scopes[key] = found
        return found

    def _curve(self) -> list[Point]:
        tickets, missed = Counter[int](), Counter[int]()
        for (told, others, wrong), n in self._rungs.items():
            rungs = self._ladder.each(told) if told else [SILENT] * len(self._limits)
            for place, strictness in enumerate(rungs):
                kind = self._kind(max(others, strictness))
                tickets[place] += n * (kind is Kind.HOLD)
                missed[place] += n * (kind is Kind.ALLOW and wrong)
        return [Point(limit, tickets[place], missed[place]) for place, limit in enumerate(self._limits)]


def _plain(told: Told) -> Told:
    """Without the words of errors, of which each may be another."""
    return told[0], tuple((place, "") for place, _ in told[1])


def _strictness(effect: Effect | None) -> int:
    return SILENT if effect is None else STRICTNESS[effect.kind]


def _limits(draft: Rule) -> list[float]:
    """Around the draft's limit, round numbers, from nothing to four times as much."""
    limit = draft.limits.get("limit")
    if limit is None or limit <= 0 or "limit" not in draft.program.reads:
        return []
    steps = [limit * 4 * place / (POINTS - 1) for place in range(POINTS)]
    return sorted({float(f"{step:.3g}") for step in steps} | {limit})


def _body(draft: Rule, limit: float) -> dict[str, Any]:
    return {
        "condition": draft.program.text,
        "scope": draft.scope.stored(),
        "then": draft.then.stored(),
        "otherwise": draft.otherwise.stored() if draft.otherwise else None,
        "limits": {**draft.limits, "limit": limit},
        "fail_mode": "closed" if draft.closed else "open",
    }
