"""Acts of admins on people and machines, each with its ledger entry in the same transaction: keys, members and their
invitations, webhooks, the second step of logging in.

The rooms below keep no record, since the ledger stands above them; so pages and commands call these and not those.
No entry holds a secret: neither a key nor its beginning, neither a link nor the path of a webhook, which may be one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from orchestration.ledger import entries
from orchestration.ledger.models import Entry
from orchestration.outbox import endpoints
from orchestration.outbox.models import Endpoint
from orchestration.registry.models import Agent
from orchestration.workspaces import invitations, keys, members, second_step
from orchestration.workspaces.invitations import Offer
from orchestration.workspaces.keys import Limit
from orchestration.workspaces.models import ApiKey, Invitation, Membership, User, Workspace

BY_COMMAND = "baton:command"  # who can run commands on the machine itself


def note(workspace_id: int, kind: str, subject: tuple[str, str], by: User | None, told: Mapping[str, Any]) -> None:
    actor = f"person:{by.get_username()}" if by else BY_COMMAND
    entries.record(workspace_id, kind, subject, actor, told, timezone.now())


# ---- keys


@transaction.atomic
def create_key(
    workspace: Workspace,
    name: str,
    scopes: Iterable[str],
    agents: Iterable[str] = (),
    by: User | None = None,
    *,
    once: str = "",
) -> tuple[ApiKey, str]:
    """Raises KeyRefused, and MadeBefore for a form that is sent twice."""
    key, plain = keys.create_key(workspace, name, scopes, agents, by, once=once)
    _note_key("key.created", key, by, {"scopes": key.scopes, "agents": key.agents})
    return key, plain


@transaction.atomic
def rotate_key(key: ApiKey, by: User, *, overlap: timedelta | None, once: str = "") -> tuple[ApiKey, str]:
    new, plain = keys.rotate(key, by, overlap=overlap, once=once)
    works = "until it is revoked" if overlap is None else f"{overlap // timedelta(hours=1)} hours"
    _note_key("key.rotated", new, by, {"instead_of": key.pk, "old_works": works})
    return new, plain


@transaction.atomic
def revoke_key(key: ApiKey, by: User) -> bool:
    """False when it already was."""
    done = keys.revoke(key)
    if done:
        _note_key("key.revoked", key, by, {})
    return done


@transaction.atomic
def limit_key(key: ApiKey, wanted: Limit, by: User) -> None:
    keys.limit(key, wanted)
    _note_key("key.limited", key, by, asdict(wanted))


@transaction.atomic
def limit_together(workspace: Workspace, wanted: Limit, by: User) -> None:
    keys.limit_together(workspace, wanted)
    note(workspace.pk, "workspace.limited", ("workspace", workspace.slug), by, asdict(wanted))


def _note_key(kind: str, key: ApiKey, by: User | None, told: Mapping[str, Any]) -> None:
    note(key.workspace_id, kind, ("key", str(key.pk)), by, {"name": key.name, **told})


# ---- people


@transaction.atomic
def invite(workspace: Workspace, offer: Offer, by: User, *, once: str = "") -> tuple[Invitation, str]:
    """A form that is sent twice makes one invitation, and one entry."""
    made, secret = invitations.invite(workspace, offer, by, once=once)
    subject = ("invitation", str(made.pk))
    told = {"for": made.note, "roles": made.roles, "sees_content": made.sees_content}
    known = Entry.objects.filter(workspace=workspace.pk, subject_kind=subject[0], subject_id=subject[1])
    if not known.filter(kind="member.invited").exists():
        note(workspace.pk, "member.invited", subject, by, told | {"until": made.expires_at.isoformat()})
    return made, secret


@transaction.atomic
def withdraw_invitation(invitation: Invitation, by: User) -> bool:
    done = invitations.withdraw(invitation, by)
    if done:
        subject = ("invitation", str(invitation.pk))
        note(invitation.workspace_id, "invitation.withdrawn", subject, by, {"for": invitation.note})
    return done


@transaction.atomic
def join(invitation: Invitation, user: User) -> Membership | None:
    """None when somebody has used the link, or it has ended."""
    membership = invitations.accept(invitation, user)
    if membership:
        by = invitation.created_by.get_username() if invitation.created_by else None
        _note_member("member.joined", membership, user, {"invited_by": by, "invitation": invitation.pk})
    return membership


@transaction.atomic
def change_member(membership: Membership, roles: Iterable[str], sees_content: bool, by: User) -> Membership:
    """Raises LastAdmin."""
    row = Membership.objects.select_for_update().get(pk=membership.pk)
    before = {"roles": row.roles, "sees_content": row.sees_content}
    changed = members.change(membership, roles, sees_content, by)
    if before != {"roles": changed.roles, "sees_content": changed.sees_content}:
        _note_member("member.changed", changed, by, {"before": before})
    return changed


@transaction.atomic
def remove_member(membership: Membership, by: User) -> bool:
    """Raises LastAdmin."""
    before = list(membership.roles)
    done = members.remove(membership, by)
    if done:
        _note_member("member.removed", membership, by, {"before": {"roles": before}})
    return done


def _note_member(kind: str, membership: Membership, by: User, told: Mapping[str, Any]) -> None:
    said = {"name": membership.user.get_username(), "roles": membership.roles, "sees_content": membership.sees_content}
    note(membership.workspace_id, kind, ("person", membership.user.get_username()), by, {**said, **told})


def note_second_step(user: User, *, on: bool) -> None:
    """Of logging in, switched on or off by the person: noted wherever that person belongs."""
    kind = "person.second_step_on" if on else "person.second_step_off"
    with transaction.atomic():
        for workspace_id in user.memberships.filter(roles__len__gt=0).values_list("workspace_id", flat=True):
            note(workspace_id, kind, ("person", user.get_username()), user, {"name": user.get_username()})


@transaction.atomic
def remove_second_step(membership: Membership, by: User) -> bool:
    """Of somebody who cannot log in without it; noted wherever that person belongs. Raises NotAllTheirs."""
    user = membership.user
    done = second_step.remove(user, by)
    if done:
        for workspace_id in user.memberships.filter(roles__len__gt=0).values_list("workspace_id", flat=True):
            subject = ("person", user.get_username())
            note(workspace_id, "person.second_step_removed", subject, by, {"name": user.get_username()})
    return done


# ---- webhooks


@transaction.atomic
def add_webhook(
    workspace: Workspace, url: str, events: Iterable[str], by: User, once: str = "", *, agent: Agent | None = None
) -> Endpoint:
    """Of an agent: its own address, to which what it is asked to do is sent. Raises Refused."""
    made, new = endpoints.add(workspace, url, events, by, once, agent_id=agent.pk if agent else 0)
    if new:
        _note_webhook("webhook.created", made, by, {"events": made.events} | ({"agent": agent.slug} if agent else {}))
    return made


@transaction.atomic
def rotate_webhook(endpoint: Endpoint, by: User, overlap: timedelta, once: str = "") -> Endpoint:
    salt = endpoint.salt
    turned = endpoints.rotate(endpoint, by, overlap, once)
    if turned.salt != salt:
        _note_webhook("webhook.rotated", turned, by, {"old_signs": f"{overlap // timedelta(hours=1)} hours"})
    return turned


@transaction.atomic
def remove_webhook(endpoint: Endpoint, by: User) -> None:
    _note_webhook("webhook.removed", endpoint, by, {})
    endpoint.delete()


def _note_webhook(kind: str, endpoint: Endpoint, by: User, told: Mapping[str, Any]) -> None:
    parts = urlsplit(endpoint.url)
    host = f"{parts.scheme}://{parts.hostname or ''}" + (f":{parts.port}" if parts.port else "")
    if parts.scheme == "mailto":
        host = f"mailto:{parts.path.rpartition('@')[2]}"
    note(endpoint.workspace_id, kind, ("webhook", str(endpoint.pk)), by, {"host": host, **told})
