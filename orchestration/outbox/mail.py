"""Messages by mail, to whoever an admin names by a `mailto:` address: only notices for people, each once. The same
Message-ID at every try, so that a mail server which had taken it knows it again."""

from __future__ import annotations

import smtplib
import time
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email

from orchestration.outbox.models import TEST, Event
from orchestration.outbox.targets import Refused
from orchestration.outbox.webhooks import Letter, Outcome

SCHEME = "mailto:"
EVENTS = (Event.ACTION_NOTICE.value,)
SUBJECT_CHARS = 150


def is_mail(url: str) -> bool:
    return url.lower().startswith(SCHEME)


def address_of(url: str) -> str:
    """Raises Refused."""
    address = url[len(SCHEME) :].strip()
    try:
        validate_email(address)
    except ValidationError:
        raise Refused("Give an address such as mailto:night-shift@example.org.") from None
    return address


def send(url: str, letter: Letter) -> Outcome:
    """Never raises: whatever goes wrong is an outcome."""
    if settings.EMAIL_BACKEND.endswith(("dummy.EmailBackend", "console.EmailBackend")):
        return Outcome(None, "No mail server is configured (BATON_EMAIL_URL).")
    began = time.monotonic()
    subject, body = written(letter)
    try:
        headers = {"Message-ID": f"<{letter.name}@baton>"}
        EmailMessage(subject, body, to=[address_of(url)], headers=headers).send()
    except Refused as refused:
        return Outcome(None, str(refused))
    except (OSError, smtplib.SMTPException) as error:
        return Outcome(None, f"The mail server did not take it ({type(error).__name__}).")
    return Outcome(200, "", round(1000 * (time.monotonic() - began)))


def written(letter: Letter) -> tuple[str, str]:
    """Subject and text. What others have named stays on one line of the subject."""
    data: dict[str, Any] = letter.data if isinstance(letter.data, dict) else {}
    if letter.event == TEST:
        return "Baton can reach this address", "Somebody pressed Send a test on Baton's page of webhooks."
    reason = str(data.get("reason") or "Somebody has to know of something")
    subject = " ".join(f"Baton: {reason}".split())[:SUBJECT_CHARS]
    lines = [reason, "", f"Ordered by {data.get('by', 'Baton')}, {letter.made_at:%Y-%m-%d %H:%M} UTC."]
    if data.get("rule"):
        lines.append(f"By the rule {data['rule']}, version {data.get('version')}.")
    if settings.PUBLIC_URL and data.get("id"):
        lines.append(f"{settings.PUBLIC_URL.geturl().rstrip('/')}/actions/{data['id']}/")
    return subject, "\n".join(lines)
