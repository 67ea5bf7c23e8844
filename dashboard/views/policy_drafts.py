"""A policy's draft in its editor, whichever kind of policy it is: shown, changed, saved, replayed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse

from dashboard.policy_acts import act
from dashboard.policy_check import Check
from dashboard.policy_forms import FORM, Draft
from dashboard.policy_rows import RowField, row_fields
from dashboard.policy_words import Line
from dashboard.views.policy import PolicyPage, policy_page
from orchestration.control import replaying
from orchestration.lib.pulse import publish
from orchestration.policies import lifecycle
from orchestration.policies.models import PolicyVersion
from orchestration.policies.versions import BadBody, Wrong
from orchestration.workspaces.current import Here
from orchestration.workspaces.models import Membership

D = TypeVar("D", bound=Draft)
D_contra = TypeVar("D_contra", bound=Draft, contravariant=True)


class Shown(Protocol[D_contra]):
    """The editor with what stands in it. `theirs`: what somebody else has saved meanwhile."""

    def __call__(
        self,
        request: Here,
        base: PolicyPage,
        draft: D_contra,
        seen: str,
        *,
        status: int = 200,
        theirs: PolicyVersion | None = None,
    ) -> HttpResponse: ...


@dataclass(frozen=True, slots=True)
class Editor(Generic[D]):
    """What an editor of one kind brings. `known`: the fields that agents have sent to a workspace. `unknown`: what is
    wrong with a body there, though it is a good one."""

    of_body: Callable[[Mapping[str, Any]], D]
    of_post: Callable[[QueryDict], D]
    known: Callable[[int], tuple[str, ...]]
    shown: Shown[D]
    unknown: Callable[[int, Mapping[str, Any]], Sequence[Wrong]] = lambda _, body: ()


@dataclass
class Editing(ABC, Generic[D]):
    """The page of an editor with what stands in it. `seen`: the draft that was read before it was changed."""

    request: Here
    base: PolicyPage
    draft: D
    seen: str
    theirs: PolicyVersion | None = None

    @property
    def number(self) -> int:
        """The version that is being made."""
        return self.base.draft.number if self.base.draft else self.base.versions[0].number + 1

    @property
    @abstractmethod
    def checked(self) -> Check:
        """What is said of what stands in the editor."""

    @abstractmethod
    def difference(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Line]:
        """Of two bodies of this kind, as lines."""

    @property
    def as_form(self) -> bool:
        return self.draft.shape == FORM

    @cached_property
    def groups(self) -> list[list[RowField]]:
        return row_fields(self.draft.rows, self.checked.row_faults)

    @property
    def limits(self) -> list[tuple[str, str]]:
        return [*self.draft.limits, ("", "")]

    @property
    def conflict(self) -> list[Line]:
        """What they saved against what stands here."""
        body = self.checked.body
        return self.difference(self.theirs.body, body) if self.theirs and body else []

    @cached_property
    def other_admins(self) -> int:
        members = Membership.objects.filter(workspace=self.request.workspace, roles__contains=["admin"])
        return members.exclude(user=self.request.user).count()


def answered(request: Here, base: PolicyPage, editor: Editor[D]) -> HttpResponse:
    """To whatever a browser asks of an editor."""
    do = request.POST.get("do", "show")
    if do in ("save", "replay"):
        return _kept(request, base, editor, do)
    if request.method == "POST":
        draft = editor.of_post(request.POST)
        act(draft, do, request.workspace.pk)
        return editor.shown(request, base, draft, request.POST.get("seen", ""))
    newest = base.draft or base.trying or base.version
    return editor.shown(request, base, editor.of_body(newest.body), _seen_of(base))


def stored(request: Here, base: PolicyPage, editor: Editor[D]) -> PolicyVersion | HttpResponse:
    """The draft as it was sent, saved; or the page that says why not, with nothing lost."""
    draft, seen = editor.of_post(request.POST), request.POST.get("seen", "")
    try:
        body = draft.body(editor.known(request.workspace.pk))
        if wrong := editor.unknown(request.workspace.pk, body):
            raise BadBody(*wrong)
        if seen and base.draft is None:
            raise lifecycle.Changed("The draft was published or discarded meanwhile.")
        version = lifecycle.save_draft(base.policy.pk, request.user, body, seen=seen)
    except BadBody:
        return editor.shown(request, base, draft, seen, status=422)
    except lifecycle.Changed:
        again = policy_page(request, base.policy.slug)
        theirs = again.draft or again.version
        return editor.shown(request, again, draft, _seen_of(again), status=409, theirs=theirs)
    publish(request.workspace.pk, "policy")
    return version


def _kept(request: Here, base: PolicyPage, editor: Editor[D], do: str) -> HttpResponse:
    """Save, and replay what was saved where that was asked for."""
    version = stored(request, base, editor)
    if isinstance(version, HttpResponse):
        return version
    if do == "replay":
        replaying.start(request.workspace, version, request.user)
    return HttpResponseRedirect(reverse("dashboard:edit_policy", args=[base.policy.slug]))


def _seen_of(base: PolicyPage) -> str:
    return base.draft.digest if base.draft else ""
