"""What the editor of a workflow says of what stands in it: faults and where, and the picture. Nothing is stored."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dashboard.workflow_forms import Draft
from dashboard.workflow_picture import Drawn, Picture, picture
from orchestration.control.declaring import guard_fault, guard_faults
from orchestration.workflows.definition import BadDefinition, parse
from orchestration.workflows.fields import Fault
from orchestration.workflows.plans import Definition

OWNER_WORDS = {"agent": "agent", "skill": "who can", "human": "a person", "webhook": "webhook"}
_PLACE = re.compile(r"steps\[(\d+)\]\.?(.*)")


@dataclass(slots=True)
class Check:
    """`definition` is None where something is wrong."""

    draft: Draft
    definition: Definition | None = None
    faults: list[Fault] = field(default_factory=list)

    def of_step(self, place: int) -> dict[str, list[str]]:
        """Faults of one step, by its own field; of `after[0]` as of `after`."""
        found: dict[str, list[str]] = {}
        for fault in self.faults:
            match = _PLACE.fullmatch(fault.path)
            if match and int(match[1]) == place:
                found.setdefault(re.sub(r"^(after|retry\.rules\[\d+\]\.on)\[\d+\]$", r"\1", match[2]), []).append(
                    fault.message
                )
        return found

    def of_trigger(self, place: int) -> dict[str, list[str]]:
        """Faults of one trigger, by its own field."""
        found: dict[str, list[str]] = {}
        for fault in self.faults:
            if fault.path.startswith(f"triggers[{place}]"):
                found.setdefault(fault.path.partition("]")[2].strip("."), []).append(fault.message)
        return found

    def of(self, name: str) -> list[str]:
        return [fault.message for fault in self.faults if fault.path == name]

    @property
    def picture(self) -> Picture:
        """Of what stands there, right or wrong."""
        steps = [
            Drawn(
                step.id,
                step.name,
                owner_words(step.owner_kind, step.owner),
                step.owner_kind,
                bool(step.guard),
                bool(step.undo_kind),
            )
            for step in self.draft.steps
        ]
        return picture(steps, {step.id: step.before for step in self.draft.steps})


def check(draft: Draft) -> Check:
    found = Check(draft)
    body = draft.body(found.faults)
    told = {fault.path for fault in found.faults}
    try:
        made = parse(body)
        found.faults += guard_faults(made)
    except BadDefinition as error:
        made = None
        found.faults += [fault for fault in error.faults if fault.path not in told]
        found.faults += [each for each in _typed_guards(draft) if each.path not in {f.path for f in found.faults}]
    found.definition = None if found.faults else made
    return found


def _typed_guards(draft: Draft) -> list[Fault]:
    """While something else is wrong: what can be told of guards without knowing the steps."""
    return [
        fault
        for place, step in enumerate(draft.steps)
        for fault in guard_fault(step.guard, f"steps[{place}].guard", {each.id for each in draft.steps})
    ]


def owner_words(kind: str, name: str) -> str:
    if kind == "human":
        return f"a person who knows {name}" if name else "a person"
    if kind == "skill":
        return f"whoever can {name}" if name else ""
    return f"webhook {name}" if kind == "webhook" and name else name
