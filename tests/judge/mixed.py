"""A hundred cases of several kinds, as the inbox would put them before a person: how many batches, and of what starts
selected, how much has the same true answer as the rest of its batch?

Each draw takes a hundred cases at random; verdicts on the others are what the inbox has learnt from. The simple figure
is batches of 25 by policy and act, with everything selected. `bank`: what the demo's agents ask, the true answer being
what somebody careful says to the facts, of which reviewers miss 2 %; `bank, as it came`: the same, where only a coin
decided which of the doubtful ones went wrong; the published sets with what lenders said and what borrowers did.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from tests.judge.agreement import Agreement, percent
from tests.judge.imported import Imports

DRAWS, CASES, TAUGHT, USUAL = 20, 100, 800, 60
CAREFUL, SLIPS = 0.1, 0.02
LABELS = ("id", "decision", "outcome")


@dataclass(frozen=True)
class Labelled:
    """`wrong`: approving it is; `said`: what a person said of it before."""

    kind: str
    key: str
    fields: Mapping[str, Any]
    wrong: bool
    said: bool


@dataclass
class Score:
    """Summed over draws."""

    groups: list[int] = field(default_factory=list)
    selected: int = 0
    pure: int = 0
    wrong: int = 0
    expected: float = 0.0
    simple: int = 0
    base: int = 0


def judge(imports: Imports, agreement: Agreement) -> None:
    bank = list(_bank(careful=True))
    pools: dict[str, list[tuple[list[Labelled], int]]] = {
        "bank": [(bank, CASES)],
        "bank, as it came": [(list(_bank(careful=False)), CASES)],
    }
    sets = {
        "loan_decisions": ("decisions.csv.gz", "amount_thousand_usd", "decision", "reject"),
        "credit_outcomes": ("credits.csv.gz", "amount", "outcome", "bad"),
    }
    for name, (file, *columns) in sets.items():
        if imports.has(name):
            pools[name] = [(list(_table(imports.rows(name, file), name, *columns)), CASES)]
    if len(pools) == 4:
        parts = [(pools[name][0][0], size) for name, size in (("bank", 60), ("loan_decisions", 25))]
        pools["all of them"] = [*parts, (pools["credit_outcomes"][0][0], 15)]
    for name, pool in pools.items():
        imports.say(f"batches of {name}")
        _tell(agreement, name, _drawn(pool))


def _tell(agreement: Agreement, name: str, score: Score) -> None:
    mean = sum(score.groups) / len(score.groups)
    total = DRAWS * CASES
    agreement.add(
        "100 cases", f"{name}: batches, mean of {DRAWS} draws", "at most 20", f"{mean:.1f}", f"most {max(score.groups)}"
    )
    agreement.add(
        "100 cases",
        f"{name}: same answer among the selected",
        f"{score.selected:,}",
        f"{score.pure:,}",
        percent(score.pure, score.selected),
        percent(score.simple, total),
    )
    agreement.add(
        "100 cases",
        f"{name}: wrong among the selected, as announced",
        f"{score.wrong}",
        f"{score.expected:.0f}",
        f"{percent(score.selected, total)} start selected",
        f"{score.base} wrong in all",
    )


def _drawn(pools: Sequence[tuple[list[Labelled], int]]) -> Score:
    from escalations import fitting  # noqa: PLC0415  Django is set up by the caller

    score = Score()
    for seed in range(DRAWS):
        rng = Random(seed)
        asked: list[Labelled] = []
        taught: dict[str, list[Labelled]] = defaultdict(list)
        for pool, size in pools:
            mixed = rng.sample(pool, len(pool))
            asked += mixed[:size]
            for each in mixed[size:]:
                taught[each.kind].append(each)
        models = {
            kind: fitting.fit([(each.fields, each.said) for each in known[:TAUGHT]]) for kind, known in taught.items()
        }
        _one(score, asked, taught, models)
    return score


def _one(score: Score, asked: list[Labelled], taught: Mapping[str, list[Labelled]], models: Mapping[str, Any]) -> None:
    from escalations import odds  # noqa: PLC0415
    from escalations.batching import arrange, places  # noqa: PLC0415
    from escalations.closeness import Case, measure  # noqa: PLC0415

    by_key: dict[str, list[Labelled]] = defaultdict(list)
    for each in asked:
        by_key[each.key].append(each)
    batches = 0
    for known in by_key.values():
        kind = known[0].kind
        truth = {UUID(int=place + 1): each for place, each in enumerate(known)}
        cases = [Case(number, each.fields, "", number.int) for number, each in truth.items()]
        usual = [Case(UUID(int=10**6 + n), each.fields) for n, each in enumerate(taught.get(kind, [])[:USUAL])]
        model = models.get(kind)
        scale = measure([*usual, *cases], model=model)
        for group in arrange(scale, [], cases):
            batches += 1
            chosen = [number for number, place in places(scale, group).items() if place.selected]
            answers = Counter(truth[number].wrong for number in chosen)
            score.selected += len(chosen)
            score.pure += max(answers.values(), default=0)
            score.wrong += answers[True]
            found = odds.expected(
                model, [odds.chance(model, truth[number].fields) for number in chosen] if model else []
            )
            score.expected += found.wrong if found else 0.0
        for begin in range(0, len(known), 25):
            answers = Counter(each.wrong for each in known[begin : begin + 25])
            score.simple += max(answers.values())
    score.groups.append(batches)
    score.base += sum(each.wrong for each in asked)


def _table(rows: Sequence[Mapping[str, str]], name: str, amount: str, label: str, wrong: str) -> Iterator[Labelled]:
    for row in rows:
        context = {
            column: _plain(value)
            for column, value in row.items()
            if column not in LABELS and column != amount and value.strip() and not column.startswith("protected_")
        }
        bad = row[label] == wrong
        key, fields = _read(name, name, name, float(row[amount]), context, {}, [])
        yield Labelled(name, key, fields, bad, bad)


def _bank(*, careful: bool, n: int = 6000) -> Iterator[Labelled]:
    """What the demo's agents ask and its policies hold."""
    from orchestration.demo import matters  # noqa: PLC0415

    for number in range(n):
        rng = Random(f"bank {number}")
        scene: Any = SimpleNamespace(
            conversation=f"c{number}",
            customer=f"C-{rng.randrange(10_000, 99_999)}",
            account=f"A-{rng.randrange(200_000, 999_999)}",
            rhythm=SimpleNamespace(hour=lambda now: now),
            now=rng.randrange(24),
        )
        ask = _ask(scene, rng)
        if matters.expected(ask) != "hold":
            continue
        wrong = ask.wrong > CAREFUL if careful else rng.random() < ask.wrong
        policy = "two-people" if ask.type == "payout" and (ask.amount or 0) > 10_000 else ask.type
        key, fields = _read(
            policy, ask.agent, ask.type, ask.amount, ask.body("")["context"], ask.arguments, ask.evidence
        )
        yield Labelled(policy, key, fields, wrong, wrong != (rng.random() < SLIPS))


def _ask(scene: Any, rng: Random) -> Any:
    from orchestration.demo import matters  # noqa: PLC0415

    amount = rng.lognormvariate
    return rng.choice(
        (
            lambda: matters.refund(scene, matters.Refund(700 * amount(0, 0.4), rng.random() < 0.3, scene.now)),
            lambda: matters.payout(scene, 12_000 * amount(0.2, 0.3), matched=rng.random() < 0.8),
            lambda: matters.payout(scene, 1_200 * amount(0, 0.6), matched=False),
            lambda: matters.clearing(scene, near=True, documented=True),
            lambda: matters.offer(scene, 20_000 * amount(0, 0.5)),
            lambda: matters.card_limit(scene, plain=False),
            lambda: matters.address(scene, abroad=True),
        )
    )()


def _read(
    policy: str, agent: str, act: str, amount: float | None, context: Any, arguments: Any, evidence: Sequence[Any]
) -> tuple[str, Mapping[str, Any]]:
    from orchestration.holds.likeness import likeness  # noqa: PLC0415

    words = dict.fromkeys(("step", "skill", "question", "proposal", "why"), "")
    who = {"agent": agent.rpartition("/")[2], "application": agent.rpartition("/")[0], "people": 1, "version": 1}
    hold = {**words, **who, "workspace_id": 1, "source": "decision", "policy": policy, "evidence": list(evidence)}
    facts = {"action.arguments": arguments, "context": context}
    made = likeness(hold, {"action_type": act, "amount": amount, "currency": "USD", "facts": facts, "answer": {}})
    return made.key, made.fields


def _plain(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text
