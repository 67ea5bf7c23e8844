"""The second step of logging in, taken from somebody who has lost the device and the recovery codes."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from orchestration.workspaces.models import Membership, User


class NotAllTheirs(Exception):
    """The account reaches further than the rights of whoever asks: an admin opens no door of another workspace."""

    def __init__(self) -> None:
        super().__init__("They also work where you are no admin: somebody who is admin there too can do this.")


def is_on(user: User) -> bool:
    return bool(Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists())


@transaction.atomic
def remove(user: User, by: User) -> bool:
    """Takes it away with its recovery codes and ends all sessions of the person; False when there was none. Raises
    NotAllTheirs."""
    theirs = set(user.memberships.filter(roles__len__gt=0).values_list("workspace_id", flat=True))
    admin_in = Membership.objects.filter(user=by, roles__contains=["admin"], workspace_id__in=theirs)
    if theirs - set(admin_in.values_list("workspace_id", flat=True)):
        raise NotAllTheirs
    gone, _ = Authenticator.objects.filter(user=user).delete()
    if gone:
        end_sessions(user)
    return bool(gone)


def end_sessions(user: User) -> None:
    """Whose a session is stands inside it alone, so all that are open are looked into."""
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()
