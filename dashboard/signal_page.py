"""What the page of a rule on signals shows beside its versions: what it held of, what it did, what came of it, and what
it would have done in the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils import timezone

from dashboard.policy_replay import Replayed
from dashboard.signal_words import acts_words, bounds_words, in_words
from orchestration.autonomy.models import Action, Episode
from orchestration.lib.templatetags.baton import plural
from orchestration.policies.models import Policy, PolicyVersion, Subject
from orchestration.policies.signal_kinds import SIGNALS

SHOWN = 20
DAYS = timedelta(days=30)
HELD_BACK = {
    "cool_down": "Not again so soon: the rule waits after each act",
    "an_hour": "It had acted as often as it may in an hour",
}
FIGURES = {  # of a signal, the one that tells whether it got better, and its unit
    "signal.one_in": "outcomes to see this once",
    "signal.surely": "failing",
    "signal.minutes": "minutes",
    "signal.cost": "spent",
    "signal.repeats": "equal calls",
    "signal.open": "questions",
    "signal.opens": "times opened",
}


@dataclass(frozen=True, slots=True)
class HeldRow:
    episode: Episode
    acts: list[Action]
    state: str
    tone: str
    before: str
    after: str
    why_not: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A day of the replay, in per cent of the busiest."""

    x: str
    height: str
    y: str
    n: int


@dataclass(slots=True)
class Past(Replayed):
    """What the rule would have done, by its last replay."""

    says: str = ""
    bars: list[Bar] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    cut: bool = False


@dataclass(frozen=True, slots=True)
class SignalPart:
    label: str
    about: str
    words: str
    acts: str
    bounds: str
    held: list[HeldRow]
    acted: int
    past: Past
    address: str


def of(policy: Policy, version: PolicyVersion) -> SignalPart | None:
    """None for a policy about asks."""
    if policy.subject != Subject.SIGNAL:
        return None
    body, kind = version.body, SIGNALS[version.body["signal"]]
    since = timezone.now() - DAYS
    acted = Episode.objects.filter(policy=policy, shadow=False, acted_at__gt=since).count()
    words = (in_words(body), acts_words(body), bounds_words(body))
    here = reverse("dashboard:policy", args=[policy.slug])
    return SignalPart(kind.label, kind.about, *words, held(policy), acted, past(version), here)


def held(policy: Policy) -> list[HeldRow]:
    """What the rule held of lately, with the acts that followed."""
    episodes = list(Episode.objects.filter(policy=policy).order_by("-began_at")[:SHOWN])
    ids = [str(each.pk) for each in episodes]
    acts: dict[str, list[Action]] = {}
    mine = Action.objects.filter(workspace_id=policy.workspace_id, cause="rule", cause_id__startswith=f"{policy.slug}@")
    for act in mine.filter(told__episode__in=ids).order_by("created_at"):
        acts.setdefault(act.told["episode"], []).append(act)
    return [_row(each, acts.get(str(each.pk), [])) for each in episodes]


def figure(facts: Mapping[str, Any]) -> str:
    """The figure of a signal that tells how bad it is; "" where none is known."""
    for name, unit in FIGURES.items():
        value = facts.get(name)
        if isinstance(value, int | float):
            if name == "signal.surely":
                share = 100 * float(facts.get("signal.rate", value))
                return f"{share:.0f}% {unit}"
            places = 2 if name == "signal.cost" else 0
            return f"{value:,.{places}f} {unit}"
    return ""


def came_of(episode: Episode) -> tuple[str, str]:
    """The figure when the rule acted, and the newest: clear once the episode is over."""
    before = figure(episode.facts)
    if episode.ended_at:
        return before, "clear"
    return before, figure(episode.after)


def episodes_of(workspace_id: int, actions: Sequence[Action]) -> dict[UUID, Episode]:
    """By action, for those that a rule ordered."""
    wanted = {a.pk: a.told["episode"] for a in actions if isinstance(a.told, dict) and a.told.get("episode")}
    found = Episode.objects.filter(workspace_id=workspace_id).in_bulk(list(set(wanted.values())))
    by_text = {str(pk): episode for pk, episode in found.items()}
    return {pk: by_text[named] for pk, named in wanted.items() if named in by_text}


def past(version: PolicyVersion | None) -> Past:
    made = Past()
    if report := made.read(version):
        most = max([*report["days"], 1])
        width = 100 / len(report["days"])
        made.bars = [
            Bar(f"{place * width:.2f}", f"{100 * n / most:.1f}", f"{100 - 100 * n / most:.1f}", n)
            for place, n in enumerate(report["days"])
        ]
        made.says, made.told, made.cut = _said(report), [_told(each) for each in report["told"]], report["cut"]
    return made


def _said(report: Mapping[str, Any]) -> str:
    if not report["readings"]:
        return "Nothing of this kind was measured yet: there is no past to try it on."
    said = f"In the last 30 days it would have acted {plural(report['acts'], 'time,times')}."
    if report["held_back"]:
        said += f" Its bounds would have held it back {plural(report['held_back'], 'time,times')} more."
    return said


def _told(each: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": each["name"],
        "began": datetime.fromisoformat(each["began"]),
        "minutes": each["minutes"],
        "why_not": HELD_BACK.get(each["why_not"], ""),
    }


def _row(episode: Episode, acts: list[Action]) -> HeldRow:
    before, after = came_of(episode)
    if episode.shadow:
        state, tone = ("Would have acted", "accent") if episode.acted_at else ("Watched", "")
    elif episode.acted_at:
        state, tone = ("Acted", "ok") if episode.ended_at else ("Acted, holds still", "human")
    else:
        state, tone = "Held back", "human"
    return HeldRow(episode, acts, state, tone, before, after, HELD_BACK.get(episode.held_back, ""))
