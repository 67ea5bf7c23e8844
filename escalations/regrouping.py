"""Questions in words find their batches at once by the words they share; here those batches are looked at again, more
deeply (`grouping`), and those that are about the same become one. Whole batches only, and none that somebody has open.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection, transaction

from escalations import drawers, intake
from escalations.batching import Group, arrange, doubtful, places
from escalations.closeness import Case, Measure, measure
from escalations.counting import recount
from escalations.models import Batch, Escalation, Standing
from orchestration.holds import placing
from orchestration.holds.placing import Placed
from orchestration.lib.pulse import publish

SAID = 0.5  # likeness of two texts below which they are about something else
BACKGROUND = 3_000  # texts of the workspace
MOST_KEYS = 20
DUE = f"""
select workspace_id, key from escalations_batch where closed_at is null and not split and core @> '{{"prose": true}}'
group by 1, 2 having count(*) > 1 and not bool_and(core ? 'deep') limit {MOST_KEYS}
"""
DEEP = """
update escalations_batch set core = core || '{"deep": true}' where workspace_id = %s and key = %s and closed_at is null
"""


def due() -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute(DUE)
        return [(int(row[0]), str(row[1])) for row in cursor.fetchall()]


def regroup() -> int:
    """What is due, each key in a transaction of its own; returns how many batches were emptied into others."""
    return sum(regroup_key(workspace_id, key) for workspace_id, key in due())


def regroup_key(workspace_id: int, key: str) -> int:
    with transaction.atomic():
        if not intake.alone(workspace_id, wait=True):
            return 0
        drawer = drawers.open_drawers(workspace_id, [key])[key]
        deep = _deep(workspace_id, drawer)
        emptied = _rearrange(drawer, deep, []) if deep else 0
        with connection.cursor() as cursor:
            cursor.execute(DEEP, [workspace_id, key])
        if emptied:
            transaction.on_commit(lambda: publish(workspace_id, "batch"))
    return emptied


def relearnt(workspace_id: int, agent: str, action_type: str) -> int:
    """Arrange anew what is open of an act of which something was learnt: batches that nobody has ever opened from
    scratch, in the others how each case stands. Returns how many batches were emptied."""
    keys = list(
        Escalation.objects.filter(workspace_id=workspace_id, open=True, agent=agent, action_type=action_type)
        .order_by()
        .values_list("key", flat=True)
        .distinct()[:MOST_KEYS]
    )
    emptied = sum(_relearn_key(workspace_id, key) for key in keys)
    for key in keys:
        _single_out(workspace_id, key)
    return emptied


def _relearn_key(workspace_id: int, key: str) -> int:
    with transaction.atomic():
        intake.alone(workspace_id, wait=True)
        drawer = drawers.open_drawers(workspace_id, [key])[key]
        rows = [row for row in drawer.rows if row.open]
        if not rows:
            return 0
        model = drawers.models_of(workspace_id, rows).get((rows[0].agent, rows[0].action_type))
        loose = _loosened(drawer)
        emptied = _rearrange(drawer, measure(drawer.usual, model=model), loose)
        transaction.on_commit(lambda: publish(workspace_id, "batch"))
    return emptied


def _single_out(workspace_id: int, key: str) -> int:
    """Batches that are not arranged (somebody has them open, they are put off, split off or full) stay as they are, and
    yet what verdicts speak against no longer starts as a yes in them. Returns how many cases that are."""
    with transaction.atomic():
        held = Batch.objects.filter(workspace_id=workspace_id, key=key, closed_at=None).order_by("pk")
        batches = list(held.select_for_update(no_key=True))
        rows = list(Escalation.objects.filter(batch__in=batches, open=True).order_by("number"))
        model = drawers.models_of(workspace_id, rows[:1]).get((rows[0].agent, rows[0].action_type)) if rows else None
        if model is None:
            return 0
        scale = measure([drawers.case_of(row) for row in rows[: drawers.USUAL]], model=model)
        found = [
            row for batch in batches for row in _doubtful(scale, [row for row in rows if row.batch_id == batch.pk])
        ]
        Escalation.objects.bulk_update(found, ["standing", "differs", "distance", "selected", "risk"])
        recount({row.batch_id for row in found if row.batch_id})
        if found:
            transaction.on_commit(lambda: publish(workspace_id, "batch"))
    return len(found)


def _doubtful(scale: Measure, rows: list[Escalation]) -> Iterator[Escalation]:
    group = Group()
    for row in rows:
        (group.differing if row.standing == Standing.DIFFERS else group.core).append(drawers.case_of(row))
    found = doubtful(scale, group)
    for row in rows:
        place = found.get(row.pk)
        if place and row.selected:
            row.standing, row.differs, row.distance = place.standing, place.differs, place.distance
            row.selected, row.risk = False, place.risk
            yield row


def _loosened(drawer: drawers.Drawer) -> list[Case]:
    """The cases of batches that nobody has opened, which lose them."""
    loose = []
    for group in drawer.groups:
        batch = drawer.batches[group.id] if group.id else None
        if batch is not None and batch.claimed_until is None and batch.assigned_to_id is None:
            loose += group.cases
            group.room += len(group.cases)
            group.core, group.differing = [], []
    return loose


def _deep(workspace_id: int, drawer: drawers.Drawer) -> Measure | None:
    """None where there are too few texts to say what goes together."""
    from escalations import grouping  # noqa: PLC0415  only here: it takes 150 MB

    rows = [row for row in drawer.rows if row.open]
    others = Escalation.objects.filter(workspace_id=workspace_id, action_type="").exclude(
        pk__in=[row.pk for row in rows]
    )
    background = list(others.order_by("-opened_at").values_list("text", flat=True)[:BACKGROUND])
    if not rows or len(rows) + len(background) < grouping.ENOUGH:
        return None
    found = measure([drawers.case_of(row) for row in rows], prose=True)
    vectors = grouping.vectors([row.text for row in rows], background)
    found.deep = {row.hold_id: vector for row, vector in zip(rows, vectors, strict=True)}
    found.said = SAID
    return found


def _rearrange(drawer: drawers.Drawer, scale: Measure, loose: list[Case]) -> int:
    by_id = {row.hold_id: row for row in drawer.rows}
    written = intake.Written()
    for group in arrange(scale, drawer.groups, loose):
        batch: Batch | None = drawer.batches.get(group.id) if group.id else None
        if batch is None:
            batch = intake.new_batch(by_id[group.core[0].id], written)
            written.batches.append(batch)
        intake.seat(batch, group, places(scale, group), by_id, written, drawer.numbers.get(batch.pk, 0))
    intake.store(written)
    recount(written.touched | drawer.batches.keys())
    placing.place([Placed(row.hold_id, row.batch_id) for row in written.moved])
    return Batch.objects.filter(pk__in=drawer.batches, cases=0).count()
