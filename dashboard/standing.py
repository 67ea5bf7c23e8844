"""What stops an agent, a workflow or a run now, and what a person may do about it: asked first, with what follows in
numbers, and ended by one press."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.urls import reverse

from dashboard.action_forms import LASTS
from dashboard.action_words import DOING, who
from dashboard.actors import keys_among
from orchestration.autonomy import stops
from orchestration.autonomy.models import Kind, Stop, Target
from orchestration.autonomy.ordering import INVERSE, REASONED
from orchestration.lib.templatetags.baton import number, plural
from orchestration.workflows import runs
from orchestration.workflows.runs import IN_PROGRESS, UNENDED, RunLine, Wanted
from orchestration.workspaces.current import Here

MOST = 1000  # runs that are counted
RUN_FILTERS = ("q", "workflow", "status", "agent", "conversation", "trace", "since", "until")


@dataclass(frozen=True, slots=True)
class Ask:
    """A dialog: what is asked before it is done."""

    id: str
    title: str
    words: str
    href: str
    label: str
    reason: bool
    lasts: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Stopped:
    """What stops it, and the press that ends that."""

    kind: str
    said: str  # quarantined, paused
    why: str
    who: str
    since: datetime
    until: datetime | None
    action: UUID
    href: str
    label: str


@dataclass(frozen=True, slots=True)
class Standing:
    stopped: list[Stopped]
    asks: list[Ask]
    once: str

    @property
    def paused(self) -> bool:
        return any(each.kind == Kind.PAUSE for each in self.stopped)


def of_agent(request: Here, agent_id: int, slug: str) -> Standing:
    found = stops.of(request.workspace.pk, Target.AGENT, str(agent_id))
    asks = []
    if request.is_operator:
        at_work = _open_runs(request, Wanted(agent=slug, status=IN_PROGRESS))
        held_up = f"It takes part in {at_work} in progress."
        for kind, words in (
            (Kind.SUPERVISE, f"What policies would let it do alone is asked of a person instead. {held_up}"),
            (Kind.PAUSE, f"Whatever it asks is put off until it is resumed; it is told when to ask again. {held_up}"),
            (Kind.QUARANTINE, f"Whatever it asks is denied until it is released, with your reason. {held_up}"),
        ):
            if kind not in found:
                asks.append(_ask(kind, words, "act_on_agent", slug, "this agent"))
        words = (
            "A person is asked in the inbox whether what it did lately is as it should be; the answer stands with it."
        )
        asks.append(_ask(Kind.VERIFY, words, "act_on_agent", slug, "this agent"))
    return _standing("act_on_agent", slug, found, asks)


def of_workflow(request: Here, workflow_id: int, slug: str) -> Standing:
    found = stops.of(request.workspace.pk, Target.WORKFLOW, str(workflow_id))
    asks = []
    if request.is_operator and not found:
        at_work = _open_runs(request, Wanted(workflow=slug, status=IN_PROGRESS))
        words = f"Whatever agents ask for its runs is put off until it is resumed: {at_work} in progress."
        asks.append(_ask(Kind.PAUSE, words, "act_on_workflow", slug, "this workflow"))
    return _standing("act_on_workflow", slug, found, asks)


def of_run(request: Here, run: RunLine, *, declared: bool) -> Standing:
    """One that Baton coordinates (`declared`) is tried again and rolled back where its plan is shown, and cancelled for
    good."""
    found = stops.of(request.workspace.pk, Target.RUN, str(run.id))
    asks = []
    if request.is_operator:
        if run.status in UNENDED:
            words = (
                "Agents that ask for it are told to stop, and webhooks are told. What they have done stays done. "
                "Its questions are taken out of the inbox, for good."
            )
            asks.append(_ask(Kind.CANCEL, words, "act_on_run", run.id, "this run"))
        elif not declared:
            words = "Its agent is asked by webhook to try again. Nothing is done here."
            asks.append(_ask(Kind.RETRY, words, "act_on_run", run.id, "this run"))
        if not declared:
            words = "Its agent is asked by webhook to take back what it did, with your reason. Baton cannot reverse it."
            asks.append(_ask(Kind.COMPENSATE, words, "act_on_run", run.id, "this run"))
    made = _standing("act_on_run", run.id, found, asks)
    return replace(made, stopped=[replace(each, label="") for each in made.stopped]) if declared else made


def cancel_all(request: Here, wanted: Wanted) -> Ask | None:
    """Of the runs in progress that a list shows; none where nothing narrows it to something, or nobody may."""
    if not request.is_operator or wanted.status not in ("", *UNENDED, IN_PROGRESS):
        return None
    going = runs.count(request.workspace.pk, unended(wanted), MOST)
    if not going:
        return None
    many = f"more than {number(MOST)} runs" if going > MOST else plural(going, "run,runs")
    those = "that the filter finds" if wanted.status else "in progress that the filter finds"
    words = f"All {many} {those}, counted anew. Agents that ask for them are told to stop."
    return Ask("cancel-all", f"Cancel {many}?", words, reverse("dashboard:cancel_runs"), f"Cancel {many}", True)


def unended(wanted: Wanted) -> Wanted:
    """The same runs, of those that go on."""
    return wanted if wanted.status else replace(wanted, status=IN_PROGRESS)


def _ask(kind: Kind, words: str, view: str, key: object, what: str) -> Ask:
    order = DOING[kind][0]
    lasts = LASTS if kind in (Kind.SUPERVISE, Kind.PAUSE, Kind.QUARANTINE) else ()
    href = reverse(f"dashboard:{view}", args=[key, kind.value])
    return Ask(
        f"ask-{kind.value}",
        f"{order} {what}?",
        words,
        href,
        order if kind != Kind.COMPENSATE else "Ask to undo",
        kind in REASONED,
        lasts,
    )


def _standing(view: str, key: object, found: dict[str, Stop], asks: list[Ask]) -> Standing:
    return Standing([_stopped(view, key, stop) for stop in found.values()], asks, secrets.token_urlsafe(16))


def _stopped(view: str, key: object, stop: Stop) -> Stopped:
    keys = keys_among(stop.workspace_id, [stop.action.by])
    inverse = INVERSE[stop.kind]
    return Stopped(
        stop.kind,
        DOING[stop.kind][1].lower(),
        f"{(stop.action.reason or 'No reason given').rstrip('.')}.",
        who(stop.action, keys),
        stop.since,
        stop.until if stop.kind != Kind.CANCEL else None,
        stop.action_id,
        reverse(f"dashboard:{view}", args=[key, inverse.value]),
        inverse.label,
    )


def _open_runs(request: Here, wanted: Wanted) -> str:
    n = runs.count(request.workspace.pk, wanted, MOST)
    return f"more than {number(MOST)} runs" if n > MOST else plural(n, "run,runs")
