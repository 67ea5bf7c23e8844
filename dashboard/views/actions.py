"""`/actions/`: what Baton did, why, and with what effect; what waits for a person; what it may do unasked."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from dashboard import action_words as words
from dashboard import signal_page
from dashboard.action_forms import LimitsForm
from dashboard.actors import keys_among
from dashboard.finding import Finding
from dashboard.ledger_acts import act_of
from dashboard.narrowing import Chip, Pages, address_of, chips, kept, terms, text_of
from orchestration.autonomy import again, limits, lists, ordering
from orchestration.autonomy.limits import Allowed
from orchestration.autonomy.lists import Asked, Progress
from orchestration.autonomy.models import Action, Episode, Kind, Order, State, Target
from orchestration.ledger import reading
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.lib.paging import BadCursor
from orchestration.lib.templatetags.baton import plural
from orchestration.registry.models import Agent
from orchestration.workflows.models import Workflow
from orchestration.workspaces.current import MEMBER, Here, needs, nothing_here

LIMIT = 50
FIELDS = ("state", "kind", "cause", "rule")
STATES = (("", "Any state"), ("attention", "Waits for somebody"), ("open", "Under way"), *State.choices)


@dataclass(frozen=True, slots=True)
class Row:
    """An action as the list and its own page say it."""

    action: Action
    did: str
    state: str
    tone: str
    why: str
    who: str
    effect: str
    took: str
    came: str  # the figure that it was ordered for, then and now
    cause_href: str  # of the rule that acted, or of the run in which something was found
    href: str  # of its target
    undoable: bool
    undo: str  # the word on the button

    @property
    def waits(self) -> bool:
        return self.action.state == State.PROPOSED

    @property
    def stuck(self) -> bool:
        return self.action.state in again.STUCK


@dataclass(frozen=True, slots=True)
class OrderPart:
    order: Order
    at: Progress
    finding: Finding


@dataclass(frozen=True, slots=True)
class ActionsPage:
    rows: list[Row]
    finding: Finding
    chips: list[Chip]
    pages: Pages
    state: str
    kind: str
    q: str
    narrowed: bool
    stuck: int  # of all that the filter finds, those that may be tried again
    order: OrderPart | None
    allowed: Allowed


@require_safe
@needs(MEMBER)
def listing(request: Here) -> HttpResponse:
    return listed(request)


def listed(request: Here, form: LimitsForm | None = None, status: int = 200) -> HttpResponse:
    page = actions_page(request)
    context = {
        "page": page,
        "states": STATES,
        "kinds": [("", "Any act"), *Kind.choices],
        "form": form or LimitsForm.of(page.allowed),
        "kept": kept(request, ("target", "order", "rule", "cause")),
        "once": secrets.token_urlsafe(16),
    }
    regions = {"acts": "dashboard/_actions_rows.html"}
    return render_page_or_fragment(request, "dashboard/actions.html", regions, context, status=status)


@require_safe
@needs(MEMBER)
def detail(request: Here, action_id: UUID) -> HttpResponse:
    action = action_of(request, action_id)
    asked = reading.Asked(q=str(action.pk))
    context = {
        "row": rows(request, [action])[0],
        "steps": [(line, act_of(line.kind)) for line in reading.entries(request.workspace.pk, asked, LIMIT).items],
        "taken_back": Action.objects.filter(undoes=action).exclude(state=State.DECLINED).first(),
        "once": secrets.token_urlsafe(16),
    }
    regions = {"act": "dashboard/_action_head.html"}
    return render_page_or_fragment(request, "dashboard/action.html", regions, context)


def action_of(request: Here, action_id: UUID) -> Action:
    found = Action.objects.select_related("order", "undoes").filter(workspace=request.workspace, pk=action_id).first()
    if found is None:
        raise nothing_here(request, Action.objects.filter(pk=action_id))
    return found


def actions_page(request: Here) -> ActionsPage:
    asked, narrowed = ask(request)
    try:
        page = lists.listing(request.workspace.pk, asked, LIMIT, request.GET.get("cursor") or None)
    except BadCursor as error:
        raise BadRequest("The cursor is not one that this list gave out.") from error
    order = order_of(request, asked)
    latest = Action.objects.filter(workspace=request.workspace).order_by("-created_at", "-id").first()
    states = lists.states(request.workspace.pk)
    older = address_of(request, cursor=page.next) if page.next else ""
    newest = address_of(request) if request.GET.get("cursor") else ""
    return ActionsPage(
        rows=rows(request, page.items),
        finding=order.finding if order else words.finding(states, latest),
        chips=chips(request, [("target", "Of"), ("order", "Order"), ("rule", "Rule"), ("cause", "Cause")]),
        pages=Pages(plural(len(page.items), "act,acts") if page.items else "", newest, older),
        state=asked.state,
        kind=asked.kind,
        q=text_of(request, "q"),
        narrowed=narrowed,
        stuck=again.stuck(lists.narrowed(request.workspace.pk, asked)).count(),
        order=order,
        allowed=limits.allowed(request.workspace.pk),
    )


def ask(request: Here) -> tuple[Asked, bool]:
    said, fields = terms(text_of(request, "q"), FIELDS)
    given = {field: fields.get(field, "") or text_of(request, field) for field in FIELDS}
    asked = Asked(said, given["state"], given["kind"], text_of(request, "target"), text_of(request, "order"))
    asked = replace(asked, cause=given["cause"], rule=fields.get("rule", "") or text_of(request, "rule"))
    return asked, asked != Asked()


def order_of(request: Here, asked: Asked) -> OrderPart | None:
    found = Order.objects.filter(workspace=request.workspace, pk=_uuid(asked.order)).first() if asked.order else None
    if found is None:
        return None
    at = lists.progress(found)
    return OrderPart(found, at, words.order_finding(found, at.ended, at.changed))


def rows(request: Here, actions: Sequence[Action]) -> list[Row]:
    slugs, undoable = slugs_of(request, actions), ordering.undoable_of(actions)
    episodes = signal_page.episodes_of(request.workspace.pk, actions)
    keys = keys_among(request.workspace.pk, [action.by for action in actions])
    return [
        row(action, slugs, words.who(action, keys), action.pk in undoable, episodes.get(action.pk))
        for action in actions
    ]


def row(action: Action, slugs: dict[tuple[str, str], str], who: str, undoable: bool, episode: Episode | None) -> Row:
    inverse = ordering.INVERSE.get(action.kind)
    return Row(
        action,
        words.did(action),
        words.state_words(action),
        words.tone(action),
        words.why(action),
        who,
        words.effect(action),
        words.took(action),
        words.came(*signal_page.came_of(episode)) if episode else "",
        words.cause_href(action),
        words.target_href(action, slugs),
        undoable,
        inverse.label if inverse else "",
    )


def slugs_of(request: Here, actions: Sequence[Action]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for kind, model in ((Target.AGENT, Agent), (Target.WORKFLOW, Workflow)):
        ids = {int(each.target) for each in actions if each.target_kind == kind}
        named = model.objects.filter(workspace=request.workspace, pk__in=ids)
        found |= {(kind.value, str(pk)): slug for pk, slug in named.values_list("pk", "slug")}
    return found


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)
