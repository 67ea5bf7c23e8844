"""The fields of a step as the editor shows them: label, value, what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from dashboard.workflow_forms import MOST_RULES, RuleDraft, StepDraft

FEW = 24  # steps that are offered as boxes to tick; of more, names are written
OWNERS = (("agent", "Agent"), ("skill", "Any agent with the skill"), ("human", "A person"), ("webhook", "Webhook"))
UNDOERS = (("", "Nothing takes it back"), *(each for each in OWNERS if each[0] != "human"))
OUTCOMES = (("fail", "the run fails"), ("go_on", "the run goes on"))
RULE = (
    ("on", "Classes of error", "timeout, lost; none: every"),
    ("attempts", "Attempts", "3"),
    ("wait_s", "First wait", "1 s"),
    ("factor", "Times", "2"),
    ("most_wait_s", "At most", "5 m"),
    ("jitter", "Jitter", "20 %"),
)


@dataclass(frozen=True, slots=True)
class Field:
    """`kind`: text | area | code | select | check."""

    name: str
    label: str
    value: str
    kind: str = "text"
    hint: str = ""
    placeholder: str = ""
    most: int = 200
    choices: Sequence[tuple[str, str]] = ()
    errors: Sequence[str] = ()
    list: str = ""
    on: bool = False

    @property
    def id(self) -> str:
        return f"f-{self.name}"


@dataclass(frozen=True, slots=True)
class RuleRow:
    fields: list[Field]
    errors: list[str]


@dataclass(frozen=True, slots=True)
class Retries:
    """`rows` has an empty one at its end."""

    budget: Field
    rows: list[RuleRow]
    count: int


@dataclass
class StepView:
    """A step in the editor. `others`: id and name of the steps it may come after; `errors`: by its own field."""

    place: int
    draft: StepDraft
    others: Sequence[tuple[str, str]]
    errors: Mapping[str, Sequence[str]]
    many: bool = False
    opened: bool = False

    @property
    def number(self) -> int:
        return self.place + 1

    @property
    def prefix(self) -> str:
        return f"s{self.place}-"

    @property
    def faults(self) -> int:
        return sum(len(each) for each in self.errors.values())

    @property
    def open(self) -> bool:
        return bool(self.errors) or self.opened

    @property
    def after(self) -> list[tuple[str, str, bool]]:
        before = self.draft.before
        return [(key, name or key, key in before) for key, name in self.others]

    @property
    def gone(self) -> list[str]:
        """What it comes after that is not there."""
        known = {key for key, _ in self.others}
        return [each for each in self.draft.before if each not in known]

    @cached_property
    def f(self) -> dict[str, Field]:
        step = self.draft
        told = [
            self._text("name", "Name", step.name, "", "Check the claim", 120),
            self._text("id", "Id", step.id, "What guards call it: made of the name where it is left out.", "", 60),
            Field(f"{self.prefix}owner_kind", "Who does it", step.owner_kind, "select", choices=OWNERS),
            self._text("owner", "Name", step.owner, "", "refund-agent", 200, "owners"),
            self._text("after", "After", step.after, "Ids of steps, with commas between.", "check, score", 2000),
            self._text("guard", "Only if", step.guard, "", "context.steps.check.ok == true", 2048, kind="code"),
            self._text("time_limit_s", "Time limit", step.time_limit_s, "Of one attempt.", self._limit(), 30),
            self._text("wait_limit_s", "Waits at most", step.wait_limit_s, "For somebody to take it.", "for ever", 30),
            self._text("lease_s", "Silence allowed", step.lease_s, "Then another may take it.", "30 s", 30),
            self._check("idempotent", "Doing it twice is as doing it once", step.idempotent),
            self._check("keyed", "It passes Baton's key on, so that a second time has no effect", step.keyed),
            Field(f"{self.prefix}if_fails", "If it fails for good,", step.if_fails, "select", choices=OUTCOMES),
            self._text("question", "Question", step.question, "", "Is this claim justified?", 500, path="ask.question"),
            self._text("proposal", "Proposal", step.proposal, "", "", 2000, kind="area", path="ask.proposal"),
            self._text("why", "Why a person", step.why, "", "", 2000, kind="area", path="ask.why"),
            self._text(
                "cost_of_waiting", "Cost of waiting", step.cost_of_waiting, most=500, path="ask.cost_of_waiting"
            ),
            self._check("reversible", "What is decided can be reversed", step.reversible),
        ]
        return {field.name.removeprefix(self.prefix): field for field in [*told, *self._undo()]}

    def _undo(self) -> list[Field]:
        step = self.draft
        of = "compensation"
        return [
            Field(f"{self.prefix}undo_kind", "Who takes it back", step.undo_kind, "select", choices=UNDOERS),
            self._text("undo_owner", "Name", step.undo_owner, "", "", 200, "owners", path=f"{of}.owner"),
            self._text(
                "undo_name", "What it is called", step.undo_name, "", "Cancel the payment", 120, path=f"{of}.name"
            ),
            self._text(
                "undo_time_limit_s", "Time limit", step.undo_time_limit_s, "", "10 m", 30, path=f"{of}.time_limit_s"
            ),
            self._text("undo_lease_s", "Silence allowed", step.undo_lease_s, "", "30 s", 30, path=f"{of}.lease_s"),
            self._check("undo_idempotent", "Doing it twice is as doing it once", step.undo_idempotent),
            self._check("undo_keyed", "It passes Baton's key on", step.undo_keyed),
        ]

    @cached_property
    def retries(self) -> Retries:
        return self._retries("rules", self.draft.rules, "budget", self.draft.budget, "retry")

    @cached_property
    def undo_retries(self) -> Retries:
        step = self.draft
        return self._retries("undo_rules", step.undo_rules, "undo_budget", step.undo_budget, "compensation.retry")

    @property
    def owner_errors(self) -> Sequence[str]:
        return [message for path, found in self.errors.items() if path.split(".")[0] == "owner" for message in found]

    @property
    def loose(self) -> list[str]:
        """Faults that no field stands beside."""
        shown = {"retry.budget", "compensation.retry.budget", "after", "ask"}
        shown |= {"name", "id", "guard", "time_limit_s", "wait_limit_s", "lease_s", "ask.question", "ask.proposal"}
        shown |= {"ask.why", "ask.cost_of_waiting", "compensation.name", "compensation.time_limit_s"}
        shown |= {"compensation.lease_s", "compensation.owner"}
        return [
            message
            for path, found in self.errors.items()
            if path not in shown and path.split(".")[0] != "owner" and ".rules[" not in path
            for message in found
        ]

    def _limit(self) -> str:
        return "7 d" if self.draft.owner_kind == "human" else "10 m"

    def _text(
        self,
        name: str,
        label: str,
        value: str,
        hint: str = "",
        placeholder: str = "",
        most: int = 200,
        list: str = "",
        *,
        kind: str = "text",
        path: str = "",
    ) -> Field:
        path = path or name
        errors = [
            message for key, found in self.errors.items() if key == path or _inside(key, path) for message in found
        ]
        return Field(f"{self.prefix}{name}", label, value, kind, hint, placeholder, most, (), errors, list)

    def _check(self, name: str, label: str, on: bool) -> Field:
        return Field(f"{self.prefix}{name}", label, "1", "check", on=on)

    def _retries(self, key: str, rules: Sequence[RuleDraft], budget: str, value: str, path: str) -> Retries:
        rows = [
            self._rule(key, n, rule, f"{path}.rules[{n}]") for n, rule in enumerate([*rules, RuleDraft()][:MOST_RULES])
        ]
        return Retries(
            self._text(budget, "Retries in a run", value, "", "5", 6, path=f"{path}.budget"), rows, len(rules)
        )

    def _rule(self, key: str, n: int, rule: RuleDraft, path: str) -> RuleRow:
        errors = [
            message for at, found in self.errors.items() if at == path or at.startswith(f"{path}.") for message in found
        ]
        made = [
            Field(
                f"{self.prefix}{key}-{name}",
                f"{label}, row {n + 1}",
                getattr(rule, name),
                placeholder=example,
                errors=self.errors.get(f"{path}.{name}", ()),
            )
            for name, label, example in RULE
        ]
        return RuleRow(made, errors)


def _inside(key: str, path: str) -> bool:
    """The owner of a compensation is one field."""
    return path == "compensation.owner" and key.startswith(f"{path}.")
