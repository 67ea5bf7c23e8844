"""The rules in force, as a process holds them. One number tells whether they still stand: the rulebook's generation,
which every decision names when it is stored. One that was made on older rules is not stored but made again, so a change
is in force everywhere with the commit that makes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import structlog
from django.db import connection

from orchestration.policies import cel
from orchestration.policies.asks import Rates
from orchestration.policies.effects import BadEffect, Effect, Kind
from orchestration.policies.evaluate import Rule
from orchestration.policies.ready import Ready
from orchestration.policies.scopes import BadScope

log = structlog.get_logger(__name__)

# Read in one statement, so that generation and rules belong together. A rulebook is made where there is none.
OPEN_SQL = "insert into policies_rulebook (workspace_id) values (%s) on conflict do nothing"
LIVE_SQL = """
select b.generation, b.default_effect, w.zone, w.currency, b.rates::text,
    p.id, p.slug, p.name, p.sensitive, v.number, v.state, v.body
from policies_rulebook b
join workspaces_workspace w on w.id = b.workspace_id
left join (policies_policy p join policies_policyversion v on v.policy_id = p.id and v.state in ('live', 'shadow'))
    on p.workspace_id = b.workspace_id and p.retired_at is null and p.subject = 'ask'
where b.workspace_id = %s
order by p.created_at, p.id
"""


@dataclass(frozen=True)
class Book:
    """A workspace's rules, compiled. `shadows`: by the id of their policy."""

    generation: int
    default: Effect
    zone: ZoneInfo
    currency: str
    rates: Rates
    rules: tuple[Rule, ...]
    shadows: tuple[Rule, ...]

    @cached_property
    def ready(self) -> Ready:
        return Ready(self.rules, self.default)

    @cached_property
    def needing(self) -> tuple[Rule, ...]:
        """Those for which something may have to be looked up."""
        return tuple(rule for rule in (*self.rules, *self.shadows) if rule.needs or rule.scope.workflows)

    @property
    def with_shadows(self) -> tuple[Rule, ...]:
        """All rules as they would be if every shadow version were live."""
        tried = {rule.policy: rule for rule in self.shadows}
        kept = tuple(tried.pop(rule.policy, rule) for rule in self.rules)
        return (*kept, *tried.values())


def book_of(rows: Sequence[Sequence[Any]]) -> Book:
    """Out of the rows of `LIVE_SQL`."""
    generation, default, zone, currency, told = rows[0][:5]
    rates = {name: Decimal(rate) for name, rate in orjson.loads(told).items()}
    rules: list[Rule] = []
    shadows: list[Rule] = []
    for policy, slug, name, _, number, state, body in (row[5:] for row in rows if row[5]):
        rule = _rule(policy, slug, name, number, body)
        (rules if state == "live" else shadows).append(rule)
    return Book(generation, Effect(Kind(default)), ZoneInfo(zone), currency, rates, tuple(rules), tuple(shadows))


def book(workspace_id: int) -> Book:
    """The same, read on Django's connection."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN_SQL, [workspace_id])
        cursor.execute(LIVE_SQL, [workspace_id])
        return book_of([(*row[:-1], orjson.loads(row[-1]) if row[-1] else None) for row in cursor])  # JSON as text


def renew(workspace_ids: Iterable[int]) -> None:
    """Tell every process that what is live has changed: to be called in the transaction that changes it."""
    with connection.cursor() as cursor:
        for workspace_id in workspace_ids:
            cursor.execute(
                "insert into policies_rulebook (workspace_id, generation) values (%s, 1) "
                "on conflict (workspace_id) do update set generation = policies_rulebook.generation + 1",
                [workspace_id],
            )


def _rule(policy: Any, slug: str, name: str, number: int, body: dict[str, Any]) -> Rule:
    """A version that cannot run any more (a later release may read rules otherwise) asks a person in every case, rather
    than letting pass what it was there to stop."""
    try:
        return _compiled(policy, slug, name, number, orjson.dumps(body))
    except (cel.Invalid, BadScope, BadEffect, KeyError, ValueError):
        log.exception("policy_unusable", policy=str(policy), version=number)
        stuck = {"condition": "true", "then": {"kind": "hold", "words": f"{name} cannot be read"}}
        return Rule.of(policy, slug, name, number, stuck)


@lru_cache(maxsize=2048)
def _compiled(policy: Any, slug: str, name: str, number: int, body: bytes) -> Rule:
    """Versions do not change, so that of a hundred rules one change compiles one anew, and not all of them."""
    return Rule.of(policy, slug, name, number, orjson.loads(body))
