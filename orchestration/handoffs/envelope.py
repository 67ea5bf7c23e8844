"""The envelope that every handoff has: what was done, what is asked, on which evidence, what is open, what the receiver
has to keep to, which kinds of data go with it, and until when it is worth anything. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from orchestration.handoffs.given import (
    MISSING,
    NOT_ALLOWED,
    TOO_MANY,
    WRONG_TYPE,
    Fault,
    Given,
)
from orchestration.lib.names import same_agent

VERSION = 1
LISTS = ("done", "evidence", "open_questions", "constraints")
NEEDED = ("version", "run", "from", "to", "done", "asked", "evidence", "open_questions", "constraints", "data_classes")
PARTS = (*NEEDED, "expires_at", "facts", "key")
MOST_CLASSES = 20
LATEST = timedelta(days=365)
_CLASS = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,59}")


@dataclass(frozen=True, slots=True)
class Sent:
    """An envelope as it was read. `body` is what only those may read who may read content."""

    run: str
    sender: str
    receiver: str
    body: dict[str, Any]
    expires_at: datetime | None


def read(given: Any, now: datetime) -> tuple[Sent, list[Fault]]:
    """What could be read, and what is wrong with the rest."""
    form = Given(given, PARTS, "A handoff")
    _version(form)
    body: dict[str, Any] = {"asked": form.prose("asked", needed=True)}
    body |= {name: form.listed(name) for name in LISTS}
    body |= {"data_classes": _classes(form), "facts": form.pairs("facts")}
    sent = Sent(
        run=form.text("run", needed=True),
        sender=form.text("from", needed=True),
        receiver=form.text("to", needed=True),
        body=body,
        expires_at=form.instant("expires_at", now, LATEST),
    )
    if sent.sender and same_agent(sent.sender, sent.receiver):
        form.wrong("to", NOT_ALLOWED, "A handoff goes to another agent.")
    return sent, form.faults


def _version(form: Given) -> None:
    version = form.given.get("version")
    if version is None:
        form.wrong("version", MISSING, f"The version of the envelope is needed: {VERSION}.")
    elif version != VERSION or isinstance(version, bool):
        form.wrong("version", NOT_ALLOWED, f"This Baton reads envelopes of version {VERSION}.")


def _classes(form: Given) -> list[str]:
    """Kinds of data as names of their own: `pii`, `card`, `health.diagnosis`."""
    value = form.given.get("data_classes")
    if value is None:
        form.wrong("data_classes", MISSING, "This list is needed, empty where no sensitive data goes along.")
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        form.wrong("data_classes", WRONG_TYPE, "This is a list of names.")
        return []
    if len(value) > MOST_CLASSES:
        form.wrong("data_classes", TOO_MANY, f"At most {MOST_CLASSES}.")
    found = [each.strip().casefold() for each in value[:MOST_CLASSES]]
    if not all(_CLASS.fullmatch(each) for each in found):
        form.wrong("data_classes", WRONG_TYPE, "Names of letters, digits and . _ : - with at most 60 characters.")
        return []
    return sorted(set(found))
