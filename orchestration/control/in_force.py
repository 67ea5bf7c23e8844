"""Rules, stops and moves of a workspace as a process holds them, as long as the rulebook's generation stands: what is
changed is in force everywhere with the commit that changes it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from orchestration.autonomy.stops import Stops, stops
from orchestration.policies import live
from orchestration.policies.live import Book
from orchestration.routing.moves import Moves, moves


@dataclass(frozen=True, slots=True)
class Force:
    """What is in force while the generation stands."""

    book: Book
    stops: Stops
    moves: Moves


_known: dict[int, Force] = {}


def in_force(workspace_id: int) -> Force:
    with connection.cursor() as cursor:
        cursor.execute("select generation from policies_rulebook where workspace_id = %s", [workspace_id])
        row = cursor.fetchone()
    return of_generation(workspace_id, row[0] if row else None)


def of_generation(workspace_id: int, generation: int | None) -> Force:
    """The same for who has read the generation already."""
    found = _known.get(workspace_id)
    if found is None or found.book.generation != generation:
        found = _known[workspace_id] = Force(live.book(workspace_id), stops(workspace_id), moves(workspace_id))
    return found


def forget() -> None:
    """Empty the memory, between tests."""
    _known.clear()
