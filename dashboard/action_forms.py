"""Forms of acts: why, for how long, and what Baton may do unasked."""

from __future__ import annotations

from typing import Any

from django import forms

from orchestration.autonomy.limits import Allowed
from orchestration.autonomy.models import Leave
from orchestration.autonomy.ordering import MOST_MINUTES, REASON_CHARS

FIELD = {"class": "field"}
LASTS = (("", "Until somebody ends it"), ("15", "15 minutes"), ("60", "An hour"), ("1440", "A day"))


class ActForm(forms.Form):
    once = forms.CharField(required=False, max_length=100)
    reason = forms.CharField(required=False, max_length=REASON_CHARS)
    minutes = forms.IntegerField(required=False, min_value=1, max_value=MOST_MINUTES)


class LimitsForm(forms.Form):
    loops = forms.ChoiceField(choices=Leave.choices)
    repeats = forms.IntegerField(min_value=3, max_value=50, widget=forms.NumberInput(attrs=FIELD))
    spend = forms.DecimalField(
        required=False, min_value=0, max_digits=12, decimal_places=4, widget=forms.NumberInput(attrs=FIELD)
    )
    minutes = forms.IntegerField(min_value=1, max_value=MOST_MINUTES, widget=forms.NumberInput(attrs=FIELD))

    @classmethod
    def of(cls, limits: Allowed) -> LimitsForm:
        return cls(initial={name: getattr(limits, name) for name in ("loops", "repeats", "spend", "minutes")})

    @property
    def allowed(self) -> Allowed:
        said: dict[str, Any] = self.cleaned_data
        return Allowed(said["loops"], said["repeats"], said["spend"], said["minutes"])
