"""Words and colours for how declared runs, their steps and their effects stand. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.finding import Finding, Part, foreign, say
from dashboard.workflow_check import owner_words
from orchestration.lib.templatetags.baton import ago, number, plural
from orchestration.workflows.declared_models import DeclaredState, EffectState, TaskState
from orchestration.workflows.execution import Execution, StepLine

STEP = {
    TaskState.BLOCKED: ("not yet", "off"),
    TaskState.READY: ("to be taken", ""),
    TaskState.LEASED: ("in work", "agent"),
    TaskState.CALLED: ("being called", "agent"),
    TaskState.ASKED: ("a person is asked", "human"),
    TaskState.DONE: ("done", "ok"),
    TaskState.FAILED: ("failed", "crit"),
    TaskState.SKIPPED: ("skipped", "off"),
    TaskState.CANCELLED: ("cancelled", "off"),
}
EFFECT = {
    EffectState.DONE: ("Stands", ""),
    EffectState.ASKED: ("Being undone", "accent"),
    EffectState.UNDONE: ("Undone", "ok"),
    EffectState.FAILED: ("Could not be undone", "crit"),
    EffectState.KEPT: ("Cannot be undone", "human"),
}
RUN = {
    DeclaredState.RUNNING: ("Running", "accent"),
    DeclaredState.COMPLETED: ("Completed", "ok"),
    DeclaredState.FAILED: ("Failed", "crit"),
    DeclaredState.CANCELLED: ("Cancelled", ""),
    DeclaredState.UNDOING: ("Being rolled back", "human"),
    DeclaredState.UNDONE: ("Rolled back", "human"),
}
PILLS = {"agent": "accent", "off": ""}
ENDED = {TaskState.DONE, TaskState.FAILED, TaskState.SKIPPED, TaskState.CANCELLED}


@dataclass(frozen=True, slots=True)
class StepState:
    step: StepLine
    number: int
    owner: str
    word: str
    tone: str
    what: str  # who has it, who should take it

    @property
    def pill(self) -> str:
        return PILLS.get(self.tone, self.tone)


def step_states(steps: Sequence[StepLine]) -> list[StepState]:
    return [
        StepState(
            step,
            number,
            owner_words(step.owner_kind, step.owner),
            *STEP[TaskState(step.state)],
            _what(step),
        )
        for number, step in enumerate(steps, start=1)
    ]


def _what(step: StepLine) -> str:
    if step.state == TaskState.READY:
        later = f", tried {plural(step.attempt, 'time,times')} before" if step.attempt else ""
        return f"{owner_words(step.owner_kind, step.owner)} should take it{later}"
    if step.state in (TaskState.LEASED, TaskState.CALLED):
        return (
            f"with {step.holder}, attempt {number(step.attempt)}" if step.holder else f"attempt {number(step.attempt)}"
        )
    if step.state == TaskState.FAILED:
        return f"{step.error_class}: {step.error}" if step.error else step.error_class
    return ""


def finding(run: Execution) -> Finding:
    """What a person would say about one run."""
    name = foreign(run.title or run.workflow)
    ended = sum(step.state in ENDED for step in run.steps)
    if run.state == DeclaredState.RUNNING:
        of = f" goes on: {number(ended)} of {plural(len(run.steps), 'step,steps')} ended"
        return Finding(say(name, of), _waits(run.steps))
    if run.state == DeclaredState.COMPLETED:
        return Finding(say(name, " is completed"), say(f"By v{run.version}."))
    if run.state in (DeclaredState.UNDOING, DeclaredState.UNDONE):
        going = run.state == DeclaredState.UNDOING
        words = " is being rolled back" if going else " was rolled back"
        return Finding(
            say(name, words),
            say(*_undone(run), f" Asked for by {run.undo_by.removeprefix('person:')}: ", foreign(run.undo_reason)),
        )
    failed = next((step for step in run.steps if step.state == TaskState.FAILED), None)
    how = say(name, " failed at ", foreign(failed.name)) if failed else say(name, " was cancelled")
    return Finding(how, say(foreign(run.error), ". " if run.error else "", *_undone(run)))


def _waits(steps: Sequence[StepLine]) -> tuple[Part, ...]:
    parts: list[str | Part] = []
    for step in steps:
        who = owner_words(step.owner_kind, step.owner)
        if step.state == TaskState.READY:
            parts += [foreign(step.name), " waits for ", foreign(who), f", since {ago(step.due_at)}. "]
        elif step.state == TaskState.ASKED:
            parts += [foreign(step.name), " waits for a person. "]
        elif step.state in (TaskState.LEASED, TaskState.CALLED):
            parts += [foreign(step.holder or who), " is at ", foreign(step.name), ". "]
    return say(*parts) if parts else say("Nothing is open.")


def _undone(run: Execution) -> list[str]:
    """2 effects undone, 1 stands."""
    counts = [(sum(effect.state == state for effect in run.effects), EFFECT[state][0].lower()) for state in EFFECT]
    told = [f"{number(n)} {words}" for n, words in counts if n]
    return (
        [f"Of {plural(len(run.effects), 'effect,effects')}: {', '.join(told)}."]
        if told
        else ["It did nothing that stands."]
    )
