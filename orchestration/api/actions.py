"""What Baton does, ordered by a key with scope admin: one act, or the same for all that a filter finds; how far it is,
what came of each, and taking it back."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import Http404
from ninja import Field, Query, Router, Schema
from pydantic import ConfigDict

from orchestration.api.auth import KeyAuth
from orchestration.api.refusals import Refused as Problem
from orchestration.api.shapes import Asked, Instant, PageIn, Text
from orchestration.autonomy import again, aims, lists, ordering, verifying
from orchestration.autonomy.models import Action, Kind, Order, Target
from orchestration.autonomy.ordering import KeyUsed, Refused, Wish
from orchestration.control import choosing
from orchestration.lib.paging import Page

router = Router(auth=KeyAuth("read"), tags=["Actions"])
KindName = Literal[
    "quarantine",
    "release",
    "pause",
    "resume",
    "cancel",
    "reopen",
    "retry",
    "compensate",
    "notify",
    "verify",
    "reroute",
    "restore",
    "supervise",
    "trust",
]
TargetName = Literal["agent", "workflow", "run", "decision", "message", "workspace"]
TOO_LATE: dict[str, Any] = {"responses": {"409": {"description": "It has gone on meanwhile"}}}
StateName = Literal["proposed", "queued", "running", "done", "failed", "dead", "undone", "declined"]


class TargetIn(Schema):
    kind: TargetName
    id: Text = Field("", description="A run by id, trace id or your own text; an agent or workflow by slug or name")


class FilterIn(Schema):
    """The filters of the list of that kind of thing; what is left out narrows nothing, so a name that is none is
    refused."""

    model_config = ConfigDict(extra="forbid")

    q: Text = ""
    state: Text = Field("", description="Of agents")
    application: Text = Field("", description="Of agents")
    status: Text = Field("", description="Of runs; in_progress is running and waiting")
    workflow: Text = Field("", description="Of runs")
    agent: Text = Field("", description="Of runs")
    conversation: Text = Field("", description="Of runs")
    trace: Text = Field("", description="Of runs: a trace id or the beginning of one")
    since: Instant | None = Field(None, description="Of runs: started then or later")
    until: Instant | None = Field(None, description="Of runs: started before")


class ActionIn(Schema):
    """Of one `target`, or of all that `filter` finds of its kind."""

    kind: KindName
    target: TargetIn
    filter: FilterIn | None = Field(None, description="Then `target` names the kind alone")
    reason: Text = Field("", description="Needed to quarantine, cancel and compensate")
    minutes: int | None = Field(None, ge=1, le=ordering.MOST_MINUTES, description="How long it lasts; null: for good")
    about: dict[str, Any] = Field(
        {}, description="What an agent needs to know that is asked; of reroute: to, system, task"
    )
    key: Text = Field("", description="As the header Idempotency-Key: the same key is the same act")


class TargetOut(Schema):
    kind: TargetName
    id: str
    name: str


class ActionOut(Schema):
    id: UUID
    kind: KindName
    target: TargetOut
    state: StateName = Field(description="dead: given up, and waits for somebody to look")
    cause: Literal["person", "rule", "finding"]
    cause_id: str
    by: str
    reason: str
    minutes: int | None
    attempts: int
    due_at: datetime | None = Field(description="Of one that is tried again")
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    result: dict[str, Any] = Field(description="`changed` false: it was so before")
    error: str
    undoable: bool
    undoes: UUID | None
    order: UUID | None


class ActionsOut(Schema):
    items: list[ActionOut]
    next: str | None


class OrderOut(Schema):
    """The same for many: how far it is. What came of each is `/actions?order=`."""

    id: UUID
    kind: KindName
    target_kind: TargetName | Literal["action"] = Field(description="action: acts that are tried again")
    total: int
    ended: int
    changed: int = Field(description="Of those that are done, the ones for which something is otherwise now")
    states: dict[str, int]
    by: str
    reason: str
    created_at: datetime
    done: bool


class OrderedOut(Schema):
    """One of the two, as it was asked for."""

    action: ActionOut | None = None
    order: OrderOut | None = None


class ActionsIn(PageIn):
    state: StateName | Literal["", "open", "attention"] = ""
    kind: KindName | Literal[""] = ""
    target: Text = Field("", description="Its kind and id, as in agent:17")
    order: UUID | None = None
    cause: Literal["", "person", "rule", "finding"] = ""
    rule: Text = Field("", description="The slug of the policy that acted")


class AgainIn(Schema):
    """The filters of the list of actions; of what they find, all that failed or was given up."""

    q: Text = ""
    state: Literal["", "failed", "dead"] = ""
    kind: KindName | Literal[""] = ""
    target: Text = ""
    order: UUID | None = None
    cause: Literal["", "person", "rule", "finding"] = ""
    rule: Text = ""
    key: Text = Field("", description="As the header Idempotency-Key: the same key is the same order")


class ReasonIn(Schema):
    reason: Text = ""


class AnswerIn(Schema):
    answer: Literal["approve", "reject"] = Field(description="Whether what was to be checked is as it should be")
    note: Text = ""


@router.post("/actions", response=OrderedOut, auth=KeyAuth("admin"), summary="Have Baton do something")
def post_action(request: Asked, wanted: ActionIn) -> dict[str, Any]:
    """Answered once it is safe on disk; it is done within a second or so. The answer to the same key is the same act,
    as it stands by then."""
    wish = _wish(request, wanted)
    workspace_id, kind = request.auth.workspace_id, Target(wanted.target.kind)
    if wanted.filter is None:
        target = aims.aim(workspace_id, kind, wanted.target.id)
        if target is None:
            raise Http404(f"There is no such {kind.label.lower()} in this workspace, or several are called so.")
        return {"action": told(_ordered(lambda: ordering.order(workspace_id, wish, target)))}
    given = wanted.filter.dict().items()
    narrowed = {name: each.isoformat() if isinstance(each, datetime) else each for name, each in given if each}
    before = Order.objects.filter(workspace_id=workspace_id, key=wish.key).first()
    found = [] if before else _ordered(lambda: choosing.chosen(workspace_id, kind, narrowed))
    made = before or _ordered(lambda: ordering.order_all(workspace_id, wish, found, narrowed))
    return {"order": told_order(made)}


@router.get("/actions", response=ActionsOut, summary="What Baton did, newest first")
def list_actions(request: Asked, wanted: Query[ActionsIn]) -> Page[dict[str, Any]]:
    found = lists.listing(
        request.auth.workspace_id,
        lists.Asked(
            wanted.q,
            wanted.state,
            wanted.kind,
            wanted.target,
            str(wanted.order or ""),
            wanted.cause,
            wanted.rule,
        ),
        wanted.limit,
        wanted.cursor or None,
    )
    undoable = ordering.undoable_of(found.items)
    return Page([told(action, action.pk in undoable) for action in found.items], found.next)


@router.get("/actions/orders", response=list[OrderOut], summary="The latest orders for many")
def list_orders(request: Asked) -> list[dict[str, Any]]:
    rows = Order.objects.filter(workspace_id=request.auth.workspace_id).order_by("-created_at")
    return [told_order(row) for row in rows[:50]]


@router.get("/actions/orders/{order_id}", response=OrderOut, summary="How far an order for many is")
def get_order(request: Asked, order_id: UUID) -> dict[str, Any]:
    found = Order.objects.filter(workspace_id=request.auth.workspace_id, pk=order_id).first()
    if found is None:
        raise Http404("There is no such order in this workspace.")
    return told_order(found)


@router.post(
    "/actions/retry", response=OrderOut, auth=KeyAuth("admin"), summary="Try again now all that failed of a filter"
)
def retry_all(request: Asked, wanted: AgainIn) -> dict[str, Any]:
    """One order; what came of each is `/actions?order=`."""
    narrowed = {name: str(value) for name, value in wanted.dict(exclude={"key"}).items() if value}
    found = lists.narrowed(request.auth.workspace_id, lists.Asked(**narrowed))
    by, key = _actor(request), _once(request, wanted.key)
    return told_order(_ordered(lambda: again.retry_all(request.auth.workspace_id, found, by, key, narrowed)))


@router.get("/actions/{action_id}", response=ActionOut, summary="One action")
def get_action(request: Asked, action_id: UUID) -> dict[str, Any]:
    return told(_action(request, action_id))


@router.post(
    "/actions/{action_id}/undo",
    response=ActionOut,
    auth=KeyAuth("admin"),
    summary="Take it back",
    openapi_extra=TOO_LATE,
)
def undo(request: Asked, action_id: UUID, wanted: ReasonIn) -> dict[str, Any]:
    action = _action(request, action_id)
    kind = ordering.INVERSE.get(action.kind)
    if kind is None:
        raise Problem(409, "conflict", "This cannot be taken back.")
    before = Action.objects.filter(workspace_id=action.workspace_id, key=f"undo:{action.pk}").first()
    wish = Wish(kind, _actor(request), f"undo:{action.pk}", wanted.reason or "Taken back", cause_id=str(action.pk))
    return told(before or _ordered(lambda: ordering.undo(action, wish), 409))


@router.post(
    "/actions/{action_id}/approve",
    response=ActionOut,
    auth=KeyAuth("admin"),
    summary="Do what was proposed",
    openapi_extra=TOO_LATE,
)
def approve(request: Asked, action_id: UUID) -> dict[str, Any]:
    return _turned(request, action_id, lambda action: ordering.approve(action, _actor(request)))


@router.post(
    "/actions/{action_id}/decline",
    response=ActionOut,
    auth=KeyAuth("admin"),
    summary="Leave it as it is",
    openapi_extra=TOO_LATE,
)
def decline(request: Asked, action_id: UUID, wanted: ReasonIn) -> dict[str, Any]:
    return _turned(request, action_id, lambda action: ordering.decline(action, _actor(request), wanted.reason))


@router.post(
    "/actions/{action_id}/retry",
    response=ActionOut,
    auth=KeyAuth("admin"),
    summary="Try it again now",
    openapi_extra=TOO_LATE,
)
def retry(request: Asked, action_id: UUID) -> dict[str, Any]:
    return _turned(request, action_id, lambda action: again.retry(action, _actor(request)))


@router.post(
    "/actions/{action_id}/answer",
    response=ActionOut,
    auth=KeyAuth("decide"),
    summary="Answer a check that an agent was asked for",
    openapi_extra=TOO_LATE,
)
def answer(request: Asked, action_id: UUID, wanted: AnswerIn) -> dict[str, Any]:
    """By the agent that was asked; a key that vouches for other agents alone is refused. The first answer stands."""
    action = _action(request, action_id)
    if request.auth.bearer and not request.auth.bearer.speaks_for(verifying.by_whom(action)):
        raise Problem(403, "forbidden", "This key does not vouch for the agent that was asked.")
    if not verifying.answer(action, wanted.answer, wanted.note, _actor(request)):
        raise Problem(409, "conflict", "Nobody waits for this answer.")
    action.refresh_from_db()
    return told(action)


def told(action: Action, undoable: bool | None = None) -> dict[str, Any]:
    names = ("kind", "state", "cause", "cause_id", "by", "reason", "minutes", "attempts", "created_at", "started_at")
    return {
        "id": action.pk,
        **{name: getattr(action, name) for name in (*names, "ended_at", "result", "error")},
        "target": {"kind": action.target_kind, "id": action.target, "name": action.name},
        "due_at": action.due_at if action.state == "failed" else None,
        "undoable": ordering.undoable(action) if undoable is None else undoable,
        "undoes": action.undoes_id,
        "order": action.order_id,
    }


def told_order(order: Order) -> dict[str, Any]:
    names = ("kind", "target_kind", "total", "by", "reason", "created_at")
    at = lists.progress(order)
    return {name: getattr(order, name) for name in names} | {
        "id": order.pk,
        "ended": at.ended,
        "changed": at.changed,
        "states": at.states,
        "done": at.ended >= order.total,
    }


def _wish(request: Asked, wanted: ActionIn) -> Wish:
    about = {"about": wanted.about} if wanted.about else {}
    key = _once(request, wanted.key)
    return Wish(Kind(wanted.kind), _actor(request), key, wanted.reason, wanted.minutes, told=about)


def _once(request: Asked, key: str) -> str:
    """A key of the caller's is his own; without one each call is a new act."""
    given = request.headers.get("Idempotency-Key", "") or key
    own = hashlib.sha256(given.encode("utf-8", "replace")).hexdigest() if given else secrets.token_hex(16)
    return f"{_actor(request)}:{own}"


def _actor(request: Asked) -> str:
    return f"key:{request.auth.bearer.key_id}" if request.auth.bearer else ""


def _action(request: Asked, action_id: UUID) -> Action:
    found = Action.objects.filter(workspace_id=request.auth.workspace_id, pk=action_id).first()
    if found is None:
        raise Http404("There is no such action in this workspace.")
    return found


def _turned(request: Asked, action_id: UUID, turn: Callable[[Action], bool]) -> dict[str, Any]:
    action = _action(request, action_id)
    if not turn(action):
        action.refresh_from_db()
        raise Problem(409, "conflict", f"It is {action.get_state_display().lower()} by now.")
    return told(action)


def _ordered(go: Callable[[], Any], status: int = 422) -> Any:
    try:
        return go()
    except KeyUsed as error:
        raise Problem(422, "invalid", str(error)) from error
    except Refused as error:
        raise Problem(status, "invalid", str(error)) from error
