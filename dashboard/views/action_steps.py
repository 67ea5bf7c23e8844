"""Presses by which people act: on an agent, a workflow, a run or all that a filter finds; and on what was done or
proposed. Each is a form that posts and leads back; a double press is one act."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from dashboard.action_forms import ActForm, LimitsForm
from dashboard.action_words import DOING, effect
from dashboard.standing import RUN_FILTERS
from dashboard.views.actions import action_of, ask, listed
from orchestration.autonomy import again, limits, lists, ordering, work
from orchestration.autonomy.aims import FITS, Aim, aims
from orchestration.autonomy.models import Action, Kind, State, Target
from orchestration.autonomy.ordering import Refused, Wish
from orchestration.control import choosing
from orchestration.lib.pulse import publish
from orchestration.lib.templatetags.baton import named, plural
from orchestration.registry.models import Agent
from orchestration.workflows.models import Run, Workflow
from orchestration.workflows.runs import IN_PROGRESS, UNENDED
from orchestration.workspaces.current import Here, needs, nothing_here


@require_POST
@needs("operator")
def on_agent(request: Here, slug: str, act: str) -> HttpResponse:
    found = Agent.objects.filter(workspace=request.workspace, slug=slug).first()
    if found is None:
        raise nothing_here(request, Agent.objects.filter(slug=slug))
    return _act(request, act, Aim(Target.AGENT, str(found.pk), found.name), reverse("dashboard:agent", args=[slug]))


@require_POST
@needs("operator")
def on_workflow(request: Here, slug: str, act: str) -> HttpResponse:
    found = Workflow.objects.filter(workspace=request.workspace, slug=slug).first()
    if found is None:
        raise nothing_here(request, Workflow.objects.filter(slug=slug))
    back = reverse("dashboard:workflow", args=[slug])
    return _act(request, act, Aim(Target.WORKFLOW, str(found.pk), found.name), back)


@require_POST
@needs("operator")
def on_run(request: Here, run_id: UUID, act: str) -> HttpResponse:
    target = next(iter(aims(request.workspace.pk, Target.RUN, [str(run_id)])), None)
    if target is None:
        raise nothing_here(request, Run.objects.filter(id=run_id))
    return _act(request, act, target, reverse("dashboard:run", args=[run_id]))


@require_POST
@needs("operator")
def on_runs(request: Here) -> HttpResponse:
    """Cancel all that the list's filter finds: counted anew, and only those that go on."""
    narrowed = {name: request.POST.get(name, "").strip()[:300] for name in RUN_FILTERS}
    if narrowed["status"] not in UNENDED:
        narrowed["status"] = IN_PROGRESS
    form = _form(request)
    wish = Wish(Kind.CANCEL, _actor(request), _key(request, form, "runs"), form.cleaned_data["reason"])
    try:
        targets = choosing.chosen(request.workspace.pk, Target.RUN, narrowed)
        made = ordering.order_all(request.workspace.pk, wish, targets, narrowed)
    except Refused as error:
        messages.error(request, str(error), extra_tags="crit")
        return HttpResponseRedirect(f"{reverse('dashboard:runs')}?{_query(narrowed)}")
    messages.success(request, f"Cancelling {plural(made.total, 'run,runs')}", extra_tags="ok")
    return HttpResponseRedirect(f"{reverse('dashboard:actions')}?order={made.pk}")


@require_POST
@needs("operator")
def undo(request: Here, action_id: UUID) -> HttpResponse:
    action, form = action_of(request, action_id), _form(request)
    kind = ordering.INVERSE.get(action.kind)
    if kind is None:
        raise Http404("This cannot be taken back")
    before = Action.objects.filter(workspace=request.workspace, key=f"undo:{action.pk}").first()
    reason = form.cleaned_data["reason"] or "Taken back"
    wish = Wish(kind, _actor(request), f"undo:{action.pk}", reason, cause_id=str(action.pk))
    try:
        say_done(request, work.carry_out_one(before or ordering.undo(action, wish)))
    except Refused as error:
        messages.warning(request, str(error), extra_tags="human")
    return _back(request, action)


@require_POST
@needs("operator")
def approve(request: Here, action_id: UUID) -> HttpResponse:
    action = action_of(request, action_id)
    if ordering.approve(action, _actor(request)):
        say_done(request, work.carry_out_one(action))
    else:
        _settled(request, action)
    return _back(request, action)


@require_POST
@needs("operator")
def decline(request: Here, action_id: UUID) -> HttpResponse:
    action, form = action_of(request, action_id), _form(request)
    if ordering.decline(action, _actor(request), form.cleaned_data["reason"]):
        publish(request.workspace.pk, "agent")
        messages.success(request, "Left as it is", extra_tags="ok")
    else:
        _settled(request, action)
    return _back(request, action)


@require_POST
@needs("operator")
def retry(request: Here, action_id: UUID) -> HttpResponse:
    action = action_of(request, action_id)
    if again.retry(action, _actor(request)):
        say_done(request, work.carry_out_one(action))
    else:
        _settled(request, action)
    return _back(request, action)


@require_POST
@needs("operator")
def retry_all(request: Here) -> HttpResponse:
    """All that failed of what the list's filter, which stands in the address, finds: counted anew."""
    asked, _ = ask(request)
    found, narrowed = lists.narrowed(request.workspace.pk, asked), {k: v for k, v in asdict(asked).items() if v}
    try:
        made = again.retry_all(
            request.workspace.pk, found, _actor(request), _key(request, _form(request), "again"), narrowed
        )
    except Refused as error:
        messages.warning(request, str(error), extra_tags="human")
        return HttpResponseRedirect(f"{reverse('dashboard:actions')}?{request.GET.urlencode()}")
    messages.success(request, f"Trying {plural(made.total, 'act,acts')} again", extra_tags="ok")
    return HttpResponseRedirect(f"{reverse('dashboard:actions')}?order={made.pk}")


@require_POST
@needs("admin")
def allow(request: Here) -> HttpResponse:
    """What Baton may do unasked."""
    form = LimitsForm(request.POST)
    if not form.is_valid():
        return listed(request, form, status=422)
    limits.allow(request.workspace, form.allowed, request.user)
    messages.success(request, "Saved what Baton may do by itself", extra_tags="ok")
    return HttpResponseRedirect(reverse("dashboard:actions"))


def _act(request: Here, act: str, target: Aim, back: str) -> HttpResponse:
    if act not in {kind.value for kind in FITS[target.kind]}:
        raise Http404("Nothing of that kind can be done to it")
    form = _form(request)
    said = form.cleaned_data
    key = _key(request, form, f"{act}:{target.kind.value}:{target.id}")
    wish = Wish(Kind(act), _actor(request), key, said["reason"], said["minutes"])
    try:
        say_done(request, work.carry_out_one(ordering.order(request.workspace.pk, wish, target)))
    except Refused as error:
        messages.error(request, str(error), extra_tags="crit")
    return HttpResponseRedirect(back)


def _form(request: Here) -> ActForm:
    """What cannot be read of it counts as not said."""
    form = ActForm(request.POST)
    form.is_valid()
    for name in form.fields:
        form.cleaned_data.setdefault(name, None if name == "minutes" else "")
    return form


def _key(request: Here, form: ActForm, what: str) -> str:
    once = form.cleaned_data["once"] or secrets.token_hex(16)
    return f"form:{request.user.pk}:{once}:{what}"[:300]


def _actor(request: Here) -> str:
    return f"person:{request.user.get_username()}"


def say_done(request: Here, action: Action) -> None:
    """What came of a press, as a message."""
    order, past, going = DOING[action.kind]
    name = named(action.name)
    if action.state == State.DEAD:
        messages.error(request, f"{order} {name}: given up. {action.error}", extra_tags="crit")
    elif action.state == State.DONE and not action.result.get("changed"):
        messages.warning(request, effect(action), extra_tags="human")
    elif action.state in (State.DONE, State.UNDONE):
        messages.success(request, f"{past} {name}", extra_tags="ok")
    else:
        messages.success(request, f"{going} {name}", extra_tags="ok")


def _settled(request: Here, action: Action) -> None:
    action.refresh_from_db()
    said = f"Nothing was changed: it is {action.get_state_display().lower()} by now."
    messages.warning(request, said, extra_tags="human")


def _back(request: Here, action: Action) -> HttpResponse:
    """To where it was pressed, if that is a page of ours."""
    there = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(there, allowed_hosts=None) or not there.startswith("/"):
        there = reverse("dashboard:action", args=[action.pk])
    return HttpResponseRedirect(there)


def _query(narrowed: Mapping[str, str]) -> str:
    query = QueryDict(mutable=True)
    query.update({name: value for name, value in narrowed.items() if value})
    return query.urlencode()
