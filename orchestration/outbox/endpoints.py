"""Who wants to be told: added, given a new secret, removed. A secret is shown once; a second press of the same form is
no second act and shows it again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.crypto import salted_hmac

from orchestration.outbox import mail, targets
from orchestration.outbox.models import Endpoint, Event
from orchestration.outbox.targets import Refused
from orchestration.workspaces.models import User, Workspace

PREFIX = "whsec_"
MOST = 20  # of a workspace
AGAIN = timedelta(minutes=2)  # so long a form that is sent twice shows its secret twice


class SecretLost(ValueError):
    """Baton's own secret is another one than when this endpoint's was made."""


def add(
    workspace: Workspace, url: str, events: Iterable[str], by: User, once: str = "", *, agent_id: int = 0
) -> tuple[Endpoint, bool]:
    """The endpoint, and whether it is new. An agent's own (`agent_id`) is told no events. Raises Refused."""
    salt = _salt(once, by)
    made = Endpoint.objects.filter(workspace=workspace, salt=salt).first()
    if made:
        return made, False
    wanted = [] if agent_id else [event for event in Event.values if event in set(events)]
    if not wanted and not agent_id:
        raise Refused("Choose at least one event.")
    if Endpoint.objects.filter(workspace=workspace).count() >= MOST:
        raise Refused(f"A workspace has at most {MOST} endpoints.")
    if mail.is_mail(url):
        mail.address_of(url)
        if set(wanted) != set(mail.EVENTS):
            raise Refused(f"By mail {mail.EVENTS[0]} is told, and nothing else.")
    else:
        targets.resolve(url)
    fields = {"url": url, "agent_id": agent_id, "events": wanted, "check_sum": _check(_secret(salt)), "created_by": by}
    return Endpoint.objects.get_or_create(salt=salt, defaults=fields | {"workspace": workspace})


def rotate(endpoint: Endpoint, by: User, overlap: timedelta, once: str = "") -> Endpoint:
    """A new secret. What is sent is signed with both for `overlap`, so that receivers can change over."""
    salt, now = _salt(once, by), timezone.now()
    known = {"salt": salt, "check_sum": _check(_secret(salt)), "salted_at": now}
    former = {"former_salt": endpoint.salt, "former_until": now + overlap}
    Endpoint.objects.filter(pk=endpoint.pk).exclude(salt=salt).update(**known, **former)
    endpoint.refresh_from_db()
    return endpoint


def shown(endpoint: Endpoint, by: User, once: str) -> str:
    """The secret as text, for the form that has just made it; "" for any other."""
    if not once or endpoint.salt != _salt(once, by) or timezone.now() - endpoint.salted_at > AGAIN:
        return ""
    return PREFIX + base64.b64encode(_secret(endpoint.salt)).decode()


def signing(salt: str, check: str, former_salt: str, former_until: datetime | None) -> list[bytes]:
    """The secrets in force, newest first. Raises SecretLost."""
    secret = _secret(salt)
    if not hmac.compare_digest(_check(secret), check):
        raise SecretLost
    former = former_salt and former_until and former_until > timezone.now()
    return [secret, _secret(former_salt)] if former else [secret]


def _salt(once: str, by: User) -> str:
    if not once:
        return secrets.token_hex(32)
    return salted_hmac("baton.webhook.form", f"{by.pk}:{once}", algorithm="sha256").hexdigest()


def _secret(salt: str) -> bytes:
    return salted_hmac("baton.webhook", salt, algorithm="sha256").digest()


def _check(secret: bytes) -> str:
    return hashlib.sha256(b"check " + secret).hexdigest()[:16]
