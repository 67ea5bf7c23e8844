"""Forms of the settings. What they do not name they cannot change."""

from __future__ import annotations

import secrets
import zoneinfo
from datetime import timedelta
from functools import cache
from typing import Any, ClassVar

from django import forms
from django.contrib.auth.forms import BaseUserCreationForm
from django.core.exceptions import ValidationError

from orchestration.workspaces.invitations import LASTS, Offer
from orchestration.workspaces.keys import Limit
from orchestration.workspaces.models import ROLES, SCOPES, User
from orchestration.workspaces.ways import MOST_RUN_DAYS, MOST_SPAN_DAYS, Keeping

FIELD = {"class": "field"}
PLAIN = FIELD | {"autocomplete": "off"}
CHECK = {"class": "check"}
ONCE = 64  # characters of a form's own name


class LookForm(forms.ModelForm):  # type: ignore[type-arg]  # not to be subscripted when it runs
    single_keys = forms.BooleanField(required=False, widget=forms.CheckboxInput(attrs=CHECK))

    class Meta:
        model = User
        fields: ClassVar = ["theme", "density", "single_keys"]
        widgets: ClassVar = {
            "theme": forms.RadioSelect(attrs={"class": "check round"}),
            "density": forms.RadioSelect(attrs={"class": "check round"}),
        }


@cache
def zones() -> list[tuple[str, str]]:
    """Read once: they are some hundred files."""
    return [(name, name) for name in sorted(zoneinfo.available_timezones()) if "/" in name or name == "UTC"]


class ZoneForm(forms.ModelForm):  # type: ignore[type-arg]
    zone = forms.ChoiceField(required=False, label="Time zone", widget=forms.Select(attrs=FIELD))

    class Meta:
        model = User
        fields: ClassVar = ["zone"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["zone"].choices = [("", "As the workspace"), *zones()]  # type: ignore[attr-defined]


class OnceForm(forms.Form):
    """A form that carries a name of its own, so that sending it twice is one act."""

    once = forms.CharField(required=False, max_length=ONCE, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["once"] = secrets.token_urlsafe(24)


class KeyForm(OnceForm):
    name = forms.CharField(max_length=80, widget=forms.TextInput(attrs=PLAIN))
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in SCOPES],
        initial=["ingest"],
        widget=forms.CheckboxSelectMultiple(attrs=CHECK),
        error_messages={"required": "Choose at least one."},
    )
    agents = forms.CharField(
        required=False,
        max_length=2000,
        help_text="Names of the agents it vouches for, with commas; empty: any. It may not ask in the name of others",
        widget=forms.TextInput(attrs=PLAIN),
    )

    def clean_agents(self) -> list[str]:
        names = [name.strip() for name in str(self.cleaned_data["agents"]).split(",") if name.strip()]
        if any(len(name) > 256 for name in names):
            raise ValidationError("A name has at most 256 characters.")
        return names


class RotateForm(OnceForm):
    OVERLAPS: ClassVar = {"1": "1 hour", "24": "1 day", "168": "7 days", "": "until I revoke it"}
    overlap = forms.ChoiceField(
        required=False,
        label="The old key works for",
        initial="24",
        choices=list(OVERLAPS.items()),
        widget=forms.Select(attrs=FIELD),
    )

    @property
    def lasting(self) -> timedelta | None:
        hours = self.cleaned_data["overlap"]
        return timedelta(hours=int(hours)) if hours else None


class LimitForm(forms.Form):
    """What may be sent; empty: as much as comes."""

    MEGABYTE = 1_000_000
    spans = forms.IntegerField(
        required=False, min_value=1, max_value=1_000_000, label="Spans a second", widget=forms.NumberInput(attrs=FIELD)
    )
    megabytes = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=10_000_000,
        label="Megabytes a day",
        widget=forms.NumberInput(attrs=FIELD),
    )

    @classmethod
    def showing(cls, spans_per_second: int | None, bytes_per_day: int | None) -> LimitForm:
        size = -(-bytes_per_day // cls.MEGABYTE) if bytes_per_day else None
        return cls(initial={"spans": spans_per_second, "megabytes": size})

    @property
    def limit(self) -> Limit:
        size = self.cleaned_data["megabytes"]
        return Limit(self.cleaned_data["spans"], size * self.MEGABYTE if size else None)


class RolesForm(forms.Form):
    """What a member may do."""

    roles = forms.MultipleChoiceField(
        choices=[(role, role.capitalize()) for role in ROLES],
        widget=forms.CheckboxSelectMultiple(attrs=CHECK),
        error_messages={"required": "Choose at least one role."},
    )
    sees_content = forms.BooleanField(
        required=False, label="May read prompts and results", widget=forms.CheckboxInput(attrs=CHECK)
    )


class InviteForm(RolesForm, OnceForm):
    note = forms.CharField(max_length=80, label="For whom", widget=forms.TextInput(attrs=PLAIN))
    lasts = forms.TypedChoiceField(
        label="The link works for",
        choices=list(LASTS.items()),
        coerce=int,
        initial=7,
        widget=forms.Select(attrs=FIELD),
    )

    def offer(self) -> Offer:
        said = self.cleaned_data
        return Offer(said["note"], said["roles"], said["sees_content"], timedelta(days=said["lasts"]))


class JoinForm(BaseUserCreationForm):  # type: ignore[type-arg]
    """A new person chooses a name and a password."""

    class Meta:
        model = User
        fields: ClassVar = ["username"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs |= FIELD
        self.fields["username"].widget.attrs |= {"autocapitalize": "none", "spellcheck": "false"}

    def clean_username(self) -> str:
        """Names that differ in case alone would be taken for each other."""
        name = str(self.cleaned_data["username"])
        if User.objects.filter(username__iexact=name).exists():
            raise ValidationError("Somebody has this name already.")
        return name


class KeepingForm(forms.Form):
    span_days = forms.IntegerField(min_value=1, max_value=MOST_SPAN_DAYS, widget=forms.NumberInput(attrs=FIELD))
    run_days = forms.IntegerField(min_value=1, max_value=MOST_RUN_DAYS, widget=forms.NumberInput(attrs=FIELD))
    decision_days = forms.IntegerField(
        required=False, min_value=1, max_value=MOST_RUN_DAYS, widget=forms.NumberInput(attrs=FIELD)
    )

    def clean_run_days(self) -> int:
        days, spans = int(self.cleaned_data["run_days"]), self.cleaned_data.get("span_days")
        if spans is not None and days < spans:
            raise ValidationError("Runs are kept at least as long as their spans.")
        return days

    def clean_decision_days(self) -> int:
        """Left out: as it is."""
        return int(self.cleaned_data["decision_days"] or self.initial["decision_days"])

    @property
    def keeping(self) -> Keeping:
        said = self.cleaned_data
        return Keeping(said["span_days"], said["run_days"], said["decision_days"])
