"""`/workflows/<slug>/edit/` and `/workflows/new/`: the steps of a declared workflow as a form, with its picture; every
button works without a script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard.policy_words import Line
from dashboard.workflow_acts import act
from dashboard.workflow_check import Check, check
from dashboard.workflow_declared import DeclaredPage, declared_of, declared_page
from dashboard.workflow_fields import FEW, Field, StepView
from dashboard.workflow_forms import Draft, StepDraft, of_body, of_post
from dashboard.workflow_picture import Picture
from dashboard.workflow_trigger_fields import TriggerView
from dashboard.workflow_trigger_forms import TriggerDraft
from dashboard.workflow_words import difference
from orchestration.control.declaring import flow_named
from orchestration.control.firing import DEEP
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.lib.pulse import publish as signal
from orchestration.registry.models import Agent
from orchestration.workflows import declared
from orchestration.workflows.declared_models import DefinitionVersion
from orchestration.workflows.definition import CLASSES, MOST_TRIGGERS, BadDefinition, parse
from orchestration.workflows.fired import circle
from orchestration.workflows.plans import Definition
from orchestration.workspaces.current import Here, needs

FRAGMENTS = {"picture": "_workflow_edit_picture", "steps": "_workflow_edit_steps"}
MOST_JSON = 500_000
SUGGESTED = 300  # names of agents
FAILS = (("stop", "ends there"), ("undo", "is rolled back"))


@dataclass
class EditorPage:
    """The editor with what stands in it. `seen`: digest of the draft that was read before it was changed."""

    request: Here
    base: DeclaredPage | None  # None: of a workflow that is not there yet
    draft: Draft
    seen: str = ""
    refused: list[str] = field(default_factory=list)
    theirs: DefinitionVersion | None = None  # saved by somebody else meanwhile
    opened: int = -1  # place of a step that was just added
    fresh: bool = False  # nothing was written yet: nothing is wrong yet
    deep: int = DEEP

    @cached_property
    def checked(self) -> Check:
        return Check(self.draft) if self.fresh else check(self.draft)

    @property
    def picture(self) -> Picture:
        return self.checked.picture

    @cached_property
    def steps(self) -> list[StepView]:
        drafts = self.draft.steps
        ids = [(step.id, step.name) for step in drafts]
        return [
            StepView(
                place,
                step,
                [each for n, each in enumerate(ids) if n != place and each[0]],
                self.checked.of_step(place),
                len(drafts) > FEW,
                place == self.opened,
            )
            for place, step in enumerate(drafts)
        ]

    @cached_property
    def triggers(self) -> list[TriggerView]:
        """With an empty one at the end."""
        drafts = [*self.draft.triggers, TriggerDraft()][:MOST_TRIGGERS]
        return [TriggerView(place, each, self.checked.of_trigger(place)) for place, each in enumerate(drafts)]

    @property
    def fields(self) -> dict[str, Field]:
        draft, of = self.draft, self.checked.of
        return {
            "name": Field("name", "Name", draft.name, most=120, placeholder="Refund request", errors=of("name")),
            "words": Field("words", "What it is for", draft.words, "area", most=2000, errors=of("words")),
            "retry_budget": Field(
                "retry_budget", "Retries of a run", draft.retry_budget, placeholder="20", errors=of("retry_budget")
            ),
            "if_fails": Field("if_fails", "A run that fails", draft.if_fails, "select", choices=FAILS),
        }

    @property
    def general(self) -> list[str]:
        """Faults of no step and of no field."""
        known = {"name", "words", "retry_budget", "if_fails"}
        return [
            fault.message
            for fault in self.checked.faults
            if fault.path not in known and not fault.path.startswith(("steps[", "triggers["))
        ]

    @property
    def number(self) -> int:
        """The version that is being made."""
        if self.base is None or not self.base.versions:
            return 1
        return self.base.draft.number if self.base.draft else self.base.versions[0].number + 1

    @cached_property
    def circle(self) -> list[str]:
        """Workflows that would start each other, were this live."""
        made = self.checked.definition
        ends = [each["workflow"] for each in made.stored()["triggers"] if each["on"] == "run"] if made else []
        return circle(self.request.workspace.pk, made.name, ends) if made and ends else []

    @property
    def changes(self) -> list[Line]:
        """What differs from what is live."""
        made = self.checked.definition
        if made is None or self.base is None or self.base.live is None:
            return []
        return [line for line in difference(self.base.live.body, made.stored()) if line.sign]

    @property
    def conflict(self) -> list[Line]:
        made = self.checked.definition
        return difference(self.theirs.body, made.stored()) if self.theirs and made else []

    @cached_property
    def agents(self) -> list[str]:
        mine = Agent.objects.filter(workspace=self.request.workspace).order_by("name")
        return list(mine.values_list("name", flat=True).distinct()[:SUGGESTED])

    @property
    def classes(self) -> Mapping[str, str]:
        return CLASSES

    @property
    def address(self) -> str:
        if self.base is None:
            return reverse("dashboard:new_workflow")
        return reverse("dashboard:edit_workflow", args=[self.base.flow.slug])


@require_http_methods(["GET", "HEAD", "POST"])
@needs("admin")
def page(request: Here, slug: str) -> HttpResponse:
    base = declared_page(request, slug)
    if request.method == "POST":
        return posted(request, base)
    newest = base.newest
    if newest is None:
        return shown(EditorPage(request, base, blank(base.flow.name), opened=0, fresh=True))
    return shown(EditorPage(request, base, of_body(newest.body), seen_of(base)))


@require_http_methods(["GET", "HEAD", "POST"])
@needs("admin")
def new(request: Here) -> HttpResponse:
    if request.method == "POST":
        return posted(request, None)
    return shown(EditorPage(request, None, blank(), opened=0, fresh=True))


def blank(name: str = "") -> Draft:
    return Draft(name=name, steps=[StepDraft(id="step_1")])


def posted(request: Here, base: DeclaredPage | None) -> HttpResponse:
    """A button was pressed, or htmx asks how it stands now."""
    draft, do = of_post(request.POST), request.POST.get("do", "check")
    if base is not None:
        draft.name = base.flow.name
    editor = EditorPage(request, base, draft, request.POST.get("seen", ""))
    if do in ("save", "review"):
        return kept(editor, do)
    if do == "import":
        return imported(editor)
    before = len(draft.steps)
    act(draft, do)
    if len(draft.steps) > before:
        rest = do.partition("-")[2]
        editor.opened = int(rest) + 1 if rest.isdecimal() else len(draft.steps) - 1
    return shown(editor)


def kept(editor: EditorPage, do: str) -> HttpResponse:
    """Saved, or the page that says why not, with nothing lost. `review`: it is then looked at as a whole."""
    made = editor.checked.definition
    if made is None:
        return shown(editor, 422)
    try:
        version = store(editor, made)
    except declared.Changed:
        again = declared_page(editor.request, editor.base.flow.slug) if editor.base else None
        theirs = again.newest if again else None
        return shown(EditorPage(editor.request, again, editor.draft, seen_of(again), theirs=theirs), 409)
    except declared.NotNow as error:
        editor.refused = [str(error)]
        return shown(editor, 409)
    flow = flow_named(editor.request.workspace.pk, made.name)
    if do == "review":
        return HttpResponseRedirect(reverse("dashboard:workflow_version", args=[flow.slug, version.number]))
    messages.success(editor.request, f"Saved v{version.number} as a draft", extra_tags="ok")
    return HttpResponseRedirect(reverse("dashboard:edit_workflow", args=[flow.slug]))


def store(editor: EditorPage, made: Definition) -> DefinitionVersion:
    """Raises declared.NotNow and declared.Changed. A new one must not fall upon another's name."""
    request, seen = editor.request, editor.seen if editor.base else None
    if editor.base is None:
        base = declared_of(flow_named(request.workspace.pk, made.name))
        if base.versions and not (base.draft and base.draft.digest == declared.digest_of(made)):
            raise declared.NotNow(f"{made.name} is declared already. Edit it there, or choose another name.")
    elif seen and editor.base.draft is None:
        raise declared.Changed("The draft was published or discarded meanwhile.")
    by, reason = f"person:{request.user.get_username()}", request.POST.get("reason", "").replace("\0", "")
    version = declared.save(request.workspace.pk, made, by, reason=reason, seen=seen)
    signal(request.workspace.pk, "workflow")
    return version


def imported(editor: EditorPage) -> HttpResponse:
    """What a file or a text says stands in the form then; nothing is saved."""
    text = editor.request.POST.get("json", "")
    if (file := editor.request.FILES.get("file")) is not None and file.size is not None and file.size <= MOST_JSON:
        text = file.read().decode(errors="replace")
    try:
        if len(text) > MOST_JSON:
            raise ValueError(f"At most {MOST_JSON // 1000} KB.")
        body: Any = orjson.loads(text)
        if isinstance(body, dict) and editor.base is not None:
            body["name"] = editor.base.flow.name
        editor.draft = of_body(parse(body).stored())
    except BadDefinition as error:
        editor.refused = [f"{fault.path or 'The text'}: {fault.message}" for fault in error.faults]
        return shown(editor, 422)
    except ValueError as error:
        editor.refused = [f"This is no JSON: {error}"]
        return shown(editor, 422)
    return shown(editor)


def shown(editor: EditorPage, status: int = 200) -> HttpResponse:
    fragments = {target: f"dashboard/{name}.html" for target, name in FRAGMENTS.items()}
    context = {"page": editor, "oob": True}
    return render_page_or_fragment(editor.request, "dashboard/workflow_edit.html", fragments, context, status)


def seen_of(base: DeclaredPage | None) -> str:
    return base.draft.digest if base and base.draft else ""
