"""Who may decide what, as a table of people and skills; read from it and written to it with a receipt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction
from django.utils import timezone

from escalations import works
from escalations.matching import LEARNING, shift_end
from escalations.models import Batch, Competence
from escalations.sorting import reviewers
from orchestration.ledger import entries
from orchestration.workspaces.models import User, Workspace

LEVELS = {0: "May not", 1: "Learning", 2: "Alone", 3: "Others ask"}
MOST_SKILLS, LONGEST = 40, 60
MOST_AMOUNT = Decimal(10) ** 15


@dataclass(slots=True)
class Cell:
    """`level` 0: may not decide it. `most`: as it stands in the form."""

    skill: str
    level: int = 0
    most: str = ""
    error: str = ""
    name: str = ""  # of its fields


@dataclass(slots=True)
class Line:
    person: User
    cells: list[Cell]
    languages: str = ""


@dataclass(slots=True)
class Table:
    skills: list[str]
    lines: list[Line]
    errors: list[str] = field(default_factory=list)

    @property
    def known(self) -> int:
        return sum(any(cell.level for cell in line.cells) for line in self.lines)


@dataclass(frozen=True, slots=True)
class Hour:
    hour: int
    there: int

    @property
    def tone(self) -> str:
        return "h0" if not self.there else "h1" if self.there == 1 else "h3" if self.there < 4 else "h4"


def table(workspace: Workspace) -> Table:
    held = {(each.person_id, each.skill): each for each in Competence.objects.filter(workspace=workspace)}
    skills = _skills(workspace, {skill for _, skill in held})
    lines = []
    for place, member in enumerate(reviewers(workspace)):
        cells = [_cell(held.get((member.user_id, skill)), skill, place, n) for n, skill in enumerate(skills)]
        spoken = sorted({word for (who, _), each in held.items() if who == member.user_id for word in each.languages})
        lines.append(Line(member.user, cells, ", ".join(spoken)))
    return Table(skills, lines)


def _skills(workspace: Workspace, held: set[str]) -> list[str]:
    asked = Batch.objects.filter(workspace=workspace, closed_at=None).exclude(skill="")
    return sorted(held | set(asked.values_list("skill", flat=True).distinct()), key=str.casefold)[:MOST_SKILLS]


def _cell(held: Competence | None, skill: str, row: int, column: int) -> Cell:
    most = "" if held is None or held.most is None else f"{held.most.normalize():f}"
    return Cell(skill, held.level if held else 0, most, name=f"{row}-{column}")


def sent(workspace: Workspace, given: Mapping[str, str]) -> Table:
    """The table as it was sent, with what is wrong beside each cell. Who and what are said by the form; what the form
    does not speak of stays as it is."""
    found = table(workspace)
    if new := " ".join(given.get("new", "").split()):
        _add_skill(found, new)
    for line in found.lines:
        for cell in line.cells:
            _read(cell, f"{line.person.pk}:{cell.skill}", given)
        line.languages = given.get(f"languages:{line.person.pk}", line.languages)[:200]
    return found


def _add_skill(found: Table, new: str) -> None:
    if len(new) > LONGEST or len(found.skills) >= MOST_SKILLS:
        found.errors.append(f"A skill has at most {LONGEST} characters, and a workspace {MOST_SKILLS} of them.")
    elif new.casefold() not in {skill.casefold() for skill in found.skills}:
        found.skills.append(new)
        for row, line in enumerate(found.lines):
            line.cells.append(Cell(new, name=f"{row}-{len(found.skills) - 1}"))


def _read(cell: Cell, name: str, given: Mapping[str, str]) -> None:
    level, most = given.get(f"level:{name}"), given.get(f"most:{name}", cell.most).strip()
    if level is not None:
        cell.level = int(level) if level in ("0", "1", "2", "3") else cell.level
    cell.most = most
    if most and _amount(most) is None:
        cell.error = "An amount, or nothing"


def _amount(text: str) -> Decimal | None:
    try:
        amount = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
    return amount.quantize(Decimal("0.0001")) if amount.is_finite() and 0 <= amount <= MOST_AMOUNT else None


def faults(found: Table) -> int:
    return len(found.errors) + sum(bool(cell.error) for line in found.lines for cell in line.cells)


@transaction.atomic
def save(workspace: Workspace, wanted: Table, by: User) -> int:
    """Writes what differs, with one receipt for each person. Returns for how many something has changed."""
    Workspace.objects.select_for_update().get(pk=workspace.pk)
    held = {(each.person_id, each.skill): each for each in Competence.objects.filter(workspace=workspace)}
    changed = 0
    for line in wanted.lines:
        told = [diff for cell in line.cells if (diff := _save(workspace, line, cell, held))]
        if told:
            changed += 1
            subject = ("person", line.person.get_username())
            facts = {"name": line.person.get_username(), "changes": told}
            who = f"person:{by.get_username()}"
            entries.record(workspace.pk, "skills.changed", subject, who, facts, timezone.now())
    return changed


def _save(workspace: Workspace, line: Line, cell: Cell, held: Mapping[tuple[int, str], Competence]) -> dict[str, Any]:
    """What changed, "" and zeros left out."""
    before = held.get((line.person.pk, cell.skill))
    if not cell.level:
        if before is None:
            return {}
        before.delete()
        return {"skill": cell.skill, "level": LEVELS[0]}
    most = _amount(cell.most) if cell.most else None
    spoken = [word for part in line.languages.split(",") if (word := part.strip()[:20])]
    now: dict[str, Any] = {
        "level": cell.level,
        "most": most,
        "currency": workspace.currency if most is not None else "",
    }
    now |= {"languages": spoken}
    if before is not None and all(getattr(before, name) == value for name, value in now.items()):
        return {}
    Competence.objects.update_or_create(workspace=workspace, person=line.person, skill=cell.skill, defaults=now)
    limit = {"most": f"{most.normalize():f} {workspace.currency}"} if most is not None else {}
    return {"skill": cell.skill, "level": LEVELS[cell.level], **limit, **({"languages": spoken} if spoken else {})}


def coverage(workspace: Workspace, skills: list[str], day: datetime) -> list[tuple[str, list[Hour]]]:
    """For each skill and hour of a day how many may decide it alone and are there."""
    people = works.people(workspace.pk).values()
    hours = [day.replace(hour=hour, minute=30, second=0, microsecond=0) for hour in range(24)]
    there = {hour: [person for person in people if shift_end(person, hour)] for hour in hours}
    found = []
    for skill in skills:
        name = skill.casefold()
        able = {each.id for each in people if name in each.skills and each.skills[name].level > LEARNING}
        found.append((skill, [Hour(hour.hour, sum(each.id in able for each in there[hour])) for hour in hours]))
    return found
