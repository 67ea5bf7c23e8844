"""`/workflows/<slug>/coordination/`: are its agents to coordinate, and what came of it?"""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard import coordination_words as words
from orchestration.control import coordinating, mess_figures
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.workflows.models import Workflow
from orchestration.workspaces.current import MEMBER, Here, needs, nothing_here

REGIONS = {"mess": "dashboard/_coordination_mess.html"}


class SwitchForm(forms.Form):
    """`on`: what is wanted, so that the same form sent twice is one act."""

    on = forms.TypedChoiceField(choices=[("1", "on"), ("0", "off")], coerce=lambda value: value == "1")
    reason = forms.CharField(max_length=400, error_messages={"required": "Say why: it stands in the ledger."})


@require_safe
@needs(MEMBER)
def page(request: Here, slug: str) -> HttpResponse:
    return shown(request, flow_of(request, slug))


@require_POST
@needs("admin")
def switch(request: Here, slug: str) -> HttpResponse:
    flow, form = flow_of(request, slug), SwitchForm(request.POST)
    if not form.is_valid():
        return shown(request, flow, form, status=422)
    on = form.cleaned_data["on"]
    if coordinating.switch(flow, on=on, reason=form.cleaned_data["reason"], by=request.user):
        messages.success(request, f"Coordination is {'on' if on else 'off'}, with a receipt", extra_tags="ok")
    else:
        messages.success(request, f"Coordination was {'on' if on else 'off'} already", extra_tags="ok")
    return HttpResponseRedirect(reverse("dashboard:coordination", args=[flow.slug]))


def shown(request: Here, flow: Workflow, form: SwitchForm | None = None, status: int = 200) -> HttpResponse:
    told = words.told(mess_figures.figures(flow))
    context = {"flow": flow, "told": told, "found": told.found, "form": form}
    return render_page_or_fragment(request, "dashboard/coordination.html", REGIONS, context, status=status)


def flow_of(request: Here, slug: str) -> Workflow:
    flow = Workflow.objects.filter(workspace=request.workspace, slug=slug).first()
    if flow is None:
        raise nothing_here(request, Workflow.objects.filter(slug=slug))
    return flow
