"""A learnt path as the draft of a definition, careful where runs cannot tell: what was never tried twice is taken as
something that must not be, and what people read is left for a person to write."""

from __future__ import annotations

import re
from typing import Any

from django.utils.text import slugify

from orchestration.workflows.definition import MOST_STEPS, parse
from orchestration.workflows.learning import Learnt, Seen
from orchestration.workflows.plans import Definition

_CLASS = re.compile(r"[^a-z0-9_.-]+")
HUMAN_S = 7 * 86_400.0


def definition_of(found: Learnt, name: str) -> Definition:
    """Raises BadDefinition, for a path without steps or a name that is too long."""
    ids: dict[str, str] = {}
    for place, seen in enumerate(found.steps):
        ids[seen.name] = free_id(seen.name, set(ids.values()), place)
    since = f" from {found.since:%Y-%m-%d} to {found.until:%Y-%m-%d}" if found.since and found.until else ""
    told = f"Learnt from {found.runs} completed runs{since}; {found.fitting} of them went exactly so."
    return parse({"name": name, "words": told, "steps": [_step(seen, ids, found.runs) for seen in found.steps]})


def _step(seen: Seen, ids: dict[str, str], runs: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": ids[seen.name],
        "name": seen.name[:120],
        "after": [ids[each] for each in seen.after],
        "idempotent": seen.tries > 1,
    }
    if seen.human:
        ask = {
            "question": f"{seen.name[:400]}: is it all right to go on?",
            "proposal": "Go on.",
            "why": f"A person did this step in {seen.runs} of {runs} runs that were seen.",
        }
        return told | {"owner": {"human": ""}, "ask": ask, "idempotent": True, "time_limit_s": HUMAN_S}
    told |= {"owner": {"agent": seen.owner[:200] or "unknown"}, "time_limit_s": max(1.0, seen.limit_s)}
    if seen.tries > 1:
        classes = list(dict.fromkeys(filter(None, (error_class(each) for each, _ in seen.errors))))
        told["retry"] = {"budget": seen.tries - 1, "rules": [{"on": classes, "attempts": seen.tries}]}
    return told


def error_class(text: str) -> str:
    """A class of error as definitions write them; "" for `error`, which is every class."""
    made = _CLASS.sub("_", text.lower()).strip("_.-")[:60]
    return "" if made == "error" else made


def free_id(name: str, taken: set[str], place: int = 0) -> str:
    """An id for a step of this name that no other has, which guards can name: `context.steps.check_it`."""
    wanted = slugify(name)[:50].strip("-_").replace("-", "_") or f"step_{place + 1}"
    return next(made for n in range(1, MOST_STEPS + 2) if (made := wanted if n == 1 else f"{wanted}_{n}") not in taken)
