"""`/workflows/<slug>/wishes/`: what admins want of a process: how much of it is to end without a person, and whether a
failure is a question to one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from dashboard.period import period_of
from dashboard.views.workflow import FlowPage, flow_page
from orchestration.control.wished import Wished, wish
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.workflows.models import Workflow
from orchestration.workspaces.current import Here, needs


class WishForm(forms.Form):
    target = forms.DecimalField(
        required=False,
        min_value=0,
        max_value=100,
        decimal_places=1,
        error_messages={"invalid": "A share in percent, as 85 or 99.5; empty for none."},
        widget=forms.NumberInput(attrs={"class": "field", "step": "0.1", "inputmode": "decimal", "id": "target"}),
    )
    asks_when_failed = forms.BooleanField(required=False)

    @property
    def wanted(self) -> Wished:
        said: dict[str, Any] = self.cleaned_data
        target = None if said["target"] is None else float(said["target"]) / 100
        return Wished(target, bool(said["asks_when_failed"]))


@require_POST
@needs("admin")
def save(request: Here, slug: str) -> HttpResponse:
    page: FlowPage = flow_page(request, slug, period_of(request, "7d"))
    form = WishForm(request.POST)
    if not form.is_valid():
        context = {"page": page, "flow": page.line, "period": page.period, "form": form}
        return render_page_or_fragment(request, "dashboard/workflow.html", {}, context, status=422)
    flow = Workflow.objects.get(workspace=request.workspace, pk=page.line.id)
    if wish(flow, form.wanted, request.user):
        messages.success(request, "Saved, with a receipt in the ledger", extra_tags="ok")
    else:
        messages.success(request, "Nothing had changed", extra_tags="ok")
    return HttpResponseRedirect(reverse("dashboard:workflow", args=[page.line.slug]))
