"""Rows of a rule's form as editors show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

from orchestration.policies.forms import BARE, OPS, Form, Row, ops_for
from orchestration.policies.versions import Wrong


@dataclass(frozen=True, slots=True)
class RowField:
    """A row of the form as it is shown."""

    row: Row
    group: int
    place: int
    number: int  # as people count rows, from the first of the form
    ops: list[tuple[str, str]]
    fault: Wrong | None

    @property
    def is_bare(self) -> bool:
        return self.row.op in BARE

    @property
    def is_range(self) -> bool:
        return self.row.op == "between"


def row_fields(rows: Form, faults: Mapping[str, Wrong]) -> list[list[RowField]]:
    """By group; `faults` by `rows.<group>.<row>`."""
    numbers = count(1)

    def shown(row: Row, g: int, r: int) -> RowField:
        ops = [(op, OPS[op]) for op in ops_for(row.field)]
        return RowField(row, g, r, next(numbers), ops, faults.get(f"rows.{g}.{r}"))

    return [[shown(row, g, r) for r, row in enumerate(group)] for g, group in enumerate(rows.groups)]
