"""What is posted from the settings of reviewing: hours, how one is told, interests. Times of day come as `HH:MM` and
are kept as minutes."""

from __future__ import annotations

import secrets
from datetime import time
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from escalations.models import Alarm, Duty, Interest, Telling
from orchestration.outbox import targets
from orchestration.outbox.targets import Refused

FIELD = {"class": "field"}
CHECK = {"class": "check"}
PLAIN = FIELD | {"autocomplete": "off"}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DIGESTS = {0: "at once", 5: "every 5 minutes", 15: "every 15 minutes", 60: "every hour", 240: "every 4 hours"}
MOST_MINUTES = 24 * 60


def clock_field(label: str) -> forms.TimeField:
    widget = forms.TimeInput(attrs=FIELD | {"type": "time", "aria-label": label}, format="%H:%M")
    return forms.TimeField(required=False, label=label, widget=widget)


def minutes(at: time) -> int:
    return at.hour * 60 + at.minute


def clock(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)


class HoursForm(forms.Form):
    """A week. A day without times is off; a shift that ends before it begins ends on the next day."""

    always = forms.BooleanField(required=False, label="At any hour", widget=forms.CheckboxInput(attrs=CHECK))
    minutes_a_day = forms.IntegerField(
        min_value=0, max_value=MOST_MINUTES, label="Minutes of reviewing a day", widget=forms.NumberInput(attrs=FIELD)
    )
    away_until = forms.DateTimeField(
        required=False,
        label="Away until",
        widget=forms.DateTimeInput(attrs=FIELD | {"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def __init__(self, data: Any = None, *, duty: Duty | None = None) -> None:
        super().__init__(data)
        hours = duty.hours if duty else []
        self.initial = {
            "always": not hours,
            "minutes_a_day": duty.minutes_a_day if duty else 240,
            "away_until": duty.away_until if duty else None,
        }
        for place, day in enumerate(DAYS):
            slot = hours[place] if hours else None
            for end, words in enumerate(("from", "until")):
                name = f"{words}_{place}"
                self.fields[name] = clock_field(f"{day} {words}")
                self.initial[name] = clock(slot[end]) if slot else None

    @property
    def days(self) -> list[tuple[str, Any, Any]]:
        return [(day, self[f"from_{place}"], self[f"until_{place}"]) for place, day in enumerate(DAYS)]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        slots = [self._slot(said, place) for place in range(7)]
        if not said.get("always") and not any(slots) and not self.errors:
            self.add_error("always", "Give at least one day its hours, or tick this.")
        said["hours"] = [] if said.get("always") else slots
        return said

    def _slot(self, said: dict[str, Any], place: int) -> list[int] | None:
        start, until = said.get(f"from_{place}"), said.get(f"until_{place}")
        if start is None and until is None:
            return None
        if start is None or until is None:
            self.add_error(f"from_{place}", "Give both times, or none.")
            return None
        if start == until:
            self.add_error(f"from_{place}", "A shift has a length.")
            return None
        return [minutes(start), minutes(until)]


class TellingForm(forms.Form):
    alarms = forms.MultipleChoiceField(
        required=False, choices=Alarm.choices, widget=forms.CheckboxSelectMultiple(attrs=CHECK)
    )
    digest = forms.TypedChoiceField(
        coerce=int, label="New work", choices=list(DIGESTS.items()), widget=forms.Select(attrs=FIELD)
    )
    quiet_from = clock_field("Quiet from")
    quiet_until = clock_field("Quiet until")
    late_breaks = forms.BooleanField(required=False, label="Except for what is late", widget=forms.CheckboxInput(CHECK))
    mail = forms.BooleanField(required=False, label="By e-mail", widget=forms.CheckboxInput(attrs=CHECK))
    email = forms.EmailField(
        required=False, max_length=254, label="E-mail address", widget=forms.EmailInput(attrs=PLAIN)
    )
    hook = forms.CharField(
        required=False,
        max_length=targets.MOST_CHARS,
        label="Webhook of a chat tool",
        help_text="Begins with https://; empty: none",
        widget=forms.TextInput(attrs=PLAIN),
    )
    once = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, telling: Telling, email: str) -> None:
        super().__init__(data)
        quiet = telling.quiet or (None, None)
        self.known_hook = telling.hook
        self.initial = {
            "alarms": telling.alarms,
            "digest": telling.digest_minutes,
            "quiet_from": None if quiet[0] is None else clock(quiet[0]),
            "quiet_until": None if quiet[1] is None else clock(quiet[1]),
            "late_breaks": telling.late_breaks,
            "mail": telling.mail,
            "email": email,
            "hook": telling.hook,
            "once": secrets.token_urlsafe(24),
        }

    def clean_hook(self) -> str:
        url = str(self.cleaned_data["hook"]).strip()
        if url and url != self.known_hook:
            try:
                targets.resolve(url)
            except Refused as refused:
                raise ValidationError(str(refused)) from None
        return url

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        start, until = said.get("quiet_from"), said.get("quiet_until")
        if (start is None) != (until is None) and not {"quiet_from", "quiet_until"} & self.errors.keys():
            self.add_error("quiet_from", "Give both times, or none.")
        elif start is not None and start == until:
            self.add_error("quiet_from", "Quiet hours have a length.")
        said["quiet"] = [minutes(start), minutes(until)] if start is not None and until is not None else None
        return said


class InterestForm(forms.ModelForm):  # type: ignore[type-arg]  # not to be subscripted when it runs
    class Meta:
        model = Interest
        fields: ClassVar = ["person", "subject", "why"]
        widgets: ClassVar = {
            "person": forms.Select(attrs=FIELD),
            "subject": forms.TextInput(attrs=PLAIN | {"maxlength": 200}),
            "why": forms.TextInput(attrs=PLAIN | {"maxlength": 200}),
        }

    def __init__(self, data: Any = None, *, people: list[tuple[int, str]]) -> None:
        super().__init__(data)
        self.fields["person"] = forms.TypedChoiceField(
            coerce=int, choices=people, label="Person", widget=forms.Select(attrs=FIELD)
        )
        self.fields["subject"].max_length = self.fields["why"].max_length = 200  # type: ignore[attr-defined]

    def clean_subject(self) -> str:
        text = " ".join(str(self.cleaned_data["subject"]).split())
        if not 0 < len(text) <= 200:
            raise ValidationError("Up to 200 characters.")
        return text

    def clean_why(self) -> str:
        return str(self.cleaned_data["why"])[:200]

    def _post_clean(self) -> None:
        """`person` is a member's number here: nothing is made of the form by itself."""
