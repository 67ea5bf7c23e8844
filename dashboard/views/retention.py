"""`/settings/retention/`: how long what is kept. Keeping less asks first, and names what goes."""

from __future__ import annotations

from dataclasses import asdict, astuple

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.forms import KeepingForm
from dashboard.proof import freshly_proven
from orchestration.control import storage, ways_set
from orchestration.control.dropping import Loss, losses
from orchestration.control.keeping import KEPT
from orchestration.workspaces.current import Here, needs
from orchestration.workspaces.ways import Keeping, NotKept


@require_http_methods(["GET", "HEAD", "POST"])
@needs("admin")
@freshly_proven
def page(request: Here) -> HttpResponse:
    """What is shorter than before is stored only by the second press, which says what the first one has shown."""
    now = Keeping.of(request.workspace)
    form = KeepingForm(request.POST or None, initial=asdict(now))
    if request.method != "POST":
        return shown(request, form)
    if not form.is_valid():
        return shown(request, form, status=422)
    wanted = form.keeping
    if wanted.shortens(now) and request.POST.get("agreed") != agreement(now, wanted):
        return shown(request, form, asked=losses(request.workspace, wanted, timezone.now()), wanted=wanted)
    return store(request, wanted, now)


@require_POST
@needs("admin")
@freshly_proven
def content(request: Here) -> HttpResponse:
    """Whether prompts and results are stored from now on."""
    wanted = request.POST.get("keeps_content") == "on"
    ways_set.keep_content(request.workspace, wanted, request.user)
    stored = "are stored" if wanted else "are not stored"
    messages.success(request, f"Prompts and results {stored} from now on.", extra_tags="ok")
    return HttpResponseRedirect(reverse("dashboard:retention"))


def store(request: Here, wanted: Keeping, now: Keeping) -> HttpResponse:
    try:
        ways_set.keep_for(request.workspace, wanted, request.user, instead_of=now)
    except NotKept as refusal:
        messages.error(request, f"Nothing was changed: {refusal}.", extra_tags="crit")
    else:
        said = f"Spans are kept {wanted.span_days} days, runs {wanted.run_days}."
        said += f" Facts of decisions are kept {wanted.decision_days}."
        messages.success(request, said, extra_tags="ok")
    return HttpResponseRedirect(reverse("dashboard:retention"))


def agreement(now: Keeping, wanted: Keeping) -> str:
    """What is agreed to: this change and no other."""
    pairs = zip(astuple(now), astuple(wanted), strict=True)
    return " ".join(f"{before}-{after}" for before, after in pairs)


def shown(
    request: Here,
    form: KeepingForm,
    *,
    asked: list[Loss] | None = None,
    wanted: Keeping | None = None,
    status: int = 200,
) -> HttpResponse:
    now = Keeping.of(request.workspace)
    lines = storage.lines(request.workspace.pk)
    context = {
        "form": form,
        "asked": asked,
        "wanted": wanted,
        "agreed": agreement(now, wanted) if wanted else "",
        "now": now,
        "storage": lines,
        "total": sum(line.bytes for line in lines),
        "kept": KEPT,
        "keeps_content": request.workspace.keeps_content,
    }
    return render(request, "dashboard/retention.html", context, status=status)
