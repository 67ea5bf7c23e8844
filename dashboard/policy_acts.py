"""What the buttons of the editor do to what stands in it, before anything is stored. Each is named by one word of the
form's field `do`, so that it works with and without a script."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from dashboard.policy_forms import CEL, FORM, Draft, Example, as_json, rows_of
from dashboard.policy_words import grouped
from orchestration.lib.templatetags.baton import named
from orchestration.policies import forms
from orchestration.policies.effects import WORDS, Kind
from orchestration.policies.forms import Form, Row
from orchestration.policies.models import Decision
from orchestration.policies.scopes import Scope

EXPECTED = {"approve": "allow", "reject": "deny"}
OFFERED, SEARCHED = 6, 100
_WORD = re.compile(r"[A-Za-z_][\w.]*")


@dataclass(frozen=True, slots=True)
class Offer:
    """A recorded decision that may become an example."""

    id: UUID
    name: str
    expected: str
    said: str

    @property
    def words(self) -> str:
        return WORDS[Kind(self.expected)].lower()


def act(draft: Draft, do: str, workspace_id: int) -> None:
    """Changes `draft`; a word that is none changes nothing."""
    name, _, rest = do.partition("-")
    if name in _ACTS:
        _ACTS[name](draft, rest, workspace_id)


def _to_cel(draft: Draft, rest: str, workspace_id: int) -> None:
    if draft.shape == FORM:
        try:
            draft.condition = draft.written()
        except forms.BadForm:
            return  # first the rows have to be right
    draft.shape = CEL


def _to_form(draft: Draft, rest: str, workspace_id: int) -> None:
    rows = rows_of(draft.condition, draft.subject)
    if draft.shape == CEL and rows is not None:
        draft.shape, draft.rows = FORM, rows


def _add(draft: Draft, rest: str, workspace_id: int) -> None:
    """`add-group`, or `add-2`: a row in the third group."""
    groups = [list(group) for group in draft.rows.groups]
    if rest == "group":
        groups.append([Row("", "eq")])
    elif rest.isdigit() and int(rest) < len(groups):
        groups[int(rest)].append(Row("", "eq"))
    draft.rows = _form(draft, groups)


def _drop(draft: Draft, rest: str, workspace_id: int) -> None:
    place = _two(rest)
    if place and place[0] < len(draft.rows.groups):
        groups = [list(group) for group in draft.rows.groups]
        groups[place[0]][place[1] : place[1] + 1] = []
        draft.rows = _form(draft, [group for group in groups if group])


def _fact(draft: Draft, rest: str, workspace_id: int) -> None:
    """`fact-0-1-action.amount`: the near name that was meant."""
    head, _, name = rest.rpartition("-")
    place = _two(head)
    if place and place[0] < len(draft.rows.groups) and place[1] < len(draft.rows.groups[place[0]]):
        groups = [list(group) for group in draft.rows.groups]
        groups[place[0]][place[1]] = replace(groups[place[0]][place[1]], field=name)
        draft.rows = _form(draft, groups)


def _near(draft: Draft, rest: str, workspace_id: int) -> None:
    """`near-2-5-action.amount`: the same, at line 2 and column 5 of the text."""
    head, _, name = rest.rpartition("-")
    place = _two(head)
    lines = draft.condition.split("\n")
    if not place or not 0 < place[0] <= len(lines) or not _WORD.fullmatch(name):
        return
    line, at = lines[place[0] - 1], place[1] - 1
    if found := _WORD.match(line, at):
        lines[place[0] - 1] = line[:at] + name + line[found.end() :]
        draft.condition = "\n".join(lines)


def _example(draft: Draft, rest: str, workspace_id: int) -> None:
    """`example-<id of a decision>`: it must come out like this from now on."""
    try:
        decision = Decision.objects.get(workspace_id=workspace_id, id=UUID(rest), forgotten_at=None)
    except (ValueError, Decision.DoesNotExist):
        return
    offer = _offer(decision)
    draft.examples.append(Example(offer.name, offer.expected, as_json(decision.facts)))


def _blank(draft: Draft, rest: str, workspace_id: int) -> None:
    effect, facts = ("acts", "{}") if draft.subject == "signal" else ("hold", '{"action.amount": 0}')
    draft.examples.append(Example(f"Case {len(draft.examples) + 1}", effect, facts))


def _forget(draft: Draft, rest: str, workspace_id: int) -> None:
    if rest.isdigit():
        draft.examples[int(rest) : int(rest) + 1] = []


_ACTS: dict[str, Callable[[Draft, str, int], None]] = {
    "cel": _to_cel,
    "form": _to_form,
    "add": _add,
    "drop": _drop,
    "fact": _fact,
    "near": _near,
    "example": _example,
    "blank": _blank,
    "forget": _forget,
}


def offers(draft: Draft, workspace_id: int) -> list[Offer]:
    """Recent decisions of the draft's scope that may become examples: unlike ones, and those people judged first."""
    scope = Scope(**{part: tuple(names) for part, names in draft.scope.items()})
    whole = Decision.objects.filter(workspace_id=workspace_id, forgotten_at=None)
    rows = whole.order_by("-at").defer("answer")[:SEARCHED]
    mine = sorted((row for row in rows if scope.takes(row.facts)), key=lambda row: not row.verdict)
    taken = {each.name for each in draft.examples}
    found: dict[tuple[str, str, str], Offer] = {}
    for row in mine:
        offer = _offer(row)
        if offer.name not in taken:
            found.setdefault((row.action_type, row.effect, row.verdict), offer)
    return list(found.values())[:OFFERED]


def _offer(decision: Decision) -> Offer:
    amount = f" of {grouped(float(decision.amount))}" if decision.amount is not None else ""
    answer = WORDS[Kind(decision.effect)].lower()
    said = f"people said {decision.verdict}" if decision.verdict else f"it was answered: {answer}"
    name = named(f"{decision.action_type}{amount} by {decision.agent}")[:120]
    return Offer(decision.id, name, EXPECTED.get(decision.verdict, decision.effect), said)


def _form(draft: Draft, groups: list[list[Row]]) -> Form:
    return Form(draft.rows.joiner, tuple(tuple(group) for group in groups))


def _two(text: str) -> tuple[int, int] | None:
    first, _, second = text.partition("-")
    return (int(first), int(second)) if first.isdigit() and second.isdigit() else None
