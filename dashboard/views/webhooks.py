"""`/settings/webhooks/`: who is told what happens, whether it arrives, and the secrets that sign it."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.db.models import Count, Max, Q
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.proof import freshly_proven
from dashboard.webhook_forms import EndpointForm, TrialForm, TurnForm
from orchestration.control import administration
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.lib.templatetags.baton import plural
from orchestration.outbox import endpoints, mail, send, sweep
from orchestration.outbox.models import Endpoint, Event, Message, State
from orchestration.outbox.targets import Refused
from orchestration.registry.models import Agent
from orchestration.workspaces.current import Here, needs

LATELY = 50  # deliveries that are shown
LABELS = dict(Event.choices)


@dataclass(frozen=True, slots=True)
class Line:
    """An endpoint, and how it went with the messages that are still kept."""

    endpoint: Endpoint
    agent: str  # whose own it is, "" for events
    done: int
    waiting: int
    dead: int


@require_http_methods(["GET", "HEAD", "POST"])
@needs("admin")
@freshly_proven
def page(request: Here) -> HttpResponse:
    form = EndpointForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = add(request, form)
        if made:
            secret = "" if mail.is_mail(made.url) else endpoints.shown(made, request.user, form.cleaned_data["once"])
            return listing(request, EndpointForm(), made, secret)
    return listing(request, form)


def add(request: Here, form: EndpointForm) -> Endpoint | None:
    """None: the form says why not."""
    said = form.cleaned_data
    agent = Agent.objects.filter(workspace=request.workspace, slug=said["agent"].strip()).first()
    if said["agent"].strip() and agent is None:
        form.add_error("agent", "There is no agent of this slug.")
    elif not said["events"] and agent is None:
        form.add_error("events", "Choose at least one.")
    else:
        try:
            url, once = said["url"].strip(), said["once"]
            return administration.add_webhook(request.workspace, url, said["events"], request.user, once, agent=agent)
        except Refused as refused:
            form.add_error("url", str(refused))
    return None


def listing(request: Here, form: EndpointForm, made: Endpoint | None = None, secret: str = "") -> HttpResponse:
    lines = lines_of(request)
    context = {
        "form": form,
        "choices": [(choice, LABELS[choice.data["value"]]) for choice in form["events"]],
        "lines": lines,
        "dead": sum(line.dead for line in lines),
        "made": made,
        "secret": secret,
    }
    return render(request, "dashboard/webhooks.html", context, status=422 if form.errors else 200)


@require_safe
@needs("admin")
def detail(request: Here, endpoint_id: int) -> HttpResponse:
    return one(request, endpoint_of(request, endpoint_id))


@require_POST
@needs("admin")
@freshly_proven
def turn(request: Here, endpoint_id: int) -> HttpResponse:
    """A new secret, shown once; the old one signs beside it for a while."""
    endpoint, form = endpoint_of(request, endpoint_id), TurnForm(request.POST)
    if not form.is_valid():
        return one(request, endpoint, form, status=422)
    once = form.cleaned_data["once"]
    endpoint = administration.rotate_webhook(endpoint, request.user, form.lasting, once)
    return one(request, endpoint, secret=endpoints.shown(endpoint, request.user, once))


@require_POST
@needs("admin")
def trial(request: Here, endpoint_id: int) -> HttpResponse:
    """Sent at once, in this request: whoever presses waits for the answer."""
    endpoint, form = endpoint_of(request, endpoint_id), TrialForm(request.POST)
    message = send.trial(endpoint, form.cleaned_data["once"] if form.is_valid() else "")
    if message.state == State.PENDING:
        sweep.deliver_one(message.pk)
        message.refresh_from_db()
    if message.state == State.DONE:
        messages.success(request, f"Answered {message.status} in {message.took_ms} ms", extra_tags="ok")
    else:
        messages.warning(request, f"The test did not arrive. {message.error}", extra_tags="crit")
    return back(endpoint)


@require_POST
@needs("admin")
def retry(request: Here, endpoint_id: int, message_id: str) -> HttpResponse:
    endpoint = endpoint_of(request, endpoint_id)
    if not Message.objects.filter(endpoint=endpoint, pk=message_id).exists():
        raise Http404("Not a message of this endpoint")
    if sweep.retry(request.workspace.pk, message_id):  # type: ignore[arg-type]
        send.hasten()
        messages.success(request, "Sent again", extra_tags="ok")
    return back(endpoint)


@require_POST
@needs("admin")
def retry_all(request: Here) -> HttpResponse:
    """All that was given up."""
    found = sweep.retry(request.workspace.pk)
    send.hasten()
    messages.success(request, f"Sent {plural(found, 'message,messages')} again", extra_tags="ok")
    return HttpResponseRedirect(reverse("dashboard:webhooks"))


@require_POST
@needs("admin")
@freshly_proven
def remove(request: Here, endpoint_id: int) -> HttpResponse:
    endpoint = endpoint_of(request, endpoint_id)
    administration.remove_webhook(endpoint, request.user)
    messages.success(request, "Removed the endpoint", extra_tags="ok")
    return HttpResponseRedirect(reverse("dashboard:webhooks"))


def one(
    request: Here, endpoint: Endpoint, form: TurnForm | None = None, secret: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "endpoint": endpoint,
        "events": [LABELS.get(event, event) for event in endpoint.events],
        "form": form or TurnForm(),
        "trial": TrialForm(),
        "secret": secret,
        "waiting": sweep.waiting(endpoint),
        "deliveries": Message.objects.filter(endpoint=endpoint).order_by("-created_at")[:LATELY],
    }
    regions = {"deliveries": "dashboard/_webhook_deliveries.html"}
    return render_page_or_fragment(request, "dashboard/webhook.html", regions, context, status=status)


def lines_of(request: Here) -> list[Line]:
    open_states = [State.PENDING, State.CLAIMED, State.FAILED]
    found = Endpoint.objects.filter(workspace=request.workspace).annotate(
        done=Count("messages", filter=Q(messages__state=State.DONE)),
        waiting=Count("messages", filter=Q(messages__state__in=open_states)),
        dead=Count("messages", filter=Q(messages__state=State.DEAD)),
        last_at=Max("messages__created_at"),
    )
    rows = list(found.order_by("id"))
    ids = [each.agent_id for each in rows if each.agent_id]
    names = dict(Agent.objects.filter(workspace=request.workspace, pk__in=ids).values_list("pk", "name"))
    whose = {each.pk: names.get(each.agent_id, "an agent that is gone") if each.agent_id else "" for each in rows}
    return [Line(each, whose[each.pk], each.done, each.waiting, each.dead) for each in rows]


def endpoint_of(request: Here, endpoint_id: int) -> Endpoint:
    found = Endpoint.objects.select_related("created_by").filter(workspace=request.workspace, pk=endpoint_id).first()
    if found is None:
        raise Http404("Not an endpoint of this workspace")
    return found


def back(endpoint: Endpoint) -> HttpResponse:
    return HttpResponseRedirect(reverse("dashboard:webhook", args=[endpoint.pk]))
