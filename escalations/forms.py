"""What a reviewer says of one case. `revision` is that of the case as it was looked at: sent twice, it is one act."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms

from orchestration.holds.models import Answered
from orchestration.holds.verdicts import Verdict

GIVEN = (Answered.APPROVE, Answered.REJECT, Answered.AMEND)
MOST = Decimal(10) ** 15


class VerdictForm(forms.Form):
    answer = forms.ChoiceField(choices=[(each.value, each.label) for each in GIVEN])
    revision = forms.IntegerField(min_value=0, max_value=2**31 - 1)
    note = forms.CharField(required=False, max_length=2000)
    amount = forms.DecimalField(
        required=False, max_digits=19, decimal_places=4, min_value=Decimal(0), max_value=MOST, localize=False
    )

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if said.get("answer") == Answered.REJECT and not str(said.get("note", "")).strip():
            self.add_error("note", "Say why: the agent and the next reviewer read it.")
        if said.get("answer") == Answered.AMEND and said.get("amount") is None and "amount" not in self.errors:
            self.add_error("amount", "Say which amount is right.")
        return said

    @property
    def verdict(self) -> Verdict:
        said = self.cleaned_data
        answer = Answered(said["answer"])
        amend = {"amount": float(said["amount"])} if answer == Answered.AMEND else None
        return Verdict(answer, said["note"], amend)
