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
        help_text="https, on the internet; or mailto: and an address, which is told what people have to know",
        widget=forms.TextInput(attrs=PLAIN | {"inputmode": "url", "spellcheck": "false"}),
    )
    events = forms.MultipleChoiceField(
        choices=Event.choices,
        initial=[Event.HOLD_APPLIED.value],
        widget=forms.CheckboxSelectMultiple(attrs=CHECK),
        required=False,
    )
    agent = forms.CharField(
        max_length=200,
        required=False,
        label="Or an agent's own address",
        help_text="Its slug: what it is asked to do goes there and nowhere else, and no events do",
        widget=forms.TextInput(attrs=PLAIN | {"spellcheck": "false"}),
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
