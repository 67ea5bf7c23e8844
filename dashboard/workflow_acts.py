"""What the buttons of the editor of a workflow do to what stands in it, before anything is stored: add, remove and move
steps. Each is one word of the form's field `do`, so that it works with and without a script."""

from __future__ import annotations

from collections.abc import Callable

from dashboard.workflow_forms import Draft, StepDraft
from orchestration.workflows.definition import MOST_STEPS
from orchestration.workflows.drafting import free_id


def act(draft: Draft, do: str) -> None:
    """Changes `draft`; a word that is none changes nothing."""
    name, _, rest = do.partition("-")
    place = int(rest) if rest.isdecimal() and len(rest) < 6 else len(draft.steps) - 1
    if name == "add":
        _add(draft, place)
    elif name in _ACTS and 0 <= place < len(draft.steps):
        _ACTS[name](draft, place)


def _add(draft: Draft, place: int) -> None:
    """A step after that one, and before nothing."""
    if len(draft.steps) >= MOST_STEPS:
        return
    place = min(max(place, -1), len(draft.steps) - 1)
    taken = {step.id for step in draft.steps}
    made = StepDraft(id=free_id(f"step {len(draft.steps) + 1}", taken), name="")
    if place >= 0:
        made.after = draft.steps[place].id
        made.owner_kind = draft.steps[place].owner_kind if draft.steps[place].owner_kind != "human" else "agent"
    draft.steps.insert(place + 1, made)


def _drop(draft: Draft, place: int) -> None:
    """Those that came after it come after what it came after."""
    gone = draft.steps.pop(place)
    for step in draft.steps:
        if gone.id in step.before:
            bridged = [name for each in step.before for name in (gone.before if each == gone.id else [each])]
            step.after = ", ".join(dict.fromkeys(name for name in bridged if name != step.id))


def _up(draft: Draft, place: int) -> None:
    if place:
        draft.steps[place - 1], draft.steps[place] = draft.steps[place], draft.steps[place - 1]


def _down(draft: Draft, place: int) -> None:
    if place + 1 < len(draft.steps):
        _up(draft, place + 1)


_ACTS: dict[str, Callable[[Draft, int], None]] = {"drop": _drop, "up": _up, "down": _down}
