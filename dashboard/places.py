"""The places of the sidebar, of the dock, of the jump list and of the G keys: said once, in the order of the loop
(observe, decide, prove). A place that has no page is not listed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from itertools import groupby

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from orchestration.control import counted
from orchestration.control.states import census
from orchestration.workspaces.current import MEMBER, Here


@dataclass(frozen=True, slots=True)
class Place:
    group: str  # of the sidebar; "Settings" is reached from beside the person
    name: str  # of its address
    label: str
    icon: str
    key: str = ""  # after G
    inside: tuple[str, ...] = ()  # addresses of pages that lie within it
    needs: str = MEMBER
    docked: bool = False  # on the narrow screen's bar, which holds four
    screen: str = "dashboard"

    @property
    def href(self) -> str:
        return _address(f"{self.screen}:{self.name}")


@cache
def _address(name: str) -> str:
    return reverse(name)


INBOX = ("batch", "decide", "undo", "samples")
DECLARED = (
    *("new_workflow", "edit_workflow", "learn_workflow", "workflow_conformance", "run_plan"),
    *("workflow_versions", "workflow_version", "workflow_diff"),
)
PLACES = (
    Place("Observe", "overview", "Overview", "overview", "o", docked=True),
    Place("Observe", "workflows", "Workflows", "flow", "w", ("workflow", *DECLARED)),
    Place("Observe", "runs", "Runs", "run", "r", ("run",), docked=True),
    Place("Observe", "agents", "Agents", "agent", "a", ("agent",), docked=True),
    Place("Observe", "handoffs", "Handoffs", "out", inside=("handoff", "handoff_pair")),
    Place("Decide", "inbox", "Inbox", "inbox", "i", INBOX, docked=True, screen="escalations"),
    Place("Decide", "policies", "Policies", "policy", "p", ("policy", "edit_policy", "policy_version", "policy_diff")),
    Place("Decide", "actions", "Actions", "retry", inside=("action",)),
    Place("Decide", "routing", "Routing", "diff"),
    Place("Prove", "ledger", "Ledger", "lock", "l", ("entry",)),
    Place("Settings", "profile", "Profile", "user"),
    Place("Settings", "members", "Members", "user", needs="admin"),
    Place("Settings", "keys", "Keys", "key", needs="admin"),
    Place("Settings", "webhooks", "Webhooks", "out", inside=("webhook",), needs="admin"),
    Place("Settings", "skills", "Skills", "user", needs="reviewer", screen="escalations"),
    Place("Settings", "capacity", "Capacity", "clock", needs="reviewer", screen="escalations"),
    Place("Settings", "notifications", "Notifications", "out", needs="reviewer", screen="escalations"),
    Place("Settings", "connections", "Connections", "pulse", needs="operator"),
    Place("Settings", "prices", "Prices", "coin", needs="admin"),
    Place("Settings", "retention", "Retention", "db", needs="admin"),
    Place("Settings", "health", "Health", "pulse", needs="operator"),
)


@dataclass(frozen=True, slots=True)
class Item:
    """A place as one person sees it from one page."""

    place: Place
    href: str
    current: bool
    count: int | None = None

    @property
    def look(self) -> str:
        """Of the number: people's time is marigold."""
        return "count due" if self.place.name in ("inbox", "actions") else "count"


@dataclass(frozen=True, slots=True)
class Group:
    label: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """The sidebar as one person sees it from one page. A page shows its places four times, in ways that are written
    here: which took a fifth of the time of a page, and is the same until a count changes."""

    groups: tuple[Group, ...]

    def __iter__(self) -> Iterator[Group]:
        return iter(self.groups)

    @property
    def numbered(self) -> str:
        """The links, whose counts carry ids so that they can be renewed: once a page."""
        return _drawn("_nav.html", self.groups, True)

    @property
    def plain(self) -> str:
        return _drawn("_nav.html", self.groups)

    @property
    def docked(self) -> str:
        return _drawn("_nav_docked.html", self.groups)

    @property
    def keys(self) -> str:
        return _drawn("_nav_keys.html", self.groups)


@lru_cache(maxsize=200)  # a megabyte
def _drawn(template: str, groups: tuple[Group, ...], numbered: bool = False) -> str:
    return render_to_string(template, {"groups": groups, "numbered": numbered})


def open_places(request: Here) -> list[tuple[Place, str]]:
    """Those that this person may enter, with their addresses."""
    mine = [place for place in PLACES if place.needs == MEMBER or request.membership.has(place.needs)]
    return [(place, place.href) for place in mine]


def shown(request: Here) -> Shown:
    """With what is counted beside a place."""
    at = request.resolver_match.url_name if request.resolver_match else ""
    numbers = counts(request.workspace.pk)
    items = [
        Item(place, href, at == place.name or at in place.inside, numbers.get(place.name))
        for place, href in open_places(request)
        if place.group != "Settings"
    ]
    return Shown(tuple(Group(label, tuple(each)) for label, each in groupby(items, lambda item: item.place.group)))


def counts(workspace_id: int) -> dict[str, int]:
    """Runs in progress beside Workflows, active agents beside Agents, cases that wait beside Inbox, acts that wait for
    a person beside Actions; what is 0 is not said."""
    now = counted.counts(workspace_id)
    found = {
        "actions": now.acts,
        "workflows": now.runs,
        "agents": census(workspace_id, timezone.now()).active,
        "inbox": now.cases,
    }
    return {name: n for name, n in found.items() if n}


def context(request: HttpRequest) -> dict[str, object]:
    """For templates. Asked for by the frame alone, so a region costs no count."""
    if not hasattr(request, "membership"):
        return {}
    return {"places": SimpleLazyObject(partial(shown, request))}  # type: ignore[arg-type]
