"""`/settings/health/`: how Baton itself is doing with what it is sent. Silence is never success: refusals show here."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from dashboard.charts.lines import spark
from dashboard.finding import Finding, Part, say
from dashboard.period import period_of
from orchestration.control.health_figures import Health, health
from orchestration.ledger import checkpoints, guard
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.lib.templatetags.baton import duration, number, plural
from orchestration.workspaces.current import Here, needs

LATE_S = 30.0


@require_safe
@needs("operator")
def page(request: Here) -> HttpResponse:
    period = period_of(request)
    found = health(request.workspace.pk, period.window, period.until)
    unsigned = checkpoints.stopped()
    context = {
        "health": found,
        "oldest": None if found.oldest_waiting_s is None else timedelta(seconds=found.oldest_waiting_s),
        "finding": finding(found, period.words, unsigned),
        "accepted": spark(found.accepted),
        "digested": spark(found.digested),
        "period": period,
        "unguarded": guard if guard.unguarded() else None,
        "unsigned": unsigned,
    }
    fragments = {"flow": "dashboard/_health_flow.html", "storage": "dashboard/_health_storage.html"}
    return render_page_or_fragment(request, "dashboard/health.html", fragments, context)


def finding(now: Health, words: str, unsigned: str = "") -> Finding:
    """What is worst first: tampered with, lost, late, refused; else that all is well."""
    if unsigned:
        return Finding(say(Part("The ledger is not signed any more", tone="crit")), say(unsigned))
    lede = say(
        f"{plural(now.flow.accepted, 'span,spans')} accepted in {words}, {number(now.flow.digested)} of them new."
    )
    if now.poisoned:
        return Finding(say(f"{plural(len(now.poisoned), 'delivery,deliveries')} could not be digested"), lede)
    if (now.oldest_waiting_s or 0) > LATE_S:
        return Finding(say(f"The oldest delivery has waited {duration((now.oldest_waiting_s or 0) * 1000)}"), lede)
    if now.refused:
        return Finding(say(f"{plural(now.refused, 'item was,items were')} refused"), lede)
    if not now.flow.accepted:
        return Finding(say(f"Nothing was sent in {words}"))
    return Finding(say("All that was sent has been taken"), lede)
