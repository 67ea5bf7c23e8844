"""The fields of what starts a workflow, as its editor shows them, with what they mean in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from dashboard.workflow_fields import Field
from dashboard.workflow_trigger_forms import TriggerDraft
from orchestration.workflows import triggers
from orchestration.workflows.fields import Fault, Fields
from orchestration.workflows.triggers import Trigger

KINDS = (
    ("", "Nothing more"),
    ("schedule", "A clock, at certain times"),
    ("run", "The end of another workflow's run"),
    ("rule", "A rule on signals"),
)
MISSED = (("tell", "only told"), ("start", "told, and the last one started late"))
ENDS = (("completed", "is completed"), ("failed", "has failed"), ("either", "has ended either way"))
SHOWN = 3  # times to come


@dataclass(frozen=True, slots=True)
class TriggerView:
    place: int
    draft: TriggerDraft
    errors: Mapping[str, Sequence[str]]

    @property
    def kind(self) -> Field:
        label = "And also" if self.place else "What starts it"
        return Field(f"t{self.place}-on", label, self.draft.on, "select", choices=KINDS, errors=self._of("on"))

    @property
    def f(self) -> dict[str, Field]:
        draft = self.draft
        told = (
            self._text("cron", "Times", draft.cron, "Minute, hour, day, month, weekday.", "30 6 * * 1-5"),
            self._text("zone", "Time zone", draft.zone, "", "Europe/Berlin"),
            self._choice("missed", "Missed while Baton was away:", draft.missed, MISSED),
            self._text("workflow", "Workflow", draft.workflow, "As it is called.", "Invoices"),
            self._choice("ends", "Whose run", draft.ends, ENDS),
            self._text("rule", "Rule", draft.rule, "As it stands in its address.", "refunds-fail"),
            self._text("most_an_hour", "Runs an hour, at most", draft.most_an_hour, "", str(triggers.MOST_AN_HOUR), 6),
            self._text("input", "What a run begins with", draft.input, "JSON; none is needed.", '{"limit": 500}', 4000),
        )
        return {field.name.partition("-")[2]: field for field in told}

    @property
    def loose(self) -> list[str]:
        """Faults that no field stands beside."""
        return [text for path, found in self.errors.items() if path.split(".")[0] not in self.f for text in found]

    @property
    def trigger(self) -> Trigger | None:
        """What it means; None while something is wrong with it."""
        faults: list[Fault] = []
        made = triggers.read(Fields.of(self.draft.body("", faults), "", faults), "") if self.draft.on else None
        return made if made and not faults and not self.errors else None

    @property
    def says(self) -> str:
        return triggers.words(self.trigger) if self.trigger else ""

    @property
    def times(self) -> list[datetime]:
        """The next ones of a schedule."""
        trigger, at = self.trigger, timezone.now()
        found: list[datetime] = []
        if trigger and trigger.on == "schedule":
            while len(found) < SHOWN and (then := triggers.first_after(trigger, at)):
                found.append(at := then)
        return found

    def _of(self, name: str) -> list[str]:
        return [text for path, found in self.errors.items() if path.split(".")[0] == name for text in found]

    def _text(self, name: str, label: str, value: str, hint: str, placeholder: str, most: int = 120) -> Field:
        return Field(f"t{self.place}-{name}", label, value, "text", hint, placeholder, most, (), self._of(name))

    def _choice(self, name: str, label: str, value: str, choices: Sequence[tuple[str, str]]) -> Field:
        return Field(f"t{self.place}-{name}", label, value, "select", choices=choices, errors=self._of(name))
