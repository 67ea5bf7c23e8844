"""What the editor says of what stands in it: what is wrong and where, how it reads, what history shows. Nothing is
stored."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboard.policy_forms import FORM, Draft, Example, rows_of
from dashboard.policy_words import Line, difference, in_words
from orchestration.autonomy import rerouting
from orchestration.lib.templatetags.baton import number, percent, plural
from orchestration.policies import cel, forms, standing, versions
from orchestration.policies.effects import WORDS, Kind
from orchestration.policies.evaluate import Rule
from orchestration.policies.models import Policy
from orchestration.policies.rehearsal import RECENT
from orchestration.policies.standing import Look
from orchestration.policies.versions import BadBody, Tried, Wrong
from orchestration.policies.vocabulary import FIELDS, near
from orchestration.registry.models import Agent

_TOKEN = re.compile(
    r"(?P<s>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')|(?P<k>(?<![\w.])limits?(?:\.\w+)?(?!\w)|\b(?:true|false|in)\b)"
    r"|(?P<d>(?<![\w.])\d+(?:\.\d+)?)|(?P<c>//.*)"
)


@dataclass(frozen=True, slots=True)
class Token:
    """`look`: k a word of the language or a limit, s a text, d a number, c a comment."""

    text: str
    look: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A finding about a rule that can be read: `says` in bold, then why it matters."""

    tone: str
    says: str
    why: str


@dataclass(slots=True)
class Check:
    """`body` is None where something is wrong. `others`: faults that no field of the page stands beside."""

    draft: Draft
    body: dict[str, Any] | None = None
    faults: list[Wrong] = field(default_factory=list)
    code: list[list[Token]] = field(default_factory=list)
    words: str = ""
    reads: int = 0
    notes: list[Note] = field(default_factory=list)
    changes: list[Line] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    fits_rows: bool = True
    failing: int = 0

    @property
    def cases(self) -> list[tuple[Example, Tried | None]]:
        """Each example with what came of it; nothing as long as the rule cannot be read."""
        tried: list[Tried | None] = [*self.tried] or [None] * len(self.draft.examples)
        return list(zip(self.draft.examples, tried, strict=True))

    @property
    def rule_faults(self) -> list[Wrong]:
        return [fault for fault in self.faults if fault.field == "condition"]

    @property
    def row_faults(self) -> dict[str, Wrong]:
        return {fault.field: fault for fault in self.faults if fault.field.startswith("rows.")}

    @property
    def others(self) -> list[Wrong]:
        return [fault for fault in self.faults if fault.field != "condition" and not fault.field.startswith("rows.")]

    @property
    def changed(self) -> list[Line]:
        return [line for line in self.changes if line.sign]


def check(
    policy: Policy,
    draft: Draft,
    against: Mapping[str, Any] | None,
    rules: Sequence[Rule],
    history: Sequence[Mapping[str, Any]],
) -> Check:
    """`against`: body of the live version; `rules`: those in force; `history`: facts of recorded decisions."""
    seen = standing.sent_fields(history)
    found = Check(draft)
    found.code = tokens(text_of(draft))
    try:
        found.body = draft.body(seen, history[:RECENT])
    except BadBody as error:
        found.faults = list(error.faults)
    found.fits_rows = draft.shape == FORM or fits(draft)
    if found.body is None:
        return found
    found.faults = unknown(policy.workspace_id, found.body)
    rule = Rule.of(policy.pk, policy.slug, policy.name, 0, found.body)
    found.words, found.reads = in_words(found.body), len(rule.program.reads)
    found.notes = [*_unsent(rule, seen, history), *notes(standing.look(rule, rules, history))]
    found.changes = difference(against, found.body) if against else []
    found.tried = [told(each) for each in versions.try_examples(policy.name, found.body)]
    found.failing = sum(not each.passes for each in found.tried)
    return found


def unknown(workspace_id: int, body: Mapping[str, Any]) -> list[Wrong]:
    """Agents that would be asked, or get the work, and are not there. A workspace that has seen no agent yet takes any
    name: rules may be written before the first one comes."""
    found = []
    for part in ("then", "otherwise"):
        try:
            if to := (body.get(part) or {}).get("to"):
                rerouting.look(workspace_id, {"to": to})
        except rerouting.Nobody as error:
            found.append(Wrong(f"{part}.to", str(error)))
    return found if found and Agent.objects.filter(workspace_id=workspace_id).exists() else []


def told(tried: Tried) -> Tried:
    """With effects in the words of the page."""
    expected, said = (WORDS[Kind(kind)].lower() for kind in (tried.expected, tried.said))
    return Tried(tried.name, expected, said)


def notes(look: Look) -> list[Note]:
    """What recorded decisions say of a rule."""
    found = []
    of = f"the last {plural(look.decisions, 'decision,decisions')}"
    if look.decisions >= standing.ENOUGH and not look.cases:
        found.append(Note("human", "It speaks of nothing.", f"None of {of} lies in its scope."))
    if look.always:
        said = f"It was so in all {number(look.cases)} cases of its scope among {of}."
        found.append(Note("human", "Always true.", said))
    if look.never:
        said = f"It was so in none of {number(look.cases)} cases of its scope among {of}."
        found.append(Note("human", "Never true.", said))
    if look.failed:
        worst = max(look.lacking, key=lambda name: look.lacking[name], default="")
        lacks = f"Most lack {worst}. " if worst else ""
        share = f" ({percent(look.failed / look.cases)})" if look.cases >= standing.ENOUGH else ""
        why = f"{lacks}Then the setting “When it cannot be told” decides."
        found.append(Note("human", f"It could not be told in {plural(look.failed, 'case,cases')}{share}.", why))
    if look.shadowed_by:
        why = "In every recorded case that policy, of the same scope, is stricter: this one decides nothing."
        found.append(Note("crit", f"Shadowed by {', '.join(look.shadowed_by)}.", why))
    if look.overrules:
        why = "Of the same scope, it says something milder in every recorded case: this one always overrules it."
        found.append(Note("human", f"In conflict with {', '.join(look.overrules)}.", why))
    return found


def _unsent(rule: Rule, seen: tuple[str, ...], history: Sequence[Mapping[str, Any]]) -> list[Note]:
    """Open fields that no agent has sent: a slip of the pen is no error there, only never known."""
    if len(history) < standing.ENOUGH:
        return []
    found = []
    for path in sorted(rule.program.reads):
        if path in FIELDS or path.startswith("limits.") or any(f"{name}.".startswith(f"{path}.") for name in seen):
            continue
        close = [name for name in near(path, seen) if name in seen]
        meant = f" Did you mean {' or '.join(close)}?" if close else ""
        found.append(Note("human", f"No agent has sent {path} yet.", f"It is then not known.{meant}"))
    return found


def tokens(text: str) -> list[list[Token]]:
    """A rule line by line, its parts marked for colour."""
    return [_line(line) for line in text.splitlines()]


def _line(line: str) -> list[Token]:
    made, at = [], 0
    for match in _TOKEN.finditer(line):
        if match.start() > at:
            made.append(Token(line[at : match.start()]))
        made.append(Token(match[0], match.lastgroup or ""))
        at = match.end()
    return [*made, Token(line[at:])] if at < len(line) else made


def text_of(draft: Draft) -> str:
    try:
        return draft.written()
    except forms.BadForm:
        return ""


def fits(draft: Draft) -> bool:
    """Whether rows can say it; true where it cannot be read yet."""
    try:
        cel.compiled(draft.condition.strip(), draft.subject)
    except cel.Invalid:
        return True
    return rows_of(draft.condition, draft.subject) is not None
