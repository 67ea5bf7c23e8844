"""What a batch is called. In Baton's own words and names that admins gave: never in words that an agent sent."""

from __future__ import annotations

import re

from escalations.models import Escalation
from orchestration.policies.models import Policy

NO_POLICY = {"default": "", "supervise": "Supervised agent"}  # what stands in the place of one
_PARTS = re.compile(r"[._\-\s]+")


def title(case: Escalation) -> str:
    """As `title_of`, the policy by the name that people gave it."""
    found = Policy.objects.filter(workspace_id=case.workspace_id, slug=case.policy) if case.version else None
    return title_of(case, (found.values_list("name", flat=True).first() or "") if found else "")


def title_of(case: Escalation, name: str = "") -> str:
    """`name`: of the policy that asked, where it has one; else its words are read from its address."""
    policy = name or (words(case.policy) if case.version else NO_POLICY.get(case.policy, words(case.policy)))
    act = words(case.action_type)
    if not act:
        return policy or f"Questions of {case.agent}"
    if not policy:
        return act
    return policy if _known(act, policy) else f"{act} · {policy}"


def words(name: str) -> str:
    """`address.change` as "Address change"."""
    told = " ".join(part for part in _PARTS.split(name) if part)
    return told[:1].upper() + told[1:]


def _known(act: str, policy: str) -> bool:
    """Whether the policy's name says already what is done."""
    said = {word.rstrip("s") for word in policy.casefold().split()}
    return act.casefold().split()[0].rstrip("s") in said
