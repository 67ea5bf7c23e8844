"""What a person says of a verdict that is kept: why, for how long, and within which narrower numbers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict

from escalations.precedents import LASTS, REASON_CHARS, Wish
from escalations.spoken import Line

LOW, HIGH = "from:", "to:"


class KeepForm(forms.Form):
    reason = forms.CharField(
        max_length=REASON_CHARS,
        error_messages={"required": "Say why such cases may be decided alike: whoever meets one reads it."},
    )
    days = forms.TypedChoiceField(choices=list(LASTS.items()), coerce=int, initial=90)

    def __init__(self, data: QueryDict | None = None, *, limits: list[Line]) -> None:
        super().__init__(data)
        self.limits = [each for each in limits if each.low is not None]
        self.within: dict[str, tuple[float, float]] = {}

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        for each in self.limits:
            told = self._range(each)
            if told is not None and told != (each.low, each.high):
                self.within[each.name] = told
        return said

    def _range(self, each: Line) -> tuple[float, float] | None:
        given = [str(self.data.get(mark + each.name, "")).strip() for mark in (LOW, HIGH)]
        try:
            low, high = (float(text) if text else was for text, was in zip(given, (each.low, each.high), strict=True))
        except ValueError:
            self.add_error(None, f"{each.label}: numbers, please.")
            return None
        if low is None or high is None or not (each.low or 0.0) <= low <= high <= (each.high or 0.0):
            self.add_error(None, f"{each.label}: within {each.words}, which is what you decided; never wider.")
            return None
        return low, high

    def sent(self, each: Line) -> tuple[str, str]:
        """As they stand in the form."""
        low, high = each.exact
        return str(self.data.get(LOW + each.name, low)), str(self.data.get(HIGH + each.name, high))

    @property
    def wish(self) -> Wish:
        return Wish(self.cleaned_data["reason"], self.cleaned_data["days"], self.within)
