"""Forms of the webhooks' pages."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django import forms

from dashboard.forms import CHECK, FIELD, PLAIN, OnceForm
from orchestration.outbox.models import Event


class EndpointForm(OnceForm):
    url = forms.CharField(
        max_length=2000,
        label="Address",
        help_text="https, on the internet",
        widget=forms.TextInput(attrs=PLAIN | {"inputmode": "url", "spellcheck": "false"}),
    )
    events = forms.MultipleChoiceField(
        choices=Event.choices,
        initial=[Event.HOLD_APPLIED.value],
        widget=forms.CheckboxSelectMultiple(attrs=CHECK),
        error_messages={"required": "Choose at least one."},
    )


class TurnForm(OnceForm):
    OVERLAPS: ClassVar = {"1": "1 hour", "24": "1 day", "168": "7 days"}
    overlap = forms.ChoiceField(
        label="Signed with both for", initial="24", choices=list(OVERLAPS.items()), widget=forms.Select(attrs=FIELD)
    )

    @property
    def lasting(self) -> timedelta:
        return timedelta(hours=int(self.cleaned_data["overlap"]))


class TrialForm(OnceForm):
    """One press, one message."""
