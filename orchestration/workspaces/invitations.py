"""One-time links by which people join a workspace. Made, withdrawn and accepted here, and nowhere else."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from orchestration.workspaces import members
from orchestration.workspaces.models import ROLES, Invitation, Membership, User, Workspace

LASTS = {1: "1 day", 7: "7 days", 30: "30 days"}


@dataclass(frozen=True, slots=True)
class Offer:
    """What an invitation grants, and until when."""

    note: str  # for whom
    roles: Iterable[str]
    sees_content: bool = False
    lasts: timedelta = field(default=timedelta(days=7))


def invite(workspace: Workspace, offer: Offer, by: User, *, once: str = "") -> tuple[Invitation, str]:
    """An invitation and the secret part of its link, which nothing can show again. `once` names the form that asks:
    sent twice, it makes one invitation and the same link."""
    secret = _secret_for(once, by) if once else secrets.token_urlsafe(32)
    fields = {
        "workspace": workspace,
        "note": offer.note,
        "roles": [role for role in ROLES if role in set(offer.roles)],
        "sees_content": offer.sees_content,
        "created_by": by,
        "expires_at": timezone.now() + offer.lasts,
    }
    invitation, _ = Invitation.objects.get_or_create(digest=_digest(secret), defaults=fields)
    return invitation, secret


def withdraw(invitation: Invitation, by: User) -> bool:
    """Let a link be of no use any more. False when it was of none already."""
    return Invitation.objects.open().filter(pk=invitation.pk).update(withdrawn_at=timezone.now()) == 1


def find(secret: str) -> Invitation | None:
    """The invitation of a link, used or not."""
    found = Invitation.objects.filter(digest=_digest(secret)).select_related("workspace", "created_by", "accepted_by")
    return found.first()


def refreshed(invitation: Invitation) -> Invitation:
    """As it is now that somebody else has used it."""
    return Invitation.objects.select_related("workspace", "created_by", "accepted_by").get(pk=invitation.pk)


@transaction.atomic
def accept(invitation: Invitation, user: User) -> Membership | None:
    """Make this person a member, once: None when somebody has used the link, or it has ended."""
    taken = {"accepted_at": timezone.now(), "accepted_by": user}
    if Invitation.objects.open().filter(pk=invitation.pk).update(**taken) != 1:
        return None
    return members.admit(
        user, invitation.workspace, invitation.roles, invitation.sees_content, by=invitation.created_by
    )


def _secret_for(once: str, person: User) -> str:
    made = salted_hmac("baton.invitation", f"{person.pk}:{once}", algorithm="sha256").digest()
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
