"""`/settings/notifications/`: of what a person is told, when and by what; each for themselves."""

from __future__ import annotations

import base64
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.views.decorators.http import require_http_methods, require_POST

from escalations import notices, sending
from escalations.duty_forms import TellingForm
from escalations.models import Channel, Notice, Telling
from orchestration.lib.templatetags.baton import plural
from orchestration.outbox.endpoints import PREFIX
from orchestration.workspaces.current import Here, needs, zone_of
from orchestration.workspaces.models import User

LATELY = 20


@require_http_methods(["GET", "HEAD", "POST"])
@needs("reviewer")
def page(request: Here) -> HttpResponse:
    telling = telling_of(request)
    posted = request.method == "POST"
    form = TellingForm(request.POST if posted else None, telling=telling, email=request.user.email)
    if not posted:
        return shown(request, telling, form)
    if not form.is_valid():
        return shown(request, telling, form, status=422)
    secret = save(request, telling, form.cleaned_data)
    if secret:
        return shown(request, telling, TellingForm(telling=telling, email=request.user.email), secret=secret)
    messages.success(request, "Saved how you are told", extra_tags="ok")
    return back()


@require_POST
@needs("reviewer")
def trial(request: Here) -> HttpResponse:
    """Sent in this request: whoever presses waits for the answer."""
    channel = request.POST.get("channel", "")
    once = request.POST.get("once", "")[:64]
    if channel not in Channel.values or not once:
        return shown(request, telling_of(request), status=422)
    notice = notices.trial(request.workspace.pk, request.user, channel, once, timezone.now())
    sending.deliver_one(notice)
    if notice.sent_at:
        messages.success(request, "The test message is on its way", extra_tags="ok")
    else:
        messages.warning(request, f"The test did not go out. {notice.error}", extra_tags="crit")
        Notice.objects.filter(pk=notice.pk, sent_at=None).update(dead_at=timezone.now())
    return back()


@require_POST
@needs("reviewer")
def retry(request: Here) -> HttpResponse:
    found = sending.retry(request.workspace.pk, request.user.pk)
    messages.success(request, f"Sends {plural(found, 'message,messages')} again", extra_tags="ok")
    return back()


def telling_of(request: Here) -> Telling:
    found = Telling.objects.filter(workspace=request.workspace, person=request.user).first()
    return found or Telling(workspace=request.workspace, person=request.user, alarms=notices.USUAL)


def save(request: Here, telling: Telling, said: dict[str, Any]) -> str:
    """Returns the secret of a webhook that is new, to be shown once; the same form sent twice makes the same."""
    salt = salted_hmac("baton.telling.form", f"{request.user.pk}:{said['once']}", algorithm="sha256").digest()
    known = bytes(telling.secret or b"")
    fresh = bool(said["hook"]) and (said["hook"] != telling.hook or not known or known == salt)
    telling.alarms, telling.digest_minutes = said["alarms"], said["digest"]
    telling.quiet, telling.late_breaks = said["quiet"], said["late_breaks"]
    telling.mail, telling.hook = said["mail"], said["hook"]
    telling.secret = salt if fresh else (known or None) if said["hook"] else None
    names = ("alarms", "digest_minutes", "quiet", "late_breaks", "mail", "hook", "secret")
    values = {name: getattr(telling, name) for name in names}
    with transaction.atomic():
        Telling.objects.update_or_create(workspace=request.workspace, person=request.user, defaults=values)
        User.objects.filter(pk=request.user.pk).update(email=said["email"])
    request.user.email = said["email"]
    return PREFIX + base64.b64encode(sending.signing_key(telling)).decode() if fresh else ""


def shown(
    request: Here, telling: Telling, form: TellingForm | None = None, *, secret: str = "", status: int = 200
) -> HttpResponse:
    mine = Notice.objects.filter(workspace=request.workspace, person=request.user)
    context = {
        "form": form or TellingForm(telling=telling, email=request.user.email),
        "telling": telling,
        "secret": secret,
        "mails": notices.mails(),
        "reached": bool((notices.mails() and telling.mail and request.user.email) or telling.hook),
        "zone": zone_of(request),
        "dead": mine.filter(dead_at__isnull=False).exclude(key__startswith="test ").count(),
        "lately": mine.order_by("-due_at")[:LATELY],
    }
    return render(request, "escalations/notifications.html", context, status=status)


def back() -> HttpResponse:
    return HttpResponseRedirect(reverse("escalations:notifications"))
