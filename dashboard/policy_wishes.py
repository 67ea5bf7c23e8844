"""What waits for a second person, beside versions to be published, in words."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.ledger_words import rates_changed
from dashboard.policy_words import lower
from orchestration.policies import proposals
from orchestration.policies.effects import WORDS, Kind
from orchestration.policies.models import Act, Policy, Proposal
from orchestration.workspaces.models import User, Workspace


@dataclass(frozen=True, slots=True)
class Wish:
    proposal: Proposal
    words: str
    mine: bool  # who looks has asked for it, and cannot agree


def wishes(workspace: Workspace, person: User, policy: Policy | None = None) -> list[Wish]:
    """All of a workspace, or those of one policy; the oldest first."""
    found = proposals.open_of(workspace)
    found = found.filter(policy=policy) if policy else found
    return [Wish(each, words(each), each.asked_by_id == person.pk) for each in found]


def words(proposal: Proposal) -> str:
    """What comes after `asks to`."""
    told, name = proposal.told, proposal.policy.name if proposal.policy else ""
    if proposal.act == Act.GATE:
        return f"let a shadow of {name} go live after {gate_words(told)} instead of {gate_words(told['before'])}"
    if proposal.act == Act.DEFAULT:
        return f"change what holds when no policy speaks: {lower(WORDS[Kind(told['after'])])}"
    if proposal.act == Act.RATES:
        return f"change the exchange rates: {rates_changed(told)}"
    return {
        Act.REVERT: f"revert {name} from v{told.get('live')} to v{told.get('version')}",
        Act.RETIRE: f"retire {name}",
        Act.EASE: f"let one person alone publish {name}",
        Act.ALONE: "let one person alone publish any policy",
    }[Act(proposal.act)]


def gate_words(told: dict[str, object]) -> str:
    return f"{told['decisions']} decisions in {told['days']} days, {told['agreement']} of them equal"
