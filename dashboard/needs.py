"""Needs attention: at most five things, each with one link to see or act, in the order that a role asks about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from dashboard.finding import Part, foreign, say
from dashboard.links import Links
from orchestration.control.attention import Item
from orchestration.lib.templatetags.baton import duration, number, percent, plural
from orchestration.workspaces.models import Membership

MOST = 5
HALF = 0.5

Words = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Need:
    """A row: what it is about, what is known of it, and either a pill with a word or a clock with a time."""

    id: str
    icon: str
    look: str  # of the icon: "" an agent | human | sys
    title: Words
    href: str
    sub: Words
    pill: str = ""
    tone: str = "crit"
    clock: str = ""


@dataclass(frozen=True, slots=True)
class Needs:
    shown: list[Need]
    count: int
    asked: int  # runs that wait for a person

    @property
    def more(self) -> int:
        return self.count - len(self.shown)


def needs_of(items: list[Item], role: str, now: datetime, to: Links) -> Needs:
    """The five that cost most; `asked` is how many runs wait for a person, whether shown or not."""
    ordered = sorted(items, key=lambda item: _first_for(role, item))
    return Needs(
        [_ROWS[item.kind](item, now, to) for item in ordered[:MOST]],
        len(ordered),
        sum(item.count for item in items if item.kind == "asked"),
    )


def role_of(membership: Membership) -> str:
    """The one role by whose question the page is ordered: admin, then operator, then reviewer."""
    return next(role for role in ("admin", "operator", "reviewer") if role in membership.roles)


def _first_for(role: str, item: Item) -> int:
    """Operators ask what is stuck and fails: by cost. Reviewers what they must decide, admins what people should stop
    deciding: those first. Otherwise the order stays."""
    first = {"reviewer": ("overdue", "asked"), "admin": ("asks",)}.get(role, ())
    return first.index(item.kind) if item.kind in first else len(first)


def _late(item: Item, now: datetime, to: Links) -> Need:
    title = say(f"Figures are {_for(item, now)} behind")
    sub = say(f"{plural(item.count, 'span waits,spans wait')} to be stored")
    return Need("need-late", "clock", "sys", title, to.health(), sub, "Late")


def _overdue(item: Item, now: datetime, to: Links) -> Need:
    title = say(f"{plural(item.count, 'case is,cases are')} late")
    sub = say(f"Nobody decided in time; the first was due at {_moment(item.since, now)}")
    return Need("need-overdue", "user", "human", title, to.inbox(), sub, clock=_for(item, now))


def _runaway(item: Item, now: datetime, to: Links) -> Need:
    title = say(foreign(item.subject), " ran away")
    word, tone = ("Pause it?", "human") if item.state == "proposed" else ("Paused", "crit")
    return Need(
        f"need-runaway-{item.slug}", "agent", "", title, to.action(item.slug), say(foreign(item.detail)), word, tone
    )


def _acts(item: Item, now: datetime, to: Links) -> Need:
    title = say(f"{plural(item.count, 'act waits,acts wait')} for somebody")
    sub = say(f"Proposed or given up, the first {_for(item, now)} ago")
    return Need("need-acts", "retry", "human", title, to.actions(state="attention"), sub, clock=_for(item, now))


def _asked(item: Item, now: datetime, to: Links) -> Need:
    title = say(f"{plural(item.count, 'run,runs')} of ", foreign(item.subject))
    began = _moment(item.since, now)
    sub = f"Asked a person at {began}" if item.count == 1 else f"Ask a person, the first since {began}"
    href = to.runs_now(status="waiting", workflow=item.slug)
    return Need(f"need-asked-{item.slug}", "user", "human", title, href, say(sub), clock=_for(item, now))


def _stalled(item: Item, now: datetime, to: Links) -> Need:
    title = say(f"{plural(item.count, 'run,runs')} of ", foreign(item.subject), " stalled")
    sub = say(f"No end, and nothing heard for {_for(item, now)}")
    href = to.runs_now(status="stalled", workflow=item.slug)
    return Need(f"need-stalled-{item.slug}", "pause", "sys", title, href, sub, "Stalled")


def _silent(item: Item, now: datetime, to: Links) -> Need:
    if not item.subject:
        title, sub = say(f"{number(item.count)} agents fell silent"), say(f"The first {_for(item, now)} ago")
        return Need("need-silent", "agent", "", title, to.agents(state="silent"), sub, "Silent")
    sub = say(f"Last heard {_for(item, now)} ago, at ", foreign(item.detail))
    title = say(foreign(item.subject), " fell silent")
    return Need(f"need-silent-{item.slug}", "agent", "", title, to.agent(item.slug), sub, "Silent")


def _system(item: Item, now: datetime, to: Links) -> Need:
    whom = f" for {plural(item.agents, 'agent,agents')}" if item.agents else ""
    sub = say(f"{percent(1 - item.count / item.of)} of {number(item.of)} calls succeeded in the last hour")
    word, tone = ("Failing", "crit") if item.count / item.of >= HALF else ("Degraded", "human")
    title, href = say(foreign(item.subject), " failing", whom), to.agents(sort="failure_rate")
    return Need(f"need-system-{item.slug}", "db", "sys", title, href, sub, word, tone)


def _agent(item: Item, now: datetime, to: Links) -> Need:
    title = say(foreign(item.subject), f" fails {percent(item.count / item.of)}")
    sub = say(f"{number(item.count)} of {number(item.of)} calls in the last hour")
    return Need(f"need-agent-{item.slug}", "agent", "", title, to.agent(item.slug), sub, "Failing")


def _workflow(item: Item, now: datetime, to: Links) -> Need:
    title = say("Runs of ", foreign(item.subject), " fail")
    sub = say(f"{number(item.count)} of {number(item.of)} that ended in the last hour")
    href = to.runs(status="failed", workflow=item.slug)
    return Need(f"need-workflow-{item.slug}", "flow", "sys", title, href, sub, "Failing")


def _asks(item: Item, now: datetime, to: Links) -> Need:
    title = say(foreign(item.subject), " asks people most")
    sub = say(f"{number(item.count)} of {number(item.of)} runs; see which step asks")
    href, share = to.workflow(item.slug), percent(item.count / item.of)
    return Need(f"need-asks-{item.slug}", "user", "human", title, href, sub, share, "human")


def _for(item: Item, now: datetime) -> str:
    """How long it has been: seconds at first, then whole minutes."""
    seconds = int((now - item.since).total_seconds()) if item.since else 0
    return f"{max(1, seconds)} s" if seconds < 60 else duration(seconds // 60 * 60_000)


def _moment(at: datetime | None, now: datetime) -> str:
    """14:02, or 12 Nov 14:02 on another day, in the viewer's zone."""
    if at is None:
        return "a time unknown"
    here, today = timezone.localtime(at), timezone.localtime(now)
    clock = here.strftime("%H:%M")
    return clock if here.date() == today.date() else f"{here.day} {here.strftime('%b')} {clock}"


_ROWS: dict[str, Callable[[Item, datetime, Links], Need]] = {
    "late": _late,
    "overdue": _overdue,
    "runaway": _runaway,
    "acts": _acts,
    "asked": _asked,
    "stalled": _stalled,
    "silent": _silent,
    "system": _system,
    "agent": _agent,
    "workflow": _workflow,
    "asks": _asks,
}
