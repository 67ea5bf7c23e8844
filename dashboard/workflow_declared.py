"""A declared workflow and its versions as the pages show them: what is live, what is being written, who put what live
and why, what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import orjson

from dashboard.workflow_check import owner_words
from dashboard.workflow_forms import long
from dashboard.workflow_picture import Drawn, Picture, picture
from dashboard.workflow_words import difference, retry_words
from orchestration.ledger.models import Entry
from orchestration.workflows.declared_models import DefinitionState, DefinitionVersion, WorkflowDefinition
from orchestration.workflows.models import Workflow
from orchestration.workflows.plans import Definition, StepPlan
from orchestration.workspaces.current import Here, nothing_here

STEPS = {"workflow.published": "live", "workflow.retired": "retired", "workflow.drafted": "saved"}


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that was done with a version: saved, put live, retired."""

    what: str
    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class VersionRow:
    version: DefinitionVersion
    turns: list[Turn]
    before: int | None
    changed: int  # lines

    @property
    def last(self) -> Turn | None:
        """What last made it live or retired, else its last save."""
        put = [turn for turn in self.turns if turn.what != "saved"]
        found = put or self.turns
        return found[-1] if found else None

    @property
    def author(self) -> str:
        return self.version.author.removeprefix("person:")


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step of a definition as a row of its table."""

    step: StepPlan
    number: int
    owner: str
    after: str
    retry: str
    limit: str


@dataclass
class DeclaredPage:
    """One workflow and what was declared of it; `definition` is None where nothing was."""

    flow: Workflow
    definition: WorkflowDefinition | None
    versions: list[DefinitionVersion]  # the newest first

    @property
    def live(self) -> DefinitionVersion | None:
        return self._in(DefinitionState.LIVE)

    @property
    def draft(self) -> DefinitionVersion | None:
        return self._in(DefinitionState.DRAFT)

    @property
    def newest(self) -> DefinitionVersion | None:
        """What an editor begins with."""
        return self.draft or self.live or (self.versions[0] if self.versions else None)

    def numbered(self, number: int) -> DefinitionVersion | None:
        return next((version for version in self.versions if version.number == number), None)

    @cached_property
    def history(self) -> list[VersionRow]:
        turns = turns_of(self.flow.workspace_id, [str(version.pk) for version in self.versions])
        rows = []
        for place, version in enumerate(self.versions):
            before = self.versions[place + 1] if place + 1 < len(self.versions) else None
            changed = sum(bool(line.sign) for line in difference(before.body, version.body)) if before else 0
            rows.append(VersionRow(version, turns.get(str(version.pk), []), before.number if before else None, changed))
        return rows

    def _in(self, state: str) -> DefinitionVersion | None:
        return next((version for version in self.versions if version.state == state), None)


def declared_page(request: Here, slug: str) -> DeclaredPage:
    flow = Workflow.objects.filter(workspace=request.workspace, slug=slug).first()
    if flow is None:
        raise nothing_here(request, Workflow.objects.filter(slug=slug))
    return declared_of(flow)


def declared_of(flow: Workflow) -> DeclaredPage:
    definition = WorkflowDefinition.objects.filter(workspace_id=flow.workspace_id, name=flow.name).first()
    versions = list(definition.versions.order_by("-number")) if definition else []
    return DeclaredPage(flow, definition, versions)


def turns_of(workspace_id: int, ids: Sequence[str]) -> dict[str, list[Turn]]:
    """What the ledger says was done with these versions, oldest first."""
    found: dict[str, list[Turn]] = {}
    mine = Entry.objects.filter(workspace=workspace_id, subject_kind="workflow_version", subject_id__in=ids)
    for entry in mine.filter(kind__in=STEPS).order_by("id"):
        told = orjson.loads(entry.body).get("told", {})
        by = entry.actor.removeprefix("person:")
        turn = Turn(STEPS[entry.kind], entry.at, by, str(told.get("reason", "")))
        found.setdefault(entry.subject_id, []).append(turn)
    return found


def drawn(made: Definition, states: Mapping[str, tuple[str, str]] | None = None) -> Picture:
    """`states`: of a run, by step, the word and its colour."""
    states = states or {}
    steps = [
        Drawn(
            step.id,
            step.name,
            owner_words(step.owner.kind, step.owner.name),
            step.owner.kind,
            bool(step.guard),
            step.compensation is not None,
            *states.get(step.id, ("", "")),
        )
        for step in made.steps
    ]
    return picture(steps, {step.id: step.after for step in made.steps})


def step_lines(made: Definition) -> list[StepLine]:
    called = {step.id: step.name for step in made.steps}
    return [
        StepLine(
            step,
            number,
            owner_words(step.owner.kind, step.owner.name) or step.owner.kind,
            ", ".join(called[each] for each in step.after),
            retry_words(step.retry),
            long(step.time_limit_s),
        )
        for number, step in enumerate(made.steps, start=1)
    ]
