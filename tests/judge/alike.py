"""Texts that are about the same: as the inbox compares many at once, beside published intents.

Texts of the training part teach what goes together, without their labels. Agreement is measured as the sets' own figure
is: normalised mutual information, adjusted Rand index, and accuracy under the best assignment of groups to intents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.judge.agreement import Agreement, percent
from tests.judge.imported import Imports

SETS = {"banking77": (("test",), "0.64", "0.22", "0.40"), "clinc150": (("test", "val"), "0.71", "0.29", "0.54")}
BACKGROUND = 4_000


def judge(imports: Imports, agreement: Agreement) -> None:
    from escalations import grouping  # noqa: PLC0415  Django is set up by the caller

    for name, (parts, *simple) in SETS.items():
        if not imports.has(name):
            continue
        imports.say(f"texts of {name}")
        rows: list[Any] = list(imports.lines(name, "texts.jsonl.gz"))
        asked = [row for row in rows if row["part"] in parts]
        about = [row for row in asked if row["intent"] is not None]
        background = [row["text"] for row in rows if row["part"] not in parts][:: max(1, len(rows) // BACKGROUND)]
        vectors = grouping.vectors([row["text"] for row in asked], background)
        known = [place for place, row in enumerate(asked) if row["intent"] is not None]
        truth = [str(row["intent"]) for row in about]
        found = grouping.groups(vectors[known], len(set(truth)))
        _agree(agreement, name, truth, found, simple)
        if len(about) < len(asked):
            _lonely(agreement, name, [row["intent"] is None for row in asked], grouping.lonely(vectors))


def _agree(agreement: Agreement, name: str, truth: list[str], found: list[int], simple: Sequence[str]) -> None:
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]  # noqa: PLC0415
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score  # noqa: PLC0415

    pairs = Counter(zip(found, truth, strict=True))
    intents, groups = sorted(set(truth)), sorted(set(found))
    counts = [[pairs[group, intent] for intent in intents] for group in groups]
    ours, theirs = linear_sum_assignment(counts, maximize=True)
    right = sum(counts[one][other] for one, other in zip(ours, theirs, strict=True))
    mutual, rand = normalized_mutual_info_score(truth, found), adjusted_rand_score(truth, found)
    size = f"{len(truth):,} texts"
    agreement.add(name, "normalised mutual information", size, f"{len(groups)} groups", f"{mutual:.2f}", simple[0])
    agreement.add(name, "adjusted Rand index", size, f"{len(groups)} groups", f"{rand:.2f}", simple[1])
    agreement.add(name, "in the group of their intent", size, f"{right:,}", percent(right, len(truth)), simple[2])


def _lonely(agreement: Agreement, name: str, truth: list[bool], said: list[bool]) -> None:
    both = sum(one and other for one, other in zip(truth, said, strict=True))
    f1 = 2 * both / (sum(truth) + sum(said))
    all_said = 2 * sum(truth) / (sum(truth) + len(truth))
    agreement.add(name, "belongs to nothing, F1", f"{sum(truth):,}", f"{sum(said):,}", f"{f1:.2f}", f"{all_said:.2f}")
