"""Cases that a precedent answers by itself. All of this has to be so, and each is looked at again for each case:

1. every policy that asks for a person here says, in the very version that is live, that kept verdicts may answer; none
   is marked sensitive, and all knew the facts that they need
2. the act can be undone: the agent said so, and it was not left open
3. the precedent speaks (`precedents.mark`: neither revoked nor run out, the case within its bounds, nothing else kept
   that says otherwise), nobody has said otherwise of a case that it covers, and one person decides
4. whoever kept it is still a reviewer here and might decide this very case

What is not answered waits for a person, with the precedent beside it. What is answered is a receipt, is listed with the
precedent, and is among what is looked at afterwards (`sampling`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from escalations.assigning import kept_from
from escalations.models import Descendant, Escalation, Precedent
from orchestration.holds import as_before
from orchestration.holds.as_before import Before
from orchestration.holds.models import Answered
from orchestration.ledger import entries
from orchestration.policies.effects import ANSWER, Kind
from orchestration.policies.models import PolicyVersion
from orchestration.workspaces.models import Membership, User

Asked = Mapping[UUID, tuple[Mapping[str, Any], Mapping[str, Any]]]  # by hold: the hold and its decision, as rows
Rule = tuple[str, int]  # slug and version


def answer(workspace_id: int, cases: Iterable[Escalation], asked: Asked, now: datetime) -> list[Escalation]:
    """Answers what may be answered, of new cases that are stored already; returns these, closed. The transaction is the
    caller's."""
    covered = [case for case in cases if case.open and case.precedent_id and case.hold_id in asked]
    allowed = _allowed(workspace_id, covered, asked) if covered else []
    if not allowed:
        return []
    found = _by_their_people(workspace_id, _unopposed(allowed))
    told = {case.hold_id: _said(precedent) for case, precedent in found}
    done = as_before.answer(workspace_id, told, now) if told else set()
    closed = [(case, precedent) for case, precedent in found if case.hold_id in done]
    for case, _ in closed:
        case.open, case.closed_at = False, now
    Escalation.objects.filter(pk__in=done).update(open=False, closed_at=now)
    _listed(workspace_id, closed, now)
    return [case for case, _ in closed]


def _allowed(workspace_id: int, cases: Sequence[Escalation], asked: Asked) -> list[Escalation]:
    """By the act and by every rule that asked for a person."""
    wanted = {case.hold_id: _rules(*asked[case.hold_id]) for case in cases}
    known = letting(workspace_id, {rule for rules in wanted.values() for rule in rules})
    return [case for case in cases if wanted[case.hold_id] and wanted[case.hold_id] <= known]


def _rules(hold: Mapping[str, Any], decision: Mapping[str, Any]) -> set[Rule]:
    """Those that asked for a person; empty where no precedent may answer at all."""
    said = decision.get("answer") or {}
    if hold["reversible"] is not True or said.get("missing") or said.get("degraded"):
        return set()
    reasons = [each for each in said.get("reasons") or () if each.get("effect") == Kind.HOLD]
    if any(not isinstance(each.get("version"), int) for each in reasons):
        return set()
    return {(str(each.get("policy")), each["version"]) for each in reasons}


def letting(workspace_id: int, rules: set[Rule]) -> set[Rule]:
    """Those of the rules that are live and let kept verdicts answer wherever they ask a person."""
    if not rules:
        return set()
    named = PolicyVersion.objects.filter(
        policy__workspace=workspace_id, policy__slug__in={slug for slug, _ in rules}, policy__sensitive=False
    )
    live = named.filter(number__in={number for _, number in rules}).select_related("policy")
    return {
        (each.policy.slug, each.number) for each in live if each.policy.live == each.number and lets_answer(each.body)
    }


def lets_answer(body: Mapping[str, Any]) -> bool:
    """Whether a policy lets kept verdicts answer, wherever it asks a person."""
    effects = [body.get("then") or {}, body.get("otherwise") or {}]
    holds = [each for each in effects if each.get("kind") == Kind.HOLD]
    return bool(holds) and all(each.get("precedents") == ANSWER for each in holds)


def _unopposed(cases: Sequence[Escalation]) -> list[tuple[Escalation, Precedent]]:
    """With their precedents, where people have never said otherwise since. These are held still: one that is revoked at
    this moment answers nothing any more."""
    ids = {case.precedent_id for case in cases}
    opposed = Descendant.objects.filter(precedent__in=ids, agreed=False).values("precedent")
    named = Precedent.objects.filter(pk__in=ids, revoked_at=None).exclude(pk__in=opposed).order_by("pk")
    found = {each.pk: each for each in named.select_for_update(no_key=True)}
    return [(case, found[case.precedent_id]) for case in cases if case.precedent_id in found]


def _by_their_people(
    workspace_id: int, pairs: Sequence[tuple[Escalation, Precedent]]
) -> list[tuple[Escalation, Precedent]]:
    """Where whoever kept the precedent may decide the case himself."""
    by_person: dict[int, list[tuple[Escalation, Precedent]]] = defaultdict(list)
    for case, precedent in pairs:
        if precedent.said_by_id:
            by_person[precedent.said_by_id].append((case, precedent))
    may = Q(roles__contains=["reviewer"]) | Q(roles__contains=["admin"])
    members = Membership.objects.filter(may, workspace=workspace_id, user__in=by_person, user__is_active=True)
    found: list[tuple[Escalation, Precedent]] = []
    for member in members.select_related("user"):
        found += _his(workspace_id, member.user, by_person[member.user_id])
    return found


def _his(
    workspace_id: int, person: User, pairs: Sequence[tuple[Escalation, Precedent]]
) -> list[tuple[Escalation, Precedent]]:
    barred = kept_from(workspace_id, person, {case.hold_id: 1 for case, _ in pairs})
    raised = person.get_username()
    return [(case, each) for case, each in pairs if case.hold_id not in barred and case.raised_by != raised]


def _said(precedent: Precedent) -> Before:
    return Before(precedent.pk, Answered(precedent.verdict), precedent.note)


def _listed(workspace_id: int, pairs: Sequence[tuple[Escalation, Precedent]], now: datetime) -> None:
    rows = [
        Descendant(hold_id=case.hold_id, precedent_id=each.pk, workspace_id=workspace_id, agreed=True, at=now)
        for case, each in pairs
    ]
    Descendant.objects.bulk_create(rows, ignore_conflicts=True)
    entries.record_all(
        entries.draft(
            workspace_id,
            "precedent.used",
            ("precedent", str(each.pk)),
            "baton",
            {"hold": str(case.hold_id), "verdict": each.verdict, "agreed": True, "alone": True},
            now,
        )
        for case, each in pairs
    )
