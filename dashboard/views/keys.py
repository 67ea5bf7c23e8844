"""`/settings/keys/`: keys of machines. A new one is shown once; a withdrawn one is refused within seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.forms import KeyForm, LimitForm, RotateForm
from dashboard.proof import freshly_proven
from orchestration.control import administration
from orchestration.lib.templatetags.baton import plural, size
from orchestration.workspaces.current import Here, needs
from orchestration.workspaces.keys import Limit, MadeBefore
from orchestration.workspaces.models import ApiKey, KeyDay

AGAIN = timedelta(minutes=2)  # so long a form that is sent twice shows its key twice
SENT_DAYS = 7
SCOPES = {
    "ingest": "send telemetry and events",
    "decide": "ask whether it may, and ask a person",
    "work": "take and finish steps, hand over",
    "read": "read what the pages show",
    "admin": "everything an admin may",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """What a key has sent in the last days."""

    items: int
    size: int
    days: int = SENT_DAYS


@require_http_methods(["GET", "HEAD", "POST"])
@needs("admin")
@freshly_proven
def page(request: Here) -> HttpResponse:
    form = KeyForm(request.POST or None)
    made, plain = None, ""
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            made, plain = administration.create_key(
                request.workspace, said["name"], said["scopes"], said["agents"], request.user, once=said["once"]
            )
        except MadeBefore as before:
            made, plain = shown_again(before)
        if made is None:
            messages.warning(request, "This form was sent before; its key was shown then.", extra_tags="human")
            return HttpResponseRedirect(reverse("dashboard:keys"))
        form = KeyForm()
    return listing(request, form, made, plain, wrong=bool(form.errors))


def listing(
    request: Here,
    form: KeyForm,
    made: ApiKey | None,
    plain: str,
    *,
    limits: LimitForm | None = None,
    wrong: bool = False,
) -> HttpResponse:
    here = request.workspace
    keys = ApiKey.objects.filter(workspace=request.workspace, lent=False).order_by("name", "id")
    now = timezone.now()
    working = [key for key in keys if works(key, now)]
    context = {
        "form": form,
        "scopes": [(choice, SCOPES[choice.data["value"]]) for choice in form["scopes"]],
        "keys": working,
        "ended": [key for key in keys if not works(key, now)],
        "made": made,
        "limits": limits or LimitForm.showing(here.spans_per_second, here.bytes_per_day),
        "plain": plain,
    }
    return render(request, "dashboard/keys.html", context, status=422 if wrong else 200)


@require_safe
@needs("admin")
def detail(request: Here, key_id: int) -> HttpResponse:
    return one(request, key_of(request, key_id), RotateForm())


@require_POST
@needs("admin")
@freshly_proven
def turn(request: Here, key_id: int) -> HttpResponse:
    """A second key like this one, which takes its place after the overlap."""
    key, form = key_of(request, key_id), RotateForm(request.POST)
    if not works(key, timezone.now()):
        messages.warning(request, f"{key.name} works no more, so nothing takes its place.", extra_tags="human")
        return HttpResponseRedirect(reverse("dashboard:key", args=[key.pk]))
    if not form.is_valid():
        return one(request, key, form, status=422)
    try:
        made, plain = administration.rotate_key(key, request.user, overlap=form.lasting, once=form.cleaned_data["once"])
    except MadeBefore as before:
        again, plain = shown_again(before)
        if again is None:
            messages.warning(request, "This form was sent before; its key was shown then.", extra_tags="human")
            return HttpResponseRedirect(reverse("dashboard:keys"))
        made = again
    return listing(request, KeyForm(), made, plain)


@require_POST
@needs("admin")
@freshly_proven
def withdraw(request: Here, key_id: int) -> HttpResponse:
    key = key_of(request, key_id)
    said = "is refused within 5 seconds" if administration.revoke_key(key, request.user) else "was revoked before"
    messages.success(request, f"Revoked {key.name}: it {said}.", extra_tags="ok")
    return HttpResponseRedirect(reverse("dashboard:keys"))


@require_POST
@needs("admin")
@freshly_proven
def limit(request: Here, key_id: int) -> HttpResponse:
    key, form = key_of(request, key_id), LimitForm(request.POST)
    if not form.is_valid():
        return one(request, key, RotateForm(), limits=form, status=422)
    administration.limit_key(key, form.limit, request.user)
    messages.success(request, f"{key.name} may send {limit_words(form.limit)}.", extra_tags="ok")
    return HttpResponseRedirect(reverse("dashboard:key", args=[key.pk]))


@require_POST
@needs("admin")
@freshly_proven
def limit_together(request: Here) -> HttpResponse:
    form = LimitForm(request.POST)
    if not form.is_valid():
        return listing(request, KeyForm(), None, "", limits=form, wrong=True)
    administration.limit_together(request.workspace, form.limit, request.user)
    messages.success(request, f"All keys together may send {limit_words(form.limit)}.", extra_tags="ok")
    return HttpResponseRedirect(reverse("dashboard:keys"))


def limit_words(wanted: Limit) -> str:
    rate = f"{wanted.spans_per_second:,} spans a second" if wanted.spans_per_second else ""
    much = f"{size(wanted.bytes_per_day)} a day" if wanted.bytes_per_day else ""
    return " and ".join(part for part in (rate, much) if part) or "as much as comes"


def one(
    request: Here, key: ApiKey, form: RotateForm, *, limits: LimitForm | None = None, status: int = 200
) -> HttpResponse:
    context = {
        "key": key,
        "form": form,
        "limits": limits or LimitForm.showing(key.spans_per_second, key.bytes_per_day),
        "works": works(key, timezone.now()),
        "sent": sent(key),
        "may": [(scope, SCOPES[scope]) for scope in key.scopes if scope in SCOPES],
        "vouches": plural(len(key.agents), "agent,agents") if key.agents else "any agent",
    }
    return render(request, "dashboard/key.html", context, status=status)


def key_of(request: Here, key_id: int) -> ApiKey:
    key = ApiKey.objects.filter(workspace=request.workspace, pk=key_id, lent=False).select_related("created_by").first()
    if key is None:
        raise Http404("Not a key of this workspace")
    return key


def works(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and (key.ends_at is None or key.ends_at > now)


def sent(key: ApiKey) -> Sent:
    since = (datetime.now(UTC) - timedelta(days=SENT_DAYS - 1)).date()
    rows = KeyDay.objects.filter(key=key, day__gte=since).values_list("items", "size")
    return Sent(sum(items for items, _ in rows), sum(size for _, size in rows))


def shown_again(before: MadeBefore) -> tuple[ApiKey | None, str]:
    """The key that the first press of the same form has made, while that was just now."""
    fresh = timezone.now() - before.key.created_at < AGAIN and before.key.revoked_at is None
    return (before.key, before.plain) if fresh else (None, "")
