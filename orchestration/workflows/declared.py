"""Declared workflows and their versions: draft, live, retired. Each change is one transaction with its ledger entry;
the definition's row is locked first, so that two who press at once are told apart. What is live stands for good."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from orchestration.ledger import entries
from orchestration.lib.canonical import canonical
from orchestration.workflows import arming
from orchestration.workflows.declared_models import (
    DefinitionState,
    DefinitionVersion,
    Origin,
    WorkflowDefinition,
)
from orchestration.workflows.definition import Definition, parse

MOST = 500  # definitions of a workspace
REASON_CHARS = 400
PROPOSED = ["proposed_by", "proposed_for", "proposed_reason"]


class NotNow(ValueError):
    """The step cannot be taken; the text says why."""


class Changed(NotNow):
    """Somebody else was first."""


def save(
    workspace_id: int,
    wanted: Definition,
    by: str,
    *,
    origin: Origin = Origin.WRITTEN,
    reason: str = "",
    seen: str | None = None,
) -> DefinitionVersion:
    """The draft of the workflow of that name, made or rewritten. `seen`: digest of the draft that was edited; another
    one now means that somebody else has saved (Changed). Raises NotNow."""
    body, digest = wanted.stored(), digest_of(wanted)
    with transaction.atomic():
        known = WorkflowDefinition.objects.filter(workspace_id=workspace_id)
        if not known.filter(name=wanted.name).exists() and known.count() >= MOST:
            raise NotNow(f"A workspace has at most {MOST} declared workflows.")
        made, _ = WorkflowDefinition.objects.get_or_create(workspace_id=workspace_id, name=wanted.name)
        locked = _lock(made.pk)
        draft = locked.versions.filter(state=DefinitionState.DRAFT).first()
        told = {"author": by[:200], "reason": reason.strip()[:REASON_CHARS], "origin": origin}
        if draft is None:
            number = (locked.versions.aggregate(n=Max("number"))["n"] or 0) + 1
            draft = locked.versions.create(workspace_id=workspace_id, number=number, body=body, digest=digest, **told)
            _note(draft, locked.name, "drafted", by)
            return draft
        if seen is not None and seen not in (draft.digest, digest):
            raise Changed(f"Version {draft.number} was saved by {draft.author} meanwhile.")
        if draft.digest != digest:
            draft.body, draft.digest, draft.created_at = body, digest, timezone.now()
            _settled(draft)  # whoever asked for it did not see this
            for name, value in told.items():
                setattr(draft, name, value)
            draft.save(update_fields=["body", "digest", "created_at", *told])
            _note(draft, locked.name, "drafted", by)
    return draft


def publish(version_id: UUID, by: str, reason: str, *, two: bool = False) -> DefinitionVersion:
    """A draft goes live, and what was live before it is retired: runs that have begun keep it. A retired one may go
    live again. What is live already stays so. `two`: it takes another person than who asked first; until then nothing
    changes but `proposed_by`. Raises NotNow."""
    with transaction.atomic():
        version = _locked(version_id)
        if version.state == DefinitionState.LIVE or (two and not _agreed(version, DefinitionState.LIVE, by, reason)):
            return version
        now = timezone.now()
        before = DefinitionVersion.objects.filter(definition_id=version.definition_id, state=DefinitionState.LIVE)
        before.update(state=DefinitionState.RETIRED, retired_at=now)
        version.state, version.live_at, version.retired_at = DefinitionState.LIVE, now, None
        asked_by = _settled(version)
        version.save(update_fields=["state", "live_at", "retired_at"])
        arming.arm(version.definition, parse(version.body))
        _note(version, version.definition.name, "published", by, reason, asked_by)
    return version


def retire(version_id: UUID, by: str, reason: str, *, two: bool = False) -> DefinitionVersion:
    """No run begins by it any more. `two`: as with `publish`. Raises NotNow for a draft."""
    with transaction.atomic():
        version = _locked(version_id)
        if version.state == DefinitionState.DRAFT:
            raise NotNow("A draft is not live; discard it instead.")
        if two and version.state == DefinitionState.LIVE and not _agreed(version, DefinitionState.RETIRED, by, reason):
            return version
        if version.state == DefinitionState.LIVE:
            asked_by = _settled(version)
            version.state, version.retired_at = DefinitionState.RETIRED, timezone.now()
            version.save(update_fields=["state", "retired_at"])
            arming.disarm(version.definition)
            _note(version, version.definition.name, "retired", by, reason, asked_by)
    return version


def withdraw(version_id: UUID, by: str) -> DefinitionVersion:
    """What was asked of a second person is asked no more: taken back, or turned down. Raises NotNow."""
    with transaction.atomic():
        version = _locked(version_id)
        if version.proposed_by:
            _note(version, version.definition.name, "withdrawn", by, asked_by=version.proposed_by)
            _settled(version)
    return version


def discard(version_id: UUID, by: str) -> None:
    """A draft is thrown away. Raises NotNow for what has been live."""
    with transaction.atomic():
        version = _locked(version_id)
        if version.state != DefinitionState.DRAFT:
            raise NotNow("Only a draft can be thrown away.")
        _note(version, version.definition.name, "discarded", by)
        version.delete()


def live(workspace_id: int, name: str) -> DefinitionVersion | None:
    """What runs of that name are started by now."""
    found = DefinitionVersion.objects.filter(
        workspace_id=workspace_id, definition__name=name, state=DefinitionState.LIVE
    )
    return found.first()


@lru_cache(maxsize=512)
def plan_of(workspace_id: int, version_id: UUID) -> Definition:
    """What a version says that was live once: such a one never changes."""
    row = DefinitionVersion.objects.get(workspace_id=workspace_id, pk=version_id)
    return parse(row.body)


def digest_of(wanted: Definition) -> str:
    return hashlib.sha256(canonical(wanted.stored())).hexdigest()


def _agreed(version: DefinitionVersion, wish: str, by: str, reason: str) -> bool:
    """Whether a person may do now what another has asked for. Keys only ask: two of them may be one person's."""
    if version.proposed_for == wish and version.proposed_by:
        return version.proposed_by != by and by.startswith("person:")
    version.proposed_by, version.proposed_for, version.proposed_reason = by[:200], wish, reason.strip()[:REASON_CHARS]
    version.save(update_fields=PROPOSED)
    _note(version, version.definition.name, "proposed", by, reason)
    return False


def _settled(version: DefinitionVersion) -> str:
    """Who had asked for it."""
    by = version.proposed_by
    if by:
        version.proposed_by = version.proposed_for = version.proposed_reason = ""
        version.save(update_fields=PROPOSED)
    return by


def _lock(definition_id: UUID) -> WorkflowDefinition:
    return WorkflowDefinition.objects.select_for_update().get(pk=definition_id)


def _locked(version_id: UUID) -> DefinitionVersion:
    found = DefinitionVersion.objects.filter(pk=version_id).values_list("definition_id", flat=True).first()
    if found is None:
        raise NotNow("There is no such version any more.")
    _lock(found)
    version = DefinitionVersion.objects.select_related("definition").filter(pk=version_id).first()
    if version is None:
        raise NotNow("There is no such version any more.")
    return version


def _note(version: DefinitionVersion, name: str, step: str, by: str, reason: str = "", asked_by: str = "") -> None:
    """`step`: drafted | proposed | withdrawn | published | retired | discarded."""
    told: dict[str, Any] = {"name": name, "version": version.number, "sha256": version.digest}
    told |= {"origin": str(version.origin), "reason": reason.strip()[:REASON_CHARS]}
    told |= {"asked_by": asked_by} if asked_by else {}
    subject = ("workflow_version", str(version.pk))
    entries.record(version.workspace_id, f"workflow.{step}", subject, by, told, timezone.now())
