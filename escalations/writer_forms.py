"""What an admin says of the endpoint that drafts briefs."""

from __future__ import annotations

from typing import Any

from django import forms

from escalations.duty_forms import CHECK, PLAIN
from escalations.models import Writer
from orchestration.outbox import targets
from orchestration.outbox.targets import Refused


class WriterForm(forms.Form):
    """The key is never shown again; left empty it stays, as long as the address stays the same."""

    on = forms.BooleanField(required=False, label="Let it draft briefs", widget=forms.CheckboxInput(attrs=CHECK))
    url = forms.CharField(
        max_length=1900,
        label="Address",
        help_text="https, on the internet, up to and without /chat/completions",
        widget=forms.TextInput(attrs=PLAIN | {"inputmode": "url", "spellcheck": "false"}),
    )
    model = forms.CharField(
        max_length=200, label="Model", widget=forms.TextInput(attrs=PLAIN | {"spellcheck": "false"})
    )
    key = forms.RegexField(
        r"^[!-~]+$",
        required=False,
        max_length=500,
        label="Key",
        error_messages={"invalid": "A key is made of plain letters, digits and signs, without spaces."},
        widget=forms.PasswordInput(attrs=PLAIN | {"autocomplete": "new-password"}),
    )
    forget = forms.BooleanField(required=False, label="Forget the key", widget=forms.CheckboxInput(attrs=CHECK))

    def __init__(self, data: Any = None, *, writer: Writer | None = None) -> None:
        known = {"on": writer.on, "url": writer.url, "model": writer.model} if writer else {}
        super().__init__(data, initial=known)

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"]).strip().rstrip("/").removesuffix("/chat/completions")
        try:
            targets.resolve(url)
        except Refused as refused:
            raise forms.ValidationError(str(refused)) from None
        return url
