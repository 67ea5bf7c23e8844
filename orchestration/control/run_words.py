"""What has become of a run, in a sentence: what failed, and who waits for whom. A sentence is stretches of words, those
that somebody else wrote marked as such."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from orchestration.handoffs.models import Claim, Envelope, Passing
from orchestration.workflows.account import RunDetail
from orchestration.workflows.story import Placed

ENDED = ("completed", "failed")
Words = tuple[tuple[str, bool], ...]


class Asked(Protocol):
    """Something that somebody waits for."""

    @property
    def agent(self) -> str: ...


def sentence(
    detail: RunDetail | None,
    holds: Sequence[Asked],
    requests: Sequence[Asked],
    handoffs: Sequence[Envelope],
    in_hand: Sequence[Claim],
) -> Words:
    """The first that holds of each."""
    ended = detail is not None and detail.run.status in ENDED
    waits = _waits(holds, requests, handoffs, in_hand) or (
        (("It has ended; n" if ended else "N") + "obody waits.", False),
    )
    return (*_failed(detail), (" ", False), *waits)


def _failed(detail: RunDetail | None) -> Words:
    if detail is None:
        return (("Baton has seen no step of this run yet.", False),)
    if detail.run.status == "cancelled":
        return (("It was cancelled before it ended.", False),)
    failures = [placed for placed in detail.story.placed if placed.failed]
    mended = {(call.agent, call.tool) for call in detail.story.tool_calls if call.ok}
    left = [placed for placed in failures if (placed.agent, placed.step.subject) not in mended]
    if not failures:
        return (("Nothing has failed.", False),)
    if not left:
        steps = "One step" if len(failures) == 1 else f"{len(failures)} steps"
        return ((f"{steps} failed on the way and went well when tried again.", False),)
    error = left[-1].step.error
    return (*_whose(left[-1]), (" failed", False), *(((": ", False), (error, True)) if error else ()), (".", False))


def _whose(placed: Placed) -> Words:
    what = (placed.step.subject or placed.step.name, True)
    return (what, (" of ", False), (placed.agent, True)) if placed.agent not in ("", what[0]) else (what,)


def _waits(
    holds: Sequence[Asked], requests: Sequence[Asked], handoffs: Sequence[Envelope], in_hand: Sequence[Claim]
) -> Words:
    if holds:
        return _more(holds[0].agent, " waits for a person", len(holds))
    if requests:
        return _more(requests[0].agent or "An agent", " waits for the customer", len(requests))
    offered = [row for row in handoffs if row.state == Passing.SENT]
    if offered:
        row = offered[0]
        return ((row.sender, True), (" waits for ", False), (row.receiver, True), (" to take over.", False))
    if in_hand:
        return ((in_hand[0].agent, True), (" is at ", False), (in_hand[0].key, True), (".", False))
    return ()


def _more(who: str, words: str, n: int) -> Words:
    return ((who, True), (f"{words}, and {n - 1} more." if n > 1 else f"{words}.", False))


def said(item: Any) -> str:
    """An item of an envelope as one line."""
    if not isinstance(item, dict):
        return str(item)
    return ", ".join(f"{name} {value}" for name, value in item.items() if isinstance(value, str | int | float))
