"""Declared workflows, written and put live: what both the editor and the API go by. Guards are compiled before anything
is stored, and where the workspace wants two people for what policies say, it wants them for what workflows say too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.text import slugify

from orchestration.policies import cel
from orchestration.policies.models import Rulebook
from orchestration.registry.resolve import short_hash
from orchestration.workflows import declared
from orchestration.workflows.declared_models import DefinitionState, DefinitionVersion
from orchestration.workflows.definition import BadDefinition, parse
from orchestration.workflows.fields import Fault
from orchestration.workflows.models import Workflow
from orchestration.workflows.plans import Definition, StepPlan

INPUT, STEPS, FAILED = "context.input", "context.steps", "context.failed"
RESERVED = frozenset({"new", "unnamed"})  # the first is an address beside those of workflows


def checked(body: object) -> Definition:
    """Raises BadDefinition with all faults, those of guards too."""
    made = parse(body)
    if faults := guard_faults(made):
        raise BadDefinition(*faults)
    return made


def two_people(workspace_id: int) -> bool:
    return Rulebook.objects.filter(workspace=workspace_id, two_people=True).exists()


def publish(version: DefinitionVersion, by: str, reason: str) -> DefinitionVersion:
    """Put live; where two people are needed, proposed by the first (`proposed_by`) and put live by another. Raises
    declared.NotNow."""
    try:
        checked(version.body)
    except BadDefinition as error:
        raise declared.NotNow(
            f"This version cannot be put live: {error.faults[0].path}: {error.faults[0].message}"
        ) from error
    return declared.publish(version.pk, by, reason, two=two_people(version.workspace_id))


def retire(version: DefinitionVersion, by: str, reason: str) -> bool:
    """False: it waits for a second person. Raises declared.NotNow."""
    found = declared.retire(version.pk, by, reason, two=two_people(version.workspace_id))
    return found.state == DefinitionState.RETIRED


def flow_named(workspace_id: int, name: str) -> Workflow:
    """The workflow of that name, made where there is none yet: its page is there before its first run. (The digest's
    own way of making names commits at once, apart from the transaction that runs.)"""
    mine = Workflow.objects.filter(workspace_id=workspace_id)
    slug = slugify(name)[:180] or "unnamed"
    if slug in RESERVED or mine.filter(slug=slug).exclude(name=name).exists():
        slug = f"{slug}-{short_hash(name)}"
    return mine.get_or_create(name=name, defaults={"workspace_id": workspace_id, "slug": slug})[0]


def guard_faults(definition: Definition) -> list[Fault]:
    """Guards that cannot be read, or that read what will not be there."""
    found: list[Fault] = []
    after = {step.id: step.after for step in definition.steps}
    for place, step in enumerate(definition.steps):
        found += guard_fault(step.guard, f"steps[{place}].guard", earlier(step, after))
    return found


def earlier(step: StepPlan, after: Mapping[str, Sequence[str]]) -> set[str]:
    """All steps that have ended when this one begins."""
    found: set[str] = set()
    waiting = list(step.after)
    while waiting:
        if (each := waiting.pop()) not in found:
            found.add(each)
            waiting.extend(after.get(each, ()))
    return found


def guard_fault(text: str, path: str, earlier: set[str]) -> list[Fault]:
    """Why a guard cannot be told; `earlier`: steps that have ended by then."""
    if not text.strip():
        return []
    try:
        program = cel.compiled(text.strip())
    except cel.Invalid as error:
        return [Fault(path, f"Line {fault.line}, column {fault.column}: {fault}") for fault in error.faults]
    found = []
    for read in sorted(program.reads):
        of = next((each for each in (STEPS, FAILED) if read.startswith(f"{each}.")), "")
        step = read.removeprefix(f"{of}.").partition(".")[0]
        if of and step not in earlier:
            found.append(Fault(path, f"No step {step} has ended before this one."))
        elif not of and not f"{read}.".startswith((f"{INPUT}.", f"{STEPS}.", f"{FAILED}.")):
            found.append(Fault(path, f"A guard reads {INPUT}, {STEPS}.<step> and {FAILED}.<step>, not {read}."))
    return found
