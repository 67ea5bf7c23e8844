"""What a person may do from the jump list: acts on the page in view, then those of everywhere. A link leads to where
the act is done, or asked about; what only changes how pages look is done at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, urlencode, urlsplit

from django.http import HttpRequest, QueryDict
from django.urls import Resolver404, ResolverMatch, resolve, reverse

from dashboard.period import CHOICES
from orchestration.workspaces.current import MEMBER, Here

RANGED = {"overview", "workflows", "workflow", "runs", "agents", "agent", "ledger", "health"}  # pages with a range
LENGTHS = {"1h": "the last hour", "6h": "the last 6 hours", "24h": "the last 24 hours"}
LENGTHS |= {"7d": "the last 7 days", "30d": "the last 30 days"}


@dataclass(frozen=True, slots=True)
class Act:
    """`posts`: its address is pressed, not opened. `also`: other words by which it is found. `near`: offered before
    anything is asked for."""

    label: str
    icon: str
    href: str
    hint: str = ""
    also: str = ""
    posts: bool = False
    near: bool = False


_EVERYWHERE = (
    ("admin", "New policy", "policy", "policies", "#new-policy", "create rule guardrail"),
    ("admin", "Create a key", "key", "keys", "#new-h", "new api token make"),
    ("admin", "Invite somebody", "user", "members", "#new-h", "new member person add"),
    ("admin", "Add a webhook", "out", "webhooks", "#new-h", "new endpoint create"),
    ("operator", "Send a test span", "pulse", "connections", "", "try exporter"),
    (MEMBER, "Set your time zone", "clock", "profile", "", "timezone utc"),
    (MEMBER, "Turn single keys on or off", "key", "profile", "", "shortcuts keyboard"),
)


def acts(request: Here) -> Iterator[Act]:
    """All that this person may do, those on the page in view first."""
    yield from _here(request)
    yield Act("Light or dark", "sun", reverse("dashboard:theme"), "T", "theme toggle mode", posts=True, near=True)
    yield Act(
        "Tight or comfortable rows", "menu", reverse("dashboard:density"), "", "density toggle", posts=True, near=True
    )
    for role, label, icon, place, anchor, also in _EVERYWHERE:
        if role == MEMBER or request.membership.has(role):
            yield Act(label, icon, reverse(f"dashboard:{place}") + anchor, also=also)
    yield Act("Log out", "out", reverse("account_logout"), also="sign leave", posts=True)


def _here(request: Here) -> Iterator[Act]:
    """On the page from which the list was opened, as htmx says."""
    at, match = _in_view(request)
    if match is None or "dashboard" not in match.app_names:
        return
    if match.url_name in RANGED:
        query = QueryDict(at.query, mutable=True)
        query.pop("cursor", None)
        for value, _ in CHOICES:
            query["range"] = value
            yield Act(
                f"Show {LENGTHS[value]}",
                "clock",
                f"{at.path}?{query.urlencode()}",
                "this page",
                "range time window",
                near=True,
            )
    if match.url_name == "policy" and request.is_admin:
        yield Act(
            "Edit this policy",
            "policy",
            reverse("dashboard:edit_policy", kwargs=match.kwargs),
            "this page",
            "change rule",
            near=True,
        )
    if match.url_name == "agent":
        slug = {"agent": match.kwargs["slug"]}
        yield Act("Runs of this agent", "run", f"{reverse('dashboard:runs')}?{urlencode(slug)}", "this page", near=True)


def _in_view(request: HttpRequest) -> tuple[SplitResult, ResolverMatch | None]:
    try:
        at = urlsplit(request.headers.get("HX-Current-URL", ""))
        return at, resolve(at.path) if at.path else None
    except (Resolver404, ValueError):
        return urlsplit(""), None
