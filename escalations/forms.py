"""What a reviewer says of the cases of a batch. Each case comes with the revision that was looked at; `key` is the
form's own, by which a second press of it is known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict
from django.utils import timezone

from escalations.models import Verb
from orchestration.holds.models import Answered
from orchestration.holds.verdicts import Verdict

MOST = Decimal(10) ** 15
MOST_CASES = 1_000
LATEST = timedelta(days=366)
FIELD = "argument:"  # prefix of an argument of the act that a person may change
REASONS = {
    "facts": "The facts are wrong",
    "policy": "Against policy",
    "evidence": "Not enough evidence",
    "risk": "Too risky",
    "other": "Something else",
}
ASKED = {"agent": "The agent", "customer": "The customer"}
SNOOZES = {
    "1h": "For an hour",
    "4h": "For four hours",
    "morning": "Until tomorrow, 9:00",
    "monday": "Until Monday, 9:00",
}


class ActForm(forms.Form):
    act = forms.ChoiceField(choices=Verb.choices)
    key = forms.RegexField(r"^[\w-]{8,64}$")
    note = forms.CharField(required=False, max_length=1800)
    reason = forms.ChoiceField(required=False, choices=list(REASONS.items()))
    ask = forms.ChoiceField(required=False, choices=list(ASKED.items()))
    question = forms.CharField(required=False, max_length=1800)
    amount = forms.DecimalField(
        required=False, max_digits=19, decimal_places=4, min_value=Decimal(0), max_value=MOST, localize=False
    )
    until = forms.DateTimeField(required=False)
    conditional = forms.BooleanField(required=False)
    person = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    snooze = forms.ChoiceField(required=False, choices=list(SNOOZES.items()))
    escalated = forms.CharField(required=False, max_length=1800)
    unneeded = forms.BooleanField(required=False)
    alike = forms.IntegerField(required=False, min_value=1, max_value=10**7)
    as_before = forms.RegexField(r"^[0-9a-f-]{36}:\d{1,7}$", required=False)
    sure = forms.BooleanField(required=False)
    opened = forms.IntegerField(required=False, min_value=0, max_value=2**53)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        self.given = data
        self.asked: dict[UUID, int] = {}
        self.offered: set[UUID] = set()  # those of them that stood ticked before anybody looked

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        self.asked = self._cases()
        check = getattr(self, f"_check_{said.get('act')}", None)
        if check:
            check(said)
        if said.get("act") in (Verb.APPROVE, Verb.REJECT, Verb.AMEND, Verb.MORE, Verb.SPLIT):
            self._check_cases(said)
        return said

    def clean_as_before(self) -> tuple[UUID, int] | None:
        """A precedent, and of how many cases the page said that it covers them."""
        name, _, count = str(self.cleaned_data["as_before"]).partition(":")
        try:
            return (UUID(name), int(count)) if name else None
        except ValueError:
            raise forms.ValidationError("This is no precedent.") from None

    def _check_cases(self, said: dict[str, Any]) -> None:
        if not self.asked and not said.get("alike") and not said.get("as_before"):
            self.add_error(None, "Nothing was chosen: tick at least one case.")

    def _check_reject(self, said: dict[str, Any]) -> None:
        if not said.get("reason") and not str(said.get("note", "")).strip():
            self.add_error("reason", "Say why: the agent and the next reviewer read it.")
        elif said.get("reason") in ("", "other") and not str(said.get("note", "")).strip():
            self.add_error("note", "Say in a few words what it is.")

    def _check_amend(self, said: dict[str, Any]) -> None:
        if said.get("amount") is None and not self.arguments and "amount" not in self.errors:
            self.add_error("amount", "Say what is right: nothing was changed.")
        if said.get("conditional") and "until" not in self.errors:
            until = said.get("until")
            if until is None or not timezone.now() < until <= timezone.now() + LATEST:
                self.add_error("until", "Say until when, within a year.")

    def _check_more(self, said: dict[str, Any]) -> None:
        if not str(said.get("question", "")).strip():
            self.add_error("question", "Say what you want to know.")

    def _check_assign(self, said: dict[str, Any]) -> None:
        if not said.get("person"):
            self.add_error("person", "Choose who is to decide.")

    def _check_snooze(self, said: dict[str, Any]) -> None:
        if not said.get("snooze"):
            self.add_error("snooze", "Choose for how long.")

    def _cases(self) -> dict[UUID, int]:
        """Each as `<hold>:<revision>`, with `:offered` where Baton itself had ticked it."""
        found: dict[UUID, int] = {}
        for told in self.given.getlist("case")[:MOST_CASES]:
            name, _, rest = told.partition(":")
            revision, _, how = rest.partition(":")
            try:
                found[UUID(name)] = int(revision)
                if how == "offered":
                    self.offered.add(UUID(name))
            except ValueError:
                self.add_error(None, "A case that was sent is none.")
        return found

    @property
    def arguments(self) -> dict[str, Any]:
        """Those that are no longer as they stood in the form (`was:…`)."""
        found: dict[str, Any] = {}
        for name, value in self.given.items():
            argument = name.removeprefix(FIELD)
            was = self.given.get(f"was:{argument}")
            if argument != name and was is not None and str(value) != was:
                found[argument] = _like(str(value)[:256], was)
        return found

    @property
    def verdict(self) -> Verdict:
        said, act = self.cleaned_data, Answered(self.cleaned_data["act"])
        if act == Answered.REJECT:
            return Verdict(act, _reason(said))
        if act == Answered.MORE:
            return Verdict(act, said["question"], {"ask": said.get("ask") or "agent"})
        if act == Answered.AMEND:
            return Verdict(act, said["note"], self._amended())
        return Verdict(act, "")

    def _amended(self) -> dict[str, Any]:
        said = self.cleaned_data
        found: dict[str, Any] = {}
        if said.get("amount") is not None:
            found["amount"] = float(said["amount"])
        if self.arguments:
            found["arguments"] = self.arguments
        if said.get("conditional"):
            found["until"] = said["until"].astimezone(UTC).isoformat(timespec="seconds")
        return found

    def seconds(self, now: datetime) -> float | None:
        """Since the batch was on the screen."""
        opened = self.cleaned_data.get("opened")
        if not opened:
            return None
        passed = now.timestamp() - opened / 1000
        return passed if 0 <= passed < 86_400 else None


def wake_at(choice: str, now: datetime) -> datetime:
    """In the zone of the person who presses."""
    if choice in ("1h", "4h"):
        return now + timedelta(hours=int(choice[0]))
    here = timezone.localtime(now)
    days = 1 if choice == "morning" else 7 - here.weekday()
    return (here + timedelta(days=days)).replace(hour=9, minute=0, second=0, microsecond=0)


def _reason(said: Mapping[str, Any]) -> str:
    words, note = REASONS.get(said.get("reason") or "other", ""), str(said.get("note", "")).strip()
    if said.get("reason") in ("", "other", None):
        return note
    return f"{words}. {note}" if note else f"{words}."


def _like(value: str, was: str) -> Any:
    """A number where there was one, a yes or a no where there was one."""
    if was in ("true", "false"):
        return value.strip().lower() in ("true", "yes", "1")
    try:
        float(was)
        return float(value) if "." in value or "." in was else int(value)
    except ValueError:
        return value
