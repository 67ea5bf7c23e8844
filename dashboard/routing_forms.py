"""Forms of routing: whose work goes where, and what routing may do."""

from __future__ import annotations

from typing import Any

from django import forms

from orchestration.autonomy.ordering import MOST_MINUTES, REASON_CHARS
from orchestration.routing.limits import MOST_EXPLORATION, May
from orchestration.routing.models import Healing

FIELD = {"class": "field"}


class MoveForm(forms.Form):
    """Agents and systems by slug; a system or task left out is any."""

    once = forms.CharField(required=False, max_length=100)
    agent = forms.CharField(max_length=256)
    to = forms.CharField(max_length=256)
    system = forms.CharField(required=False, max_length=256)
    task = forms.CharField(required=False, max_length=256)
    reason = forms.CharField(required=False, max_length=REASON_CHARS)
    minutes = forms.IntegerField(required=False, min_value=1, max_value=MOST_MINUTES)


class BoundsForm(forms.Form):
    healing = forms.ChoiceField(choices=Healing.choices)
    exploration = forms.FloatField(
        min_value=0, max_value=MOST_EXPLORATION * 100, widget=forms.NumberInput(attrs=FIELD | {"step": "0.5"})
    )
    dwell_minutes = forms.IntegerField(min_value=1, max_value=1440, widget=forms.NumberInput(attrs=FIELD))
    half_life_days = forms.FloatField(
        min_value=0.5, max_value=90, widget=forms.NumberInput(attrs=FIELD | {"step": "0.5"})
    )

    @classmethod
    def of(cls, may: May) -> BoundsForm:
        percents = round(may.exploration * 100, 2)
        return cls(
            initial={
                "healing": may.healing,
                "exploration": f"{percents:g}",
                "dwell_minutes": may.dwell_minutes,
                "half_life_days": f"{may.half_life_days:g}",
            }
        )

    @property
    def may(self) -> May:
        said: dict[str, Any] = self.cleaned_data
        exploration = round(said["exploration"] / 100, 4)
        return May(said["healing"], exploration, said["dwell_minutes"], said["half_life_days"])
