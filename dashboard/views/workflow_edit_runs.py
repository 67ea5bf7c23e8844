"""`/runs/<id>/plan/`: a run that Baton coordinates, by the version it began with: its picture, what waits for whom,
what was done and taken back; and the presses that end it, roll it back or start it again."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.finding import Finding
from dashboard.workflow_declared import drawn
from dashboard.workflow_picture import Picture
from dashboard.workflow_states import EFFECT, RUN, StepState, finding, step_states
from orchestration.control import driving
from orchestration.control.declaring import flow_named
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.workflows import anew
from orchestration.workflows.declared import REASON_CHARS, plan_of
from orchestration.workflows.declared_models import DeclaredRun, DeclaredState, EffectState, TaskState
from orchestration.workflows.execution import EffectLine, Execution, execution
from orchestration.workflows.models import Workflow
from orchestration.workflows.moving import Moving
from orchestration.workflows.plans import Definition
from orchestration.workflows.starting import KeyUsed, Start
from orchestration.workspaces.current import MEMBER, Here, needs, nothing_here

UNDOABLE = (DeclaredState.RUNNING, DeclaredState.COMPLETED, DeclaredState.FAILED, DeclaredState.CANCELLED)


@dataclass
class PlanPage:
    request: Here
    run: Execution
    once: str = field(default_factory=lambda: secrets.token_urlsafe(16))  # so that a double press is one act

    @cached_property
    def plan(self) -> Definition:
        return plan_of(self.request.workspace.pk, self.run.version_id)

    @cached_property
    def flow(self) -> Workflow:
        return flow_named(self.request.workspace.pk, self.run.workflow)

    @property
    def finding(self) -> Finding:
        return finding(self.run)

    @property
    def pill(self) -> tuple[str, str]:
        return RUN[DeclaredState(self.run.state)]

    @cached_property
    def steps(self) -> list[StepState]:
        return step_states(self.run.steps)

    @property
    def picture(self) -> Picture:
        return drawn(self.plan, {state.step.id: (state.word, state.tone) for state in self.steps})

    @property
    def effects(self) -> list[tuple[EffectLine, str, str, bool]]:
        """Newest first: word, colour, and whether anybody is named who takes it back."""
        return [(each, *EFFECT[EffectState(each.state)], self._undoable(each)) for each in self.run.effects]

    @property
    def stays(self) -> list[EffectLine]:
        """What rolling back will leave."""
        return [each for each in self.run.effects if each.state == EffectState.DONE and not self._undoable(each)]

    @property
    def goes(self) -> list[EffectLine]:
        return [each for each in self.run.effects if each.state == EffectState.DONE and self._undoable(each)]

    @property
    def live(self) -> bool:
        return self.run.state in (DeclaredState.RUNNING, DeclaredState.UNDOING)

    @property
    def may_cancel(self) -> bool:
        return self.run.state == DeclaredState.RUNNING and self.request.is_operator

    @property
    def may_undo(self) -> bool:
        going = self.run.state in UNDOABLE and (bool(self.goes) or self.run.state == DeclaredState.RUNNING)
        return going and self.request.is_operator

    @property
    def failed_steps(self) -> list[tuple[StepState, bool]]:
        """Those that may be tried again, and whether doing one twice may do harm."""
        if self.run.state not in anew.GOES or not self.request.is_operator:
            return []
        failed = [state for state in self.steps if state.step.state == TaskState.FAILED]
        plans = {step.id: step for step in self.plan.steps}
        return [(each, not (plans[each.step.id].idempotent or plans[each.step.id].keyed)) for each in failed]

    @property
    def failed_undos(self) -> list[EffectLine]:
        """Those of which it may be tried again to take them back."""
        return [each for each in self.run.effects if each.state == EffectState.FAILED and self.request.is_operator]

    @property
    def may_start(self) -> bool:
        return not self.live and self.request.is_operator

    def _undoable(self, effect: EffectLine) -> bool:
        return self.plan.step(effect.step).compensation is not None


@require_safe
@needs(MEMBER)
def page(request: Here, run_id: UUID) -> HttpResponse:
    found = PlanPage(request, _run(request, run_id))
    fragments = {"plan": "dashboard/_workflow_plan.html"}
    return render_page_or_fragment(
        request, "dashboard/workflow_plan.html", fragments, {"page": found, "run": found.run}
    )


@require_POST
@needs("operator")
def cancel(request: Here, run_id: UUID) -> HttpResponse:
    run = _run(request, run_id)

    def go() -> str:
        driving.cancel(request.workspace.pk, run.id, _by(request), _reason(request))
        return "Cancelled. What is in work is told to stop."

    return _pressed(request, run.id, go)


@require_POST
@needs("operator")
def roll_back(request: Here, run_id: UUID) -> HttpResponse:
    run = _run(request, run_id)

    def go() -> str:
        driving.roll_back(request.workspace.pk, run.id, _by(request), _reason(request))
        return "Rolling back, newest effect first."

    return _pressed(request, run.id, go)


@require_POST
@needs("operator")
def retry(request: Here, run_id: UUID) -> HttpResponse:
    """One step that failed for good, or one effect that could not be taken back. `of`: the failure that is meant."""
    run, step = _run(request, run_id), request.POST.get("step", "")

    def go() -> str:
        try:
            of = datetime.fromisoformat(request.POST.get("of", ""))
            effect = UUID(request.POST["effect"]) if "effect" in request.POST else None
        except ValueError as error:
            raise driving.NotNow("It cannot be told which failure is meant: look at it again.") from error
        by, why = _by(request), _reason(request)

        def turn(m: Moving) -> bool:
            return anew.undo(m, effect, by, why, of) if effect else anew.step(m, step, by, why, of)

        driving.try_again(request.workspace.pk, run.id, turn)
        return "It is tried again. What was done stays done."

    return _pressed(request, run.id, go)


@require_POST
@needs("operator")
def again(request: Here, run_id: UUID) -> HttpResponse:
    """Another run with the same input, by what is live now. The form's own key makes two presses one run."""
    run = _run(request, run_id)
    before = DeclaredRun.objects.get(workspace_id=request.workspace.pk, id=run.id)
    key = f"again:{run.id}:{request.POST.get('once', '')[:60]}".replace("\0", "")
    wanted = Start(_by(request), before.input, before.title, key)
    try:
        _reason(request)
        made, _ = driving.start(request.workspace.pk, run.workflow, wanted)
    except (driving.Unknown, driving.NotNow, KeyUsed) as error:
        messages.error(request, str(error), extra_tags="crit")
        return _back(run.id)
    messages.success(request, "Started again, as another run", extra_tags="ok")
    return _back(made.id)


def _pressed(request: Here, run_id: UUID, go: Callable[[], str]) -> HttpResponse:
    try:
        messages.success(request, go(), extra_tags="ok")
    except driving.NotNow as error:
        messages.warning(request, f"Nothing was changed. {error}", extra_tags="human")
    return _back(run_id)


def _run(request: Here, run_id: UUID) -> Execution:
    found = execution(request.workspace.pk, run_id)
    if found is None:
        raise nothing_here(request, DeclaredRun.objects.filter(id=run_id))
    return found


def _reason(request: Here) -> str:
    reason = request.POST.get("reason", "").replace("\0", "").strip()[:REASON_CHARS]
    if not reason:
        raise driving.NotNow("Say in a sentence why: it stays in the ledger.")
    return reason


def _by(request: Here) -> str:
    return f"person:{request.user.get_username()}"


def _back(run_id: UUID) -> HttpResponse:
    return HttpResponseRedirect(reverse("dashboard:run_plan", args=[run_id]))
