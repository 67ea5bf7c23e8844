"""What is said of a lease by whoever holds it: a sign of life, done, failed. Whoever lost it is told so (409), and what
has become of the step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec

from orchestration.api.parsed import checked
from orchestration.api.refusals import Refused, wrong
from orchestration.control import driving
from orchestration.workflows import leases
from orchestration.workflows.carried import TooMuch, carried
from orchestration.workflows.declared_models import Task
from orchestration.workflows.engine import Done, Failed
from orchestration.workflows.leases import LeaseId, NotThere
from orchestration.workspaces.keys import Bearer

MOST_EFFECTS = 20
TEXT_CHARS, ERROR_CHARS = 300, 4000
CLASS = r"^[a-z0-9][a-z0-9_.-]{0,59}$"

Text = Annotated[str, msgspec.Meta(max_length=TEXT_CHARS)]
Given = TypeVar("Given", bound=msgspec.Struct)


class Effect(msgspec.Struct):
    name: Text
    key: Text = ""
    data: dict[str, Any] | None = None


Effects = Annotated[list[Effect], msgspec.Meta(max_length=MOST_EFFECTS)]


class Nothing(msgspec.Struct):
    pass


class Complete(msgspec.Struct):
    result: dict[str, Any] = {}
    effects: Effects = []


class Fail(msgspec.Struct):
    error_class: Annotated[str, msgspec.Meta(pattern=CLASS)] = "error"
    error: Annotated[str, msgspec.Meta(max_length=ERROR_CHARS)] = ""
    effects: Effects = []


def decoded(body: bytes, kind: type[Given]) -> Given:
    """Raises Wrong."""
    try:
        given = msgspec.json.decode(body or b"{}", type=kind)
        checked(body)
        return given
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message, _, path = str(error).partition(" - at ")
        raise wrong(path.strip("`$.") or "body", message.replace("`", "")) from None


def said(bearer: Bearer, lease: str, word: str, body: bytes) -> Callable[[], dict[str, Any]]:
    """Does it, and answers what it came to. Raises Wrong and NotThere; what it gives raises NotYours and Refused."""
    found, act = LeaseId.read(lease), _WORDS.get(word)
    if found is None or act is None:
        raise NotThere
    do = act(bearer, found, body)

    def checked() -> dict[str, Any]:
        if bearer.agents:
            _may(bearer, found)
        return do()

    return checked


def _may(bearer: Bearer, lease: LeaseId) -> None:
    """A key that speaks for some agents answers for their leases alone. A step that an address was called for is held
    by no agent: whoever was told its lease may answer."""
    task = leases.find(bearer.workspace_id, lease)
    if task and task.holder and leases.held(task, lease) and not bearer.speaks_for(task.holder):
        raise Refused(403, "forbidden", "This key does not speak for the agent that holds this lease.")


def _heartbeat(bearer: Bearer, lease: LeaseId, body: bytes) -> Callable[[], dict[str, Any]]:
    decoded(body, Nothing)

    def do() -> dict[str, Any]:
        alive = leases.keep(bearer.workspace_id, lease)
        return {"expires_at": alive.expires_at, "stop": alive.stop}

    return do


def _complete(bearer: Bearer, lease: LeaseId, body: bytes) -> Callable[[], dict[str, Any]]:
    given = decoded(body, Complete)
    done = Done(_carried("result", given.result), _effects(given.effects), f"key:{bearer.key_id}")
    return lambda: _told(driving.complete(bearer.workspace_id, lease, done))


def _fail(bearer: Bearer, lease: LeaseId, body: bytes) -> Callable[[], dict[str, Any]]:
    given = decoded(body, Fail)
    words = str(_carried("error", given.error))
    failed = Failed(given.error_class, words, _effects(given.effects), f"key:{bearer.key_id}")
    return lambda: _told(driving.fail(bearer.workspace_id, lease, failed))


_WORDS: Mapping[str, Callable[[Bearer, LeaseId, bytes], Callable[[], dict[str, Any]]]] = {
    "heartbeat": _heartbeat,
    "complete": _complete,
    "fail": _fail,
}


def _effects(given: Sequence[Effect]) -> list[tuple[str, str, Any]]:
    found = []
    for place, each in enumerate(given):
        at = f"effects[{place}]"
        name, key = _carried(f"{at}.name", each.name), _carried(f"{at}.key", each.key)
        found.append((name, key, _carried(f"{at}.data", each.data or {})))
    return found


def _carried(field: str, value: Any) -> Any:
    try:
        return carried(value)
    except TooMuch as error:
        raise wrong(field, str(error)) from None


def _told(task: Task) -> dict[str, Any]:
    due_at = task.due_at if task.state == "ready" else None
    return {"run": task.run_id, "step": task.step, "state": task.state, "attempt": task.attempt, "due_at": due_at}
