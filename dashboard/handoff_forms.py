"""What a pair of agents needs in a handoff, as an admin writes it: a line for each fact, `amount: number`, with a
question mark behind the name where it may be left out."""

from __future__ import annotations

import re
from typing import Any

from django import forms

from orchestration.handoffs.demands import KINDS, MOST_FACTS, Demanded, Fact
from orchestration.handoffs.envelope import MOST_CLASSES
from orchestration.handoffs.given import MOST_ITEMS, NAME_CHARS

_LINE = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,59})(\??)\s*:\s*([a-z]+)")
_CLASS = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,59}")


class DemandForm(forms.Form):
    sender = forms.CharField(max_length=NAME_CHARS, error_messages={"required": "Name the agent that hands over."})
    receiver = forms.CharField(max_length=NAME_CHARS, error_messages={"required": "Name the agent that takes over."})
    version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    facts = forms.CharField(
        required=False,
        max_length=MOST_FACTS * 80,
        widget=forms.Textarea(attrs={"class": "field mono", "rows": 4, "spellcheck": "false", "id": "facts"}),
    )
    evidence = forms.IntegerField(
        min_value=0, max_value=MOST_ITEMS, widget=forms.NumberInput(attrs={"class": "field num", "id": "evidence"})
    )
    done = forms.IntegerField(
        min_value=0, max_value=MOST_ITEMS, widget=forms.NumberInput(attrs={"class": "field num", "id": "done"})
    )
    once = forms.BooleanField(required=False)
    limited = forms.BooleanField(required=False)
    classes = forms.CharField(
        required=False,
        max_length=MOST_CLASSES * 62,
        widget=forms.TextInput(attrs={"class": "field", "spellcheck": "false", "id": "classes"}),
    )

    @classmethod
    def of(cls, sender: str, receiver: str, demanded: Demanded) -> DemandForm:
        lines = [f"{fact.name}{'' if fact.needed else '?'}: {fact.kind}" for fact in demanded.facts]
        least = dict(demanded.least)
        return cls(
            initial={
                "sender": sender,
                "receiver": receiver,
                "version": demanded.version,
                "facts": "\n".join(lines),
                "evidence": least.get("evidence", 0),
                "done": least.get("done", 0),
                "once": not demanded.again,
                "limited": demanded.classes is not None,
                "classes": ", ".join(demanded.classes or ()),
            }
        )

    def clean_facts(self) -> tuple[Fact, ...]:
        lines = [line.strip() for line in self.cleaned_data["facts"].splitlines() if line.strip()]
        found: dict[str, Fact] = {}
        for line in lines:
            match = _LINE.fullmatch(line)
            if match is None or match[3] not in KINDS:
                raise forms.ValidationError(f"“{line[:60]}” is not a name, a colon and one of {', '.join(KINDS)}.")
            found[match[1]] = Fact(match[1], match[3], not match[2])
        if len(found) < len(lines):
            raise forms.ValidationError("A fact is named twice.")
        if len(found) > MOST_FACTS:
            raise forms.ValidationError(f"At most {MOST_FACTS} facts.")
        return tuple(found.values())

    def clean_classes(self) -> tuple[str, ...]:
        found = {each.strip().casefold() for each in self.cleaned_data["classes"].split(",") if each.strip()}
        if len(found) > MOST_CLASSES or not all(_CLASS.fullmatch(each) for each in found):
            raise forms.ValidationError(f"At most {MOST_CLASSES} names of letters, digits and . _ : - after commas.")
        return tuple(sorted(found))

    @property
    def wanted(self) -> Demanded:
        said: dict[str, Any] = self.cleaned_data
        least = tuple((name, said[name]) for name in ("done", "evidence"))
        classes = said["classes"] if said["limited"] else None
        return Demanded(said["facts"], least, classes, said["version"], again=not said["once"])
