"""`/settings/prices/`: what tokens cost. All rows are one form. What is counted keeps the price of its time."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.price_forms import CurrencyForm, PriceRows
from orchestration.control import ways_set
from orchestration.control.usage import has_costs
from orchestration.lib.templatetags.baton import plural
from orchestration.registry import prices
from orchestration.registry.models import Price
from orchestration.workspaces.current import Here, needs


@require_http_methods(["GET", "HEAD", "POST"])
@needs("admin")
def page(request: Here) -> HttpResponse:
    current = Price.objects.current().filter(workspace=request.workspace).order_by("model")
    rows = PriceRows(request.POST or None, queryset=current)
    wrong = request.method == "POST"
    if wrong and rows.is_valid() and save(rows, request):
        messages.success(request, "Saved prices. They hold for what arrives from now on.", extra_tags="ok")
        return back()
    retired = Price.objects.filter(workspace=request.workspace, retired_at__isnull=False).order_by("model")
    context = {
        "rows": rows,
        "wrong": wrong,
        "faults": sum(1 for each in rows.errors if each) if wrong else 0,
        "retired": retired,
        "starters": request.workspace.currency == prices.STARTERS_IN and len(prices.STARTERS),
        "currency": CurrencyForm(initial={"currency": request.workspace.currency}),
        "counted": has_costs(request.workspace.pk),
    }
    return render(request, "dashboard/prices.html", context, status=422 if wrong else 200)


@require_POST
@needs("admin")
def start(request: Here) -> HttpResponse:
    """Bring in the starting table, as far as its models have no row yet."""
    n = ways_set.start_prices(request.workspace, request.user)
    said = f"Added {plural(n, 'price,prices')} of the starting table." if n else "Every model of it has a row already."
    messages.success(request, said, extra_tags="ok")
    return back()


@require_POST
@needs("admin")
def restore(request: Here, price_id: int) -> HttpResponse:
    price = Price.objects.filter(workspace=request.workspace, pk=price_id).first()
    if price is None:
        raise Http404("Not a price of this workspace")
    ways_set.restore_price(price, request.user)
    messages.success(request, f"Brought back {price.model}.", extra_tags="ok")
    return back()


@require_POST
@needs("admin")
def currency(request: Here) -> HttpResponse:
    """Only before the first cost is counted: an amount is never called by another currency's name."""
    form = CurrencyForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Nothing was changed: that is no currency of the list.", extra_tags="crit")
    elif has_costs(request.workspace.pk):
        messages.error(request, "Nothing was changed: costs have been counted already.", extra_tags="crit")
    else:
        ways_set.count_in(request.workspace, form.cleaned_data["currency"], request.user)
        messages.success(request, f"Prices are in {form.cleaned_data['currency']} now.", extra_tags="ok")
    return back()


def save(rows: Any, request: Here) -> bool:
    """Stores what was changed. False when somebody else has priced the same model meanwhile."""
    try:
        with transaction.atomic():
            changed = rows.save(commit=False)
            ways_set.put_prices(request.workspace, changed, rows.deleted_objects, request.user)
    except IntegrityError:
        messages.error(request, "Somebody else has added the same model meanwhile.", extra_tags="crit")
        return False
    return True


def back() -> HttpResponse:
    return HttpResponseRedirect(reverse("dashboard:prices"))
