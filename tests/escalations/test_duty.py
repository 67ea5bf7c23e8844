"""From hold to person: whoever is asked first may decide it, against one after the other in turn."""

from __future__ import annotations

from itertools import cycle

import pytest

from escalations import assigning, intake
from escalations.models import Batch, Escalation
from orchestration.holds.models import Hold
from orchestration.workspaces.models import User, Workspace
from tests.escalations import held
from tests.escalations.duty import keeps_from, knows, member, works
from tests.judge import roster
from tests.judge.roster import Case

pytestmark = pytest.mark.django_db


def employ(space: Workspace) -> dict[str, User]:
    found = {}
    for each in roster.members():
        who = found[each.name] = member(space, each.name)
        works(space, who, each.hours, each.away_until)
        for skill, (level, most, languages) in each.skills.items():
            knows(space, who, skill, level, most, languages=list(languages))
        for subject in set(each.keeps_from):
            keeps_from(space, who, subject.upper())
    return found


def asked(space: Workspace, cases: list[Case], people: dict[str, User]) -> list[Hold]:
    """Each of a policy of its own, so that each is a batch."""
    found = held.holds(
        space,
        [
            {
                "amount": each.amount,
                "arguments": {"account": each.account},
                "context": {"language": each.language} if each.language else {},
                "skill": each.skill,
                "people": each.people,
                "policy": f"policy-{place}",
                "first": {"by": people[each.first].pk, "answer": "approve", "amend": None} if each.first else None,
            }
            for place, each in enumerate(cases)
        ],
    )
    intake.take_in()
    for hold, each in zip(found, cases, strict=True):
        if each.raised_by:
            Escalation.objects.filter(pk=hold.pk).update(raised_by=each.raised_by)
    return found


def test_whoever_is_asked_first_may_decide_it(workspace: Workspace) -> None:
    cases, members = roster.cases(), roster.members()
    holds = asked(workspace, cases, employ(workspace))

    for now in roster.MOMENTS.values():
        Batch.objects.update(assigned_to=None)
        assigning.match(now)
        names = dict(Batch.objects.values_list("escalations__hold_id", "assigned_to__username"))
        able = [{each.name for each in members if roster.right(each, case, now)} for case in cases]
        turns = cycle(each.name for each in members)
        simple = sum(next(turns) in fit for fit in able)
        said = [names[hold.pk] for hold in holds]
        right = sum(who in fit if fit else who is None for who, fit in zip(said, able, strict=True))
        assert right >= 0.95 * len(cases)
        assert right > 2 * simple
