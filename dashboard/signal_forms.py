"""What stands in the editor of a rule on signals: read from a version or from what a browser sent, made into a body
that `policies.signal_rules` checks, and what is said of it. Nothing typed is lost on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from dashboard.policy_check import Check, fits, text_of, tokens
from dashboard.policy_forms import (
    CEL,
    FORM,
    Draft,
    Example,
    as_json,
    examples_sent,
    limits_sent,
    plain,
    rows_of,
    rows_sent,
)
from dashboard.signal_words import EXPECTED, difference, in_words
from orchestration.autonomy import rerouting
from orchestration.policies import cel, forms, signal_rules
from orchestration.policies.forms import Form
from orchestration.policies.signal_kinds import ACTS, SIGNALS
from orchestration.policies.signal_rules import BOUNDS, SUBJECT
from orchestration.policies.versions import BadBody, Tried, Wrong

LASTING = ("supervise", "pause", "quarantine", "reroute")  # acts that may end by themselves
_SECONDS = {"cool_down_s": 60, "clear_s": 1}  # a minute and a second of the form


@dataclass(slots=True)
class ActDraft:
    kind: str
    chosen: bool = False
    minutes: str = ""
    words: str = ""
    to: str = ""

    @property
    def goes(self) -> bool:
        return self.kind == "reroute"

    @property
    def lasts(self) -> bool:
        return self.kind in LASTING


@dataclass(slots=True)
class SignalDraft(Draft):
    signal: str = "agent_failures"
    of: str = "agent"
    acts: list[ActDraft] = field(default_factory=list)
    leave: str = "propose"
    bounds: dict[str, str] = field(default_factory=dict)
    subject: str = SUBJECT

    @property
    def wrong_of(self) -> bool:
        return self.of not in SIGNALS[self.signal].of

    def body(self, seen: tuple[str, ...] = (), recent: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """What can be stored. Raises BadBody with every fault; that of a row by the field `rows.<group>.<row>`."""
        faults: list[Wrong] = []
        said: dict[str, Any] = {
            "signal": self.signal,
            "of": self.of,
            "acts": [self._act(act, faults) for act in self.acts if act.chosen],
            "leave": self.leave,
            "bounds": {name: self._bound(name, faults) for name in BOUNDS},
            "limits": self.limits_body(faults),
            "examples": self.examples_body(faults),
        }
        try:
            said["condition"] = self.written()
        except forms.BadForm as error:
            faults += [Wrong(f"rows.{f.group}.{f.row}", f.message, near=f.near) for f in error.faults]
            said["condition"] = SIGNALS[self.signal].start
        try:
            made = signal_rules.checked(said)
        except BadBody as error:
            known = {fault.field for fault in faults}
            raise BadBody(*faults, *(fault for fault in error.faults if fault.field not in known)) from None
        if faults:
            raise BadBody(*faults)
        return made

    def _act(self, act: ActDraft, faults: list[Wrong]) -> dict[str, Any]:
        minutes: int | None = None
        if act.lasts and act.minutes.strip():
            minutes = _whole(act.minutes, f"{act.kind}: minutes", faults)
        return {"kind": act.kind, "minutes": minutes, "words": act.words} | ({"to": act.to} if act.goes else {})

    def _bound(self, name: str, faults: list[Wrong]) -> int:
        usual = BOUNDS[name][0]
        given = self.bounds.get(name, "").strip()
        return _whole(given, f"bounds.{name}", faults) * _SECONDS.get(name, 1) if given else usual


def starting(signal: str) -> dict[str, Any]:
    """A body to begin with."""
    kind = SIGNALS[signal]
    acts = [{"kind": "notify", "minutes": None, "words": ""}]
    return signal_rules.checked(
        {"signal": signal, "of": kind.of[0], "condition": kind.start, "acts": acts, "leave": "apply"}
    )


def of_body(body: Mapping[str, Any]) -> SignalDraft:
    rows = rows_of(body["condition"], SUBJECT)
    chosen = {act["kind"]: act for act in body["acts"]}
    return SignalDraft(
        shape=FORM if rows is not None else CEL,
        condition=body["condition"],
        rows=rows or Form(),
        limits=[(name, plain(value)) for name, value in body["limits"].items()],
        examples=[Example(each["name"], each["effect"], as_json(each["facts"])) for each in body["examples"]],
        signal=body["signal"],
        of=body["of"],
        acts=[_chosen(kind, chosen.get(kind)) for kind in ACTS[body["of"]]],
        leave=body["leave"],
        bounds={name: plain(value / _SECONDS.get(name, 1)) for name, value in body["bounds"].items()},
    )


def of_post(sent: QueryDict) -> SignalDraft:
    """What a browser sent, however wrong. Another signal begins with its own condition."""
    signal = sent.get("signal", "")
    signal = signal if signal in SIGNALS else next(iter(SIGNALS))
    of = sent.get("of", "")
    of = of if of in SIGNALS[signal].of else SIGNALS[signal].of[0]
    found = SignalDraft(
        shape=FORM if sent.get("shape") == FORM else CEL,
        condition=sent.get("condition", "").replace("\r\n", "\n"),
        rows=rows_sent(sent),
        limits=limits_sent(sent),
        examples=examples_sent(sent),
        signal=signal,
        of=of,
        acts=[
            ActDraft(
                kind, f"act-{kind}" in sent, *(sent.get(f"{part}-{kind}", "") for part in ("minutes", "words", "to"))
            )
            for kind in ACTS[of]
        ],
        leave=sent.get("leave", ""),
        bounds={name: sent.get(f"bound-{name}", "") for name in BOUNDS},
    )
    if sent.get("was") not in (None, signal):
        found.rows = rows_of(SIGNALS[signal].start, SUBJECT) or Form()
        found.shape, found.condition, found.examples = FORM, SIGNALS[signal].start, []
    return found


def unknown(workspace_id: int, body: Mapping[str, Any]) -> list[Wrong]:
    """Agents to whom work would go and who are not there: such an act would be given up each time."""
    found = []
    for place, act in enumerate(body["acts"]):
        try:
            if act.get("to"):
                rerouting.look(workspace_id, act)
        except rerouting.Nobody as error:
            found.append(Wrong(f"acts.{place}.to", str(error)))
    return found


def check(workspace_id: int, name: str, draft: SignalDraft, against: Mapping[str, Any] | None) -> Check:
    """What is said of what stands in the editor. Nothing is stored."""
    found = Check(draft)
    found.code = tokens(text_of(draft))
    try:
        found.body = draft.body()
    except BadBody as error:
        found.faults = list(error.faults)
    found.fits_rows = draft.shape == FORM or fits(draft)
    if found.body is None:
        return found
    found.faults = unknown(workspace_id, found.body)
    found.words, found.reads = in_words(found.body), len(cel.compiled(found.body["condition"], SUBJECT).reads)
    found.changes = difference(against, found.body) if against else []
    words = dict(EXPECTED)
    tried = signal_rules.try_examples(name, found.body)
    found.tried = [Tried(each.name, words[each.expected].lower(), words[each.said].lower()) for each in tried]
    found.failing = sum(not each.passes for each in found.tried)
    return found


def _chosen(kind: str, act: Mapping[str, Any] | None) -> ActDraft:
    if act is None:
        return ActDraft(kind, minutes="60" if kind == "pause" else "")
    return ActDraft(kind, True, plain(act["minutes"]) if act["minutes"] else "", act["words"], act.get("to", ""))


def _whole(text: str, name: str, faults: list[Wrong]) -> int:
    given = text.strip()
    if given.isascii() and given.isdigit() and len(given) < 7:
        return int(given)
    faults.append(Wrong(name, "This is a whole number."))
    return 1
