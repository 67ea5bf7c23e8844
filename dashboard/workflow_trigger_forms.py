"""What starts a workflow, as its editor has it: read from a stored definition or from what a browser sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import orjson
from django.http import QueryDict

from orchestration.workflows.definition import MOST_TRIGGERS
from orchestration.workflows.fields import Fault

OF = {"schedule": ("cron", "zone", "missed"), "run": ("workflow", "ends"), "rule": ("rule",)}
LIMITED = ("run", "rule")


@dataclass(slots=True)
class TriggerDraft:
    """`on` "": there is none. What belongs to another kind is kept while it is typed, and not stored."""

    on: str = ""
    cron: str = ""
    zone: str = ""
    missed: str = "tell"
    workflow: str = ""
    ends: str = "completed"
    rule: str = ""
    input: str = ""
    most_an_hour: str = ""

    def body(self, path: str, faults: list[Fault]) -> dict[str, Any]:
        told: dict[str, Any] = {"on": self.on} | {name: getattr(self, name) for name in OF.get(self.on, ())}
        if self.on in LIMITED and (most := self.most_an_hour.strip()):
            told["most_an_hour"] = int(most) if most.isascii() and most.isdigit() and len(most) < 9 else most
        if self.input.strip():
            try:
                told["input"] = orjson.loads(self.input)
            except ValueError:
                faults.append(Fault(f"{path}.input", 'Write it as JSON, like {"limit": 500}.'))
        return told


def drafts_of(stored: Sequence[Mapping[str, Any]]) -> list[TriggerDraft]:
    """Without the API, which is always there."""
    made = []
    for each in stored:
        if each["on"] != "api":
            given = orjson.dumps(each["input"]).decode() if each.get("input") else ""
            most = str(each.get("most_an_hour", ""))
            made.append(TriggerDraft(**{**each, "input": given, "most_an_hour": most}))
    return made


def sent_triggers(sent: QueryDict) -> list[TriggerDraft]:
    """Fields of trigger n are called `t<n>-<field>`."""
    made = []
    for place in range(MOST_TRIGGERS):
        draft = TriggerDraft()
        for each in fields(TriggerDraft):
            setattr(draft, each.name, sent.get(f"t{place}-{each.name}", getattr(draft, each.name)).strip())
        if draft.on:
            made.append(draft)
    return made
