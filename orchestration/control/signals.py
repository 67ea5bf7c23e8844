"""The sweep of signals: measure, keep what is new of it, ask the rules, act.

1. measure  what rules look at; all of it once a minute, so that rules to come can be tried on what was
2. keep     what differs from before, by the minute (`policies.readings`)
3. ask      each rule of each thing that its signal was measured of; what it acts upon together is one episode
4. act      in a transaction for each episode (`autonomy.episodes`); what holds no more comes to its end

Safe when two run: an episode is one row, and what it orders has a key.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from django.utils import timezone

from orchestration.autonomy import episodes
from orchestration.autonomy.episodes import Seen
from orchestration.autonomy.models import Episode
from orchestration.control.measuring import Measured, measured
from orchestration.lib.pulse import publish
from orchestration.policies import cel, readings
from orchestration.policies.models import PolicyVersion, State, Subject
from orchestration.policies.readings import Read
from orchestration.policies.signal_kinds import SIGNALS
from orchestration.policies.signal_rules import SignalRule
from orchestration.registry.models import Agent
from orchestration.workspaces.models import Workspace

log = structlog.get_logger(__name__)
EVERY_S = 55.0  # after which all is measured, also what no rule looks at

RULES = PolicyVersion.objects.filter(
    policy__subject=Subject.SIGNAL, policy__retired_at=None, state__in=[State.LIVE, State.SHADOW]
)

_whole: dict[int, float] = {}  # by workspace: when all was last measured by this process


def sweep() -> int:
    """Of all workspaces; returns how many acts were ordered. One that cannot be swept takes no other with it."""
    acts, busy = 0, _busy()
    for workspace in Workspace.objects.all():
        if workspace.pk not in busy and not _due(workspace.pk):
            continue
        try:
            acts += sweep_one(workspace)
        except Exception:
            log.exception("signals_failed", workspace=workspace.slug)
    return acts


def sweep_one(workspace: Workspace, now: datetime | None = None) -> int:
    now = now or timezone.now()
    rules = rules_of(workspace.pk)
    wanted = {rule.signal for rule, _ in rules}
    if _due(workspace.pk):
        wanted, _whole[workspace.pk] = set(SIGNALS), time.monotonic() + EVERY_S
    if wanted and Agent.objects.filter(workspace=workspace).exists():
        found = measured(workspace, now, sorted(wanted))
        readings.keep(workspace.pk, wanted, [_read(each) for each in found], now)
    else:
        found = []
    acts = _ask(workspace, rules, found, now)
    if acts:
        publish(workspace.pk, "run")
    return acts


def rules_of(workspace_id: int) -> list[tuple[SignalRule, bool]]:
    """Those in force and those that only watch (True), ready to run."""
    found = (
        RULES.filter(policy__workspace_id=workspace_id)
        .select_related("policy")
        .order_by("policy__created_at", "policy_id")
    )
    return [(rule, version.state == State.SHADOW) for version in found if (rule := rule_of(version))]


def rule_of(version: PolicyVersion) -> SignalRule | None:
    """None where a later release cannot read it any more: it then does nothing, and the log says so."""
    policy = version.policy
    try:
        return SignalRule.of_body(policy.pk, policy.slug, policy.name, version.number, version.body)
    except (cel.Invalid, KeyError, ValueError, TypeError):
        log.exception("rule_unusable", policy=str(policy.pk), version=version.number)
        return None


def forget() -> None:
    """Empty the memory, between tests."""
    _whole.clear()


def _busy() -> set[int]:
    """The workspaces with a rule that looks, or with an episode that has to end."""
    rules = RULES.values_list("policy__workspace_id", flat=True)
    return {*rules, *Episode.objects.filter(ended_at=None).values_list("workspace_id", flat=True)}


def _due(workspace_id: int) -> bool:
    return time.monotonic() >= _whole.get(workspace_id, 0.0)


def _read(each: Measured) -> Read:
    tied = {kind: list(named) for kind, named in each.tied.items()}
    return Read(each.signal, each.target, each.name, dict(each.facts), tied)


def _ask(
    workspace: Workspace, rules: Sequence[tuple[SignalRule, bool]], found: Sequence[Measured], now: datetime
) -> int:
    acts, held = 0, set()
    for rule, shadow in rules:
        for seen in seen_by(rule, [each for each in found if each.signal == rule.signal]):
            acts += len(episodes.note(workspace.pk, rule, seen, now, shadow=shadow))
            held.add((rule.policy, shadow, seen.kind, seen.target))
    by_policy = {rule.policy: rule for rule, _ in rules}
    _clear(workspace.pk, by_policy, held, now)
    return acts


def _clear(
    workspace_id: int, rules: Mapping[UUID, SignalRule], held: set[tuple[UUID, bool, str, str]], now: datetime
) -> None:
    rows = Episode.objects.filter(workspace_id=workspace_id, ended_at=None)
    names = rows.values_list("pk", "policy_id", "shadow", "target_kind", "target")
    going = [pk for pk, *place in names if tuple(place) in held]
    episodes.clear(workspace_id, rules, going, now)


def seen_by(rule: SignalRule, found: Iterable[Measured]) -> list[Seen]:
    """What a rule holds of now, by what it acts upon."""
    together: dict[tuple[str, str], list[Measured]] = {}
    for each in found:
        named = each.tied.get(rule.of)
        if named and rule.holds(each.facts) is True:
            together.setdefault(named, []).append(each)
    return [
        Seen(rule.of, target, name, [each.target for each in cases], _worst(cases).facts, _worst(cases).runs)
        for (target, name), cases in together.items()
    ]


def _worst(cases: Sequence[Measured]) -> Measured:
    return max(cases, key=lambda each: sum(v for n, v in each.facts.items() if n.startswith("signal.") and _number(v)))


def _number(value: object) -> bool:
    return isinstance(value, float)
