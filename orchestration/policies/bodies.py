"""What a version says, of either kind: an answer to asks, or what is done on a signal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestration.policies import signal_rules, versions
from orchestration.policies.models import Subject
from orchestration.policies.versions import Tried


def subject_of(body: Mapping[str, Any]) -> Subject:
    return Subject.SIGNAL if signal_rules.is_signal(body) else Subject.ASK


def checked(body: Mapping[str, Any], recent: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The body as it is stored. Raises versions.BadBody."""
    if subject_of(body) == Subject.SIGNAL:
        return signal_rules.checked(body)
    return versions.checked(body, recent)


def try_examples(name: str, body: Mapping[str, Any]) -> list[Tried]:
    if subject_of(body) == Subject.SIGNAL:
        return signal_rules.try_examples(name, body)
    return versions.try_examples(name, body)
