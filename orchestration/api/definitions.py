"""Declared workflows, sent as JSON: checked whole, guards too, before anything is stored; then a draft, or put live. On
the router of runs and workflows, as `starts` is."""

from __future__ import annotations

from typing import Any, Literal

from ninja import Field, Schema

from orchestration.api.auth import KeyAuth
from orchestration.api.refusals import Refused, wrong
from orchestration.api.shapes import Asked, Text
from orchestration.api.starts import actor, router
from orchestration.control import declaring
from orchestration.handoffs.given import Fault, Wrong
from orchestration.workflows import declared
from orchestration.workflows.definition import BadDefinition

__all__ = ["router"]

REFUSED: dict[str, Any] = {"responses": {"409": {"description": "It cannot be done now; `detail` says why"}}}


class DefinitionIn(Schema):
    definition: dict[str, Any] = Field(description="As the page of a version gives it out")
    reason: Text = Field("", description="Why it changes; needed to put it live")
    publish: bool = False


class SavedOut(Schema):
    """`waits`: it is put live once an admin has published it too, where the workspace wants two people."""

    workflow: str
    slug: str
    version: int
    state: Literal["draft", "live", "retired"]
    sha256: str
    waits: bool


@router.post(
    "/workflows", response=SavedOut, auth=KeyAuth("admin"), summary="Write a declared workflow", openapi_extra=REFUSED
)
def save_definition(request: Asked, wanted: DefinitionIn) -> dict[str, Any]:
    """It takes the place of the draft of that name. Each fault is told by its field, such as
    `definition.steps[2].guard`; nothing is stored then. What is live already is not written anew."""
    place, by, reason = request.auth.workspace_id, actor(request), wanted.reason.replace("\0", "").strip()
    try:
        made = declaring.checked(wanted.definition)
    except BadDefinition as error:
        faults = [Fault(f"definition.{each.path}".rstrip("."), "invalid", each.message) for each in error.faults]
        raise Wrong(faults) from error
    if wanted.publish and not reason:
        raise wrong("reason", "Say why: it stays in the history.")
    try:
        version = declared.live(place, made.name)
        if version is None or version.digest != declared.digest_of(made):
            version = declared.save(place, made, by, reason=reason)
            version = declaring.publish(version, by, reason) if wanted.publish else version
    except declared.NotNow as error:
        raise Refused(409, "conflict", str(error)) from error
    flow = declaring.flow_named(place, made.name)
    told = {"workflow": made.name, "slug": flow.slug, "version": version.number, "state": version.state}
    return told | {"sha256": version.digest, "waits": bool(version.proposed_by)}
