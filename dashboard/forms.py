"""Forms of the settings. What they do not name they cannot change."""

from __future__ import annotations

import zoneinfo
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from orchestration.registry.models import Price
from orchestration.workspaces.models import SCOPES, User

FIELD = {"class": "field"}
MOST_PRICES = 500


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # not to be subscripted when it runs
    zone = forms.ChoiceField(required=False, label="Time zone", widget=forms.Select(attrs=FIELD))

    class Meta:
        model = User
        fields: ClassVar = ["zone"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = [(name, name) for name in sorted(zoneinfo.available_timezones()) if "/" in name or name == "UTC"]
        self.fields["zone"].choices = [("", "As the workspace"), *zones]  # type: ignore[attr-defined]


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
            form.fields["DELETE"].widget.attrs |= {"class": "check", "aria-label": f"Remove {form.instance.model}"}

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


class KeyForm(forms.Form):
    name = forms.CharField(max_length=80, widget=forms.TextInput(attrs=FIELD | {"autocomplete": "off"}))
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in SCOPES],
        initial=["ingest"],
        widget=forms.CheckboxSelectMultiple(attrs={"class": "check"}),
    )
    agents = forms.CharField(
        required=False,
        max_length=2000,
        help_text="Names of the agents it vouches for, with commas; empty: any",
        widget=forms.TextInput(attrs=FIELD | {"autocomplete": "off"}),
    )

    def clean_agents(self) -> list[str]:
        names = [name.strip() for name in str(self.cleaned_data["agents"]).split(",") if name.strip()]
        if any(len(name) > 256 for name in names):
            raise ValidationError("A name has at most 256 characters.")
        return names
