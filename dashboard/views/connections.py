"""`/settings/connections/`: where agents send to, whether it works, how much comes and what was refused, and why."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from dashboard import trial
from dashboard.addresses import public_address
from dashboard.charts.lines import spark
from dashboard.finding import Finding, say
from orchestration.control.arriving import Arriving, arriving, landed, senders, unread
from orchestration.control.health_figures import refusals
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.lib.templatetags.baton import ago, plural
from orchestration.workspaces.current import Here, needs
from orchestration.workspaces.keys import lend

SENT = "test_span"  # in the session: what became of the last one
PATIENCE_S = 30.0
REFUSED_FOR = timedelta(hours=24)
MOST_SENDERS = 20
# What a reason means to whoever sends, and what helps.
WORDS = {
    "too_old": "It began before the days that are kept. Send sooner, or keep more days under Retention.",
    "in_the_future": "It lies more than a day ahead. Set the clock of the machine that sends.",
    "no_start": "It has no start. Set start_time_unix_nano.",
    "trace_id": "Its trace id is not 16 bytes, or all zero.",
    "span_id": "Its span id is not 8 bytes, or all zero.",
    "parent_span_id": "Its parent's id is not 8 bytes.",
    "forbidden": "The key lacks the scope ingest. Make one that has it.",
    "unauthorized": "The key is unknown or was revoked.",
    "undecodable": "The body is not what its Content-Type says.",
    "unsupported": "Content-Type or Content-Encoding is none that is known here.",
    "too_large": "The request is too large. Let the exporter send smaller batches.",
    "bad_event": "An event lacks a field, or has one that cannot be. The answer named it.",
    "bad_request": "The body was empty, and nothing said that it should be. A proxy in between may lose it.",
    "fault": "Baton failed, and its log says why. Exporters send it again by themselves.",
    "quota": "The key has used up what it may send.",
    "busy": "Too much waited to be digested. Exporters send it again by themselves.",
    "database": "The database did not answer. Exporters send it again by themselves.",
    "slow": "The body did not come in time.",
    "method": "Telemetry is sent by POST.",
    "not_found": "Nothing is taken at that address: telemetry goes to /v1/traces, /v1/logs, /v1/metrics.",
}


@dataclass(frozen=True, slots=True)
class Test:
    """The test span of this session: where it is."""

    state: str  # refused | waiting | late | digested
    said: str = ""
    ms: float = 0.0
    seconds: float = 0.0


@require_safe
@needs("operator")
def page(request: Here) -> HttpResponse:
    now = timezone.now()
    found = arriving(request.workspace.pk, now)
    refused = refusals(request.workspace.pk, now - REFUSED_FOR)
    keys = list(senders(request.workspace.pk, now)[:MOST_SENDERS])
    context = {
        "address": public_address(request),
        "arriving": found,
        "finding": finding(found, sum(line.n for line in refused)),
        "minutes": spark(found.minutes),
        "refused": [(line, WORDS.get(line.reason, "")) for line in refused],
        "refused_n": sum(line.n for line in refused),
        "unread": unread(request.workspace.pk, now),
        "keys": keys,
        "test": test_of(request),
    }
    fragments = {"arriving": "dashboard/_connections_arriving.html", "test": "dashboard/_connections_test.html"}
    return render_page_or_fragment(request, "dashboard/connections.html", fragments, context)


@require_POST
@needs("operator")
def test(request: Here) -> HttpResponse:
    """Sends one span as an agent would. A press while the last one is on its way sends no second."""
    last = test_of(request)
    if last is None or last.state != "waiting":
        answer = trial.send(request, lend(request.workspace, "Test span", "ingest", request.user))
        request.session[SENT] = {
            "workspace": request.workspace.pk,
            "trace": answer.trace_id.hex(),
            "status": answer.status,
            "why": answer.why,
            "ms": answer.ms,
            "at": time.time(),
        }
    return HttpResponseRedirect(reverse("dashboard:connections") + "#test")


def test_of(request: Here) -> Test | None:
    sent = request.session.get(SENT)
    if not sent or sent["workspace"] != request.workspace.pk:
        return None
    if sent["status"] != 200:
        answered = f"The door answered {sent['status']}" if sent["status"] else "The door did not answer"
        return Test("refused", f"{answered}: {sent['why']}".strip(": "), sent["ms"])
    seconds = sent.get("took") or time.time() - sent["at"]
    if not landed(request.workspace.pk, bytes.fromhex(sent["trace"])):
        return Test("waiting" if seconds < PATIENCE_S else "late", ms=sent["ms"], seconds=seconds)
    if "took" not in sent:
        request.session[SENT] = sent | {"took": seconds}
    return Test("digested", ms=sent["ms"], seconds=seconds)


def finding(now: Arriving, refused: int) -> Finding:
    """Whether anything comes at all is worth more than how much."""
    turned = say(f"{plural(refused, 'item was,items were')} refused in the last 24 hours.") if refused else ()
    if now.last_at is None:
        return Finding(say("No span has come yet"), turned or say("Point an exporter at the address below."))
    if not any(now.minutes) and not now.now_per_s:
        return Finding(say(f"The last span came {ago(now.last_at)}"), turned)
    return Finding(say(f"{plural(round(now.now_per_s * 60), 'span comes,spans come')} in a minute"), turned)
