"""What agents of one run do to each other while they do not coordinate: four kinds, each counted by one sentence
(`KINDS`). Pure: a run as the fold tells it, the arguments of its calls, and what agents asked to be allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from orchestration.lib.names import same_agent
from orchestration.workflows.duplicates import duplicates, looks
from orchestration.workflows.story import Story, ToolCall

Kind = tuple[str, str, str]
KINDS: tuple[Kind, ...] = (  # field of a row, name, what is counted
    ("looked", "Repeated look-ups", "An agent made a call that only looks, with arguments another agent had used."),
    (
        "asked",
        "Clashing requests to the customer",
        "An agent asked or told the customer something after another agent had: the same again, or something else.",
    ),
    ("timed_out", "Time-outs", "A call got no answer in time, whoever made it and whatever it was for."),
    (
        "differed",
        "Differing amounts",
        "An agent acted on an account, order or customer with another amount than another agent had before.",
    ),
)
_WORDS = re.compile(r"[a-z]+|[A-Z][a-z]*|[0-9]+")
_ASKS = frozenset(
    {"ask", "request", "message", "notify", "contact", "email", "mail", "write", "tell", "remind", "call", "send"}
)
_CUSTOMERS = frozenset({"customer", "client", "applicant", "claimant", "guest", "patient", "buyer", "policyholder"})
_LATE = re.compile(r"time[ds]?[ _-]?out|deadline.?exceeded|did not answer in|\b504\b", re.I)
_AMOUNTS = ("amount", "sum", "total", "value", "price", "amount_cents")
_SUBJECTS = re.compile(
    r"(?:.*_)?(?:account|iban|order|invoice|customer|client|claim|case|contract|booking|payment)"
    r"(?:_?(?:id|no|number|ref|key))?",
    re.I,
)
MOST_SUBJECTS = 12


@dataclass(frozen=True, slots=True)
class Act:
    """With an amount, on one or more things. `agent`: with its application, where that is known. `what` is its name: a
    tool, or the type of a decision."""

    agent: str
    what: str
    subjects: frozenset[str]
    amount: Decimal
    at_ns: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one run. `lost_ms`: what repeated look-ups took."""

    looked: int = 0
    lost_ms: int = 0
    asked: int = 0
    timed_out: int = 0
    differed: int = 0

    @property
    def any(self) -> bool:
        return bool(self.looked or self.asked or self.timed_out or self.differed)


def counts(story: Story, arguments: Mapping[bytes, Any], decided: Iterable[Act] = ()) -> Counts:
    """`arguments`: by span id, as far as they are kept."""
    again = [each for each in duplicates(story) if looks(each.tool)]
    calls = sorted(story.tool_calls, key=lambda each: each.at_ns)
    acts = [*decided, *filter(None, (act_of(call, arguments.get(call.span_id)) for call in calls))]
    return Counts(
        looked=len(again),
        lost_ms=sum(each.lost_ns for each in again) // 1_000_000,
        asked=_after_another((call.application, call.agent) for call in calls if asks(call.tool)),
        timed_out=sum(not call.ok and _LATE.search(call.error) is not None for call in calls),
        differed=_differing(sorted(acts, key=lambda each: each.at_ns)),
    )


def asks(tool: str) -> bool:
    """Whether a tool's name says that a customer is asked or told something: `ask_customer`, `crm.notifyClient`."""
    words = _words(tool)
    return bool(_ASKS & words and _CUSTOMERS & words)


def act_of(call: ToolCall, arguments: Any) -> Act | None:
    """None for what only looks, failed, or names no amount."""
    if not call.ok or looks(call.tool) or not isinstance(arguments, Mapping):
        return None
    return act(f"{call.application}/{call.agent}", call.tool, arguments, amount_in(arguments), call.at_ns)


def act(agent: str, what: str, arguments: Mapping[str, Any], amount: Decimal | None, at_ns: int) -> Act | None:
    subjects = frozenset(_subjects(arguments))
    return Act(agent, what, subjects, amount, at_ns) if amount is not None and subjects else None


def amount_in(arguments: Mapping[str, Any]) -> Decimal | None:
    for name in _AMOUNTS:
        value = arguments.get(name)
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            try:
                found = Decimal(str(value)[:40])
            except InvalidOperation:
                continue
            if found.is_finite():
                return found
    return None


def _subjects(arguments: Mapping[str, Any]) -> Iterator[str]:
    named = [(key, value) for key, value in arguments.items() if isinstance(key, str) and _SUBJECTS.fullmatch(key)]
    for _, value in named[:MOST_SUBJECTS]:
        if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value):
            yield str(value)[:200].casefold()


def _after_another(who: Iterable[tuple[str, str]]) -> int:
    """How many come after one of somebody else."""
    before: set[tuple[str, str]] = set()
    found = 0
    for each in who:
        found += bool(before - {each})
        before.add(each)
    return found


def _differing(acts: Sequence[Act]) -> int:
    """Acts of the same kind on the same thing whose amount is not what another agent's last one had. What an agent
    asks for and then does is one act of it."""
    found, seen = 0, set[tuple[str, Decimal]]()
    for place, each in enumerate(acts):
        who = each.agent.casefold()
        others = [past for past in acts[:place] if not same_agent(past.agent, each.agent) and _same(past, each)]
        if others and others[-1].amount != each.amount and (who, each.amount) not in seen:
            found += 1
            seen.add((who, each.amount))
    return found


def _same(one: Act, other: Act) -> bool:
    return bool(one.subjects & other.subjects and _matter(one.what) & _matter(other.what))


@lru_cache(maxsize=4096)
def _matter(what: str) -> frozenset[str]:
    """What an act is about: its name without the verb that comes first."""
    words = [word.lower() for word in _WORDS.findall(re.split(r"__|[./:]", what)[-1])]
    return frozenset(words[1:] or words)


@lru_cache(maxsize=4096)
def _words(tool: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORDS.findall(tool))
