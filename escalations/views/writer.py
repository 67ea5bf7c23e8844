"""`/settings/briefs/`: the endpoint that drafts briefs, if there is to be one. Off until an admin says otherwise, since
facts of cases leave the house."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from escalations import drafting
from escalations.briefs import Told
from escalations.checking import Source, Useless, check
from escalations.models import Writer
from escalations.writer_forms import WriterForm
from orchestration.ledger import entries
from orchestration.workspaces.current import Here, needs
from orchestration.workspaces.proof import freshly_proven

EXAMPLE = [
    Told(1, {"amount": 520.0, "context.item_back": True}),
    Told(2, {"amount": 540.0, "context.item_back": True}),
    Told(3, {"amount": 940.0, "context.item_back": False}, ["context.item_back"]),
]


@require_http_methods(["GET", "HEAD", "POST"])
@needs("admin")
@freshly_proven
def page(request: Here) -> HttpResponse:
    writer = Writer.objects.filter(workspace=request.workspace).first()
    if request.method != "POST":
        return shown(request, writer, WriterForm(writer=writer))
    form = WriterForm(request.POST, writer=writer)
    if not form.is_valid():
        return shown(request, writer, form, status=422)
    save(request, writer, form.cleaned_data)
    messages.success(request, "Saved who drafts briefs", extra_tags="ok")
    return back()


@require_POST
@needs("admin")
def trial(request: Here) -> HttpResponse:
    """Asked in this request about made-up cases: whoever presses waits for the answer."""
    writer = Writer.objects.filter(workspace=request.workspace).first()
    if writer is None:
        return back()
    outcome = drafting.ask(writer, Source.of(EXAMPLE))
    try:
        if not outcome.ok:
            raise Useless(outcome.error)
        found = check(outcome.body, Source.of(EXAMPLE))
    except Useless as useless:
        messages.warning(request, f"It did not work. {useless}", extra_tags="crit")
    else:
        Writer.objects.filter(pk=writer.pk).update(paused_until=None, error="")
        said = f"It wrote a brief in {outcome.took_ms / 1000:.1f} s: {found.facts} facts found, {found.unfound} not"
        messages.success(request, said, extra_tags="ok")
    return back()


def save(request: Here, writer: Writer | None, said: dict[str, Any]) -> None:
    """A key goes to no other address than the one it was given for."""
    same = writer is not None and writer.url == said["url"] and not said["forget"]
    kept = writer.key if writer and same else None
    key = drafting.seal(said["key"]) if said["key"] else kept
    values = {"on": said["on"], "url": said["url"], "model": said["model"], "key": key}
    values |= {"error": "", "paused_until": None}
    told = {"host": urlsplit(said["url"]).hostname or "", "model": said["model"], "on": said["on"]}
    who = f"person:{request.user.get_username()}"
    with transaction.atomic():
        Writer.objects.update_or_create(workspace=request.workspace, defaults=values)
        entries.record(
            request.workspace.pk, "writer.changed", ("workspace", request.workspace.slug), who, told, timezone.now()
        )


def shown(request: Here, writer: Writer | None, form: WriterForm, status: int = 200) -> HttpResponse:
    context = {"form": form, "writer": writer}
    return render(request, "escalations/writer.html", context, status=status)


def back() -> HttpResponse:
    return HttpResponseRedirect(reverse("escalations:writer"))
