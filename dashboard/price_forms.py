"""The price table as a form: all rows at once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from dashboard.forms import FIELD
from orchestration.registry.models import Price

MOST_PRICES = 500
CURRENCIES = ("USD", "EUR", "GBP", "CHF", "JPY", "AUD", "CAD", "CNY", "INR", "SEK", "NOK", "DKK", "PLN", "CZK", "BRL")


class PriceForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Price
        fields: ClassVar = ["model", "input", "output", "cached"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs |= FIELD | {"aria-label": field.help_text or name.capitalize()}
            if isinstance(self.initial.get(name), Decimal):
                self.initial[name] = f"{self.initial[name].normalize():f}"  # 0.8 and not 0.8000
            if name != "model":
                field.widget.attrs |= {"min": 0, "step": "0.0001"}

    def clean_model(self) -> str:
        return str(self.cleaned_data["model"]).strip().casefold()

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        for name in ("input", "output", "cached"):
            if (self.cleaned_data.get(name) or 0) < 0:
                self.add_error(name, "A price is not below zero.")
        return cleaned


class PriceTable(forms.BaseModelFormSet):  # type: ignore[type-arg]
    """All rows of a workspace at once, so that two of the same name are seen here."""

    def add_fields(self, form: PriceForm, index: int | None) -> None:
        super().add_fields(form, index)
        if "DELETE" in form.fields:
            form.fields["DELETE"].widget.attrs |= {"class": "check", "aria-label": f"Retire {form.instance.model}"}

    def clean(self) -> None:
        seen: set[str] = set()
        for form in self.forms:
            name = form.cleaned_data.get("model") if hasattr(form, "cleaned_data") else None
            if not name or form.cleaned_data.get("DELETE"):
                continue
            if name in seen:
                raise ValidationError(f"{name} has two rows: keep one.")
            seen.add(name)


PriceRows = forms.modelformset_factory(
    Price, form=PriceForm, formset=PriceTable, extra=1, can_delete=True, max_num=MOST_PRICES, absolute_max=MOST_PRICES
)


class CurrencyForm(forms.Form):
    currency = forms.ChoiceField(
        choices=[(each, each) for each in CURRENCIES], widget=forms.Select(attrs=FIELD | {"class": "field slim"})
    )
