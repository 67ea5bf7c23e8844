"""Draft, shadow, live, retired: every step, who may take it, and what has to be done first."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError
from django.urls import URLResolver, get_resolver
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.ledger.models import Entry
from orchestration.policies import lifecycle, live, rulebook
from orchestration.policies.lifecycle import Changed, NotNow
from orchestration.policies.models import Decision, Policy, PolicyVersion, Rulebook, State
from orchestration.policies.versions import BadBody
from orchestration.workspaces.models import User, Workspace

BODY: dict[str, Any] = {
    "condition": "action.amount <= limit",
    "then": {"kind": "allow"},
    "otherwise": {"kind": "hold", "skill": "refunds"},
    "limits": {"limit": 500},
}


@pytest.fixture
def author(workspace: Workspace) -> User:
    return User.objects.create_user(username=f"author-{secrets.token_hex(3)}")


@pytest.fixture
def second(workspace: Workspace) -> User:
    return User.objects.create_user(username=f"second-{secrets.token_hex(3)}")


@pytest.fixture
def draft(workspace: Workspace, author: User) -> PolicyVersion:
    return lifecycle.create(workspace, "Refund limit", author, BODY)


def decided(workspace: Workspace) -> None:
    """A decision is recorded: there is a history."""
    Decision.objects.create(
        workspace=workspace,
        id=uuid7(),
        at=timezone.now(),
        agent="bot",
        action_type="refund",
        effect="allow",
        facts={"action.type": "refund", "action.amount": 20.0},
        answer={},
    )


def replayed(version: PolicyVersion, ago: timedelta = timedelta()) -> None:
    PolicyVersion.objects.filter(pk=version.pk).update(
        replayed_at=timezone.now() - ago, replayed_digest=PolicyVersion.objects.get(pk=version.pk).digest
    )


def kinds(workspace: Workspace) -> list[str]:
    return list(Entry.objects.filter(workspace=workspace.pk).order_by("at").values_list("kind", flat=True))


def states(policy: Policy) -> dict[int, str]:
    return dict(policy.versions.values_list("number", "state"))


def limited(limit: float) -> dict[str, Any]:
    return BODY | {"limits": {"limit": limit}}


def test_a_draft_decides_nothing(draft: PolicyVersion, workspace: Workspace) -> None:
    assert live.book(workspace.pk).rules == ()


def test_what_is_published_is_in_force_and_noted(draft: PolicyVersion, workspace: Workspace, author: User) -> None:
    before = live.book(workspace.pk).generation

    lifecycle.publish(draft.policy_id, 1, author, "A first rule")

    book = live.book(workspace.pk)
    assert [(rule.slug, rule.version) for rule in book.rules] == [("refund-limit", 1)]
    assert book.generation > before
    assert kinds(workspace) == ["policy.created", "policy.published"]


def test_a_publication_needs_a_reason(draft: PolicyVersion, author: User) -> None:
    with pytest.raises(NotNow, match="why this changes"):
        lifecycle.publish(draft.policy_id, 1, author, "  ")


def test_publishing_twice_is_one_act(draft: PolicyVersion, workspace: Workspace, author: User) -> None:
    for _ in range(2):
        lifecycle.publish(draft.policy_id, 1, author, "A first rule")

    assert kinds(workspace).count("policy.published") == 1


def test_where_decisions_are_recorded_a_replay_comes_first(
    draft: PolicyVersion, workspace: Workspace, author: User
) -> None:
    decided(workspace)

    with pytest.raises(NotNow, match="Replay this version"):
        lifecycle.publish(draft.policy_id, 1, author, "No replay")
    replayed(draft)

    assert lifecycle.publish(draft.policy_id, 1, author, "Replayed").state == State.LIVE


def test_a_replay_of_an_earlier_draft_or_an_earlier_day_does_not_count(
    draft: PolicyVersion, workspace: Workspace, author: User
) -> None:
    decided(workspace)
    replayed(draft, timedelta(hours=25))
    with pytest.raises(NotNow, match="Replay"):
        lifecycle.publish(draft.policy_id, 1, author, "Too old")

    replayed(draft)
    lifecycle.save_draft(draft.policy_id, author, limited(900))

    with pytest.raises(NotNow, match="Replay"):
        lifecycle.publish(draft.policy_id, 1, author, "Changed since")


def test_example_cases_must_pass(workspace: Workspace, author: User) -> None:
    examples = [{"name": "Small one", "facts": {"action.amount": 10}, "effect": "deny"}]
    draft = lifecycle.create(workspace, "Refund limit", author, BODY | {"examples": examples})

    with pytest.raises(NotNow, match="Small one should be deny and is allow"):
        lifecycle.publish(draft.policy_id, 1, author, "Wrong on purpose")


def test_an_example_out_of_a_recorded_decision_knows_its_time(workspace: Workspace, author: User) -> None:
    facts = {"action.amount": 10, "now": timezone.now().isoformat()}
    examples = [{"name": "Recorded", "facts": facts, "effect": "allow"}]
    body = BODY | {"condition": "now > timestamp('2020-01-01T00:00:00Z')", "examples": examples}

    draft = lifecycle.create(workspace, "Time", author, body)

    assert lifecycle.publish(draft.policy_id, 1, author, "Fits").state == State.LIVE


def test_a_sensitive_policy_waits_for_another_person(draft: PolicyVersion, author: User, second: User) -> None:
    rulebook.describe(draft.policy_id, author, name="Refund limit", purpose="", sensitive=True)

    first = lifecycle.publish(draft.policy_id, 1, author, "Please look")
    again = lifecycle.publish(draft.policy_id, 1, author, "Please look")
    done = lifecycle.publish(draft.policy_id, 1, second, "")

    assert (first.state, again.state, done.state) == (State.DRAFT, State.DRAFT, State.LIVE)
    assert (done.proposed_by, done.published_by, done.reason) == (author, second, "Please look")


def test_a_proposal_ends_when_the_draft_is_changed(draft: PolicyVersion, author: User, second: User) -> None:
    rulebook.describe(draft.policy_id, author, name="Refund limit", purpose="", sensitive=True)
    lifecycle.publish(draft.policy_id, 1, author, "Please look")

    lifecycle.save_draft(draft.policy_id, second, limited(5000))

    assert lifecycle.publish(draft.policy_id, 1, second, "My own").state == State.DRAFT


def test_a_workspace_may_ask_for_two_people_everywhere(
    draft: PolicyVersion, workspace: Workspace, author: User, second: User
) -> None:
    rulebook.set_two_people(workspace, True, author)

    assert lifecycle.publish(draft.policy_id, 1, author, "One").state == State.DRAFT
    assert lifecycle.publish(draft.policy_id, 1, second, "Two").state == State.LIVE


def test_the_next_save_begins_the_next_version(draft: PolicyVersion, author: User) -> None:
    lifecycle.publish(draft.policy_id, 1, author, "First")

    saved = lifecycle.save_draft(draft.policy_id, author, limited(900))

    assert (saved.number, saved.based_on) == (2, 1)
    assert states(saved.policy) == {1: State.LIVE, 2: State.DRAFT}


def test_a_version_that_left_draft_stands_for_good(draft: PolicyVersion, author: User) -> None:
    version = lifecycle.publish(draft.policy_id, 1, author, "First")

    version.body = limited(9)
    with pytest.raises(IntegrityError, match="no draft any more"), transaction.atomic():
        version.save(update_fields=["body"])


def test_a_shadow_stands_beside_what_is_live(draft: PolicyVersion, workspace: Workspace, author: User) -> None:
    lifecycle.publish(draft.policy_id, 1, author, "First")
    lifecycle.save_draft(draft.policy_id, author, limited(900))

    lifecycle.start_shadow(draft.policy_id, author)

    book = live.book(workspace.pk)
    assert [rule.version for rule in book.rules] == [1]
    assert [rule.version for rule in book.shadows] == [2]


def test_a_shadow_goes_live_and_ends_what_was(draft: PolicyVersion, author: User) -> None:
    lifecycle.publish(draft.policy_id, 1, author, "First")
    lifecycle.save_draft(draft.policy_id, author, limited(900))
    lifecycle.start_shadow(draft.policy_id, author)
    rulebook.ask_of_shadows(draft.policy_id, author, rulebook.Gate(0, 0))

    version = lifecycle.publish(draft.policy_id, 2, author, "Shadow agreed")

    policy = Policy.objects.get(pk=draft.policy_id)
    assert states(policy) == {1: State.RETIRED, 2: State.LIVE}
    assert (policy.live, policy.shadow, version.state) == (2, None, State.LIVE)


def test_another_shadow_takes_the_place_of_the_first(draft: PolicyVersion, author: User) -> None:
    lifecycle.start_shadow(draft.policy_id, author)
    lifecycle.save_draft(draft.policy_id, author, limited(900))

    lifecycle.start_shadow(draft.policy_id, author)

    assert states(draft.policy) == {1: State.RETIRED, 2: State.SHADOW}


def test_a_shadow_that_is_stopped_ends(draft: PolicyVersion, workspace: Workspace, author: User) -> None:
    lifecycle.start_shadow(draft.policy_id, author)

    lifecycle.stop_shadow(draft.policy_id, author)
    lifecycle.stop_shadow(draft.policy_id, author)

    assert states(draft.policy) == {1: State.RETIRED}
    assert live.book(workspace.pk).shadows == ()


def test_one_press_reverts_as_a_new_version(draft: PolicyVersion, workspace: Workspace, author: User) -> None:
    lifecycle.publish(draft.policy_id, 1, author, "First")
    lifecycle.save_draft(draft.policy_id, author, limited(900))
    lifecycle.publish(draft.policy_id, 2, author, "Second")
    lifecycle.save_draft(draft.policy_id, author, limited(1200))

    version = lifecycle.revert(draft.policy_id, 1, author, "")

    assert version is not None
    assert (version.number, version.body, version.reason) == (4, draft.body, "Back to version 1")
    assert states(version.policy) == {1: State.RETIRED, 2: State.RETIRED, 3: State.DRAFT, 4: State.LIVE}
    assert live.book(workspace.pk).rules[0].limits == {"limit": 500.0}


def test_only_what_was_live_can_be_reverted_to(draft: PolicyVersion, author: User) -> None:
    lifecycle.start_shadow(draft.policy_id, author)
    lifecycle.stop_shadow(draft.policy_id, author)

    with pytest.raises(NotNow, match="never live"):
        lifecycle.revert(draft.policy_id, 1, author, "")


def test_a_version_that_ended_is_not_published_again(draft: PolicyVersion, author: User) -> None:
    lifecycle.start_shadow(draft.policy_id, author)
    lifecycle.stop_shadow(draft.policy_id, author)

    with pytest.raises(NotNow, match="has ended"):
        lifecycle.publish(draft.policy_id, 1, author, "Again")


def test_a_retired_policy_speaks_no_more_and_can_come_back(
    draft: PolicyVersion, workspace: Workspace, author: User
) -> None:
    lifecycle.publish(draft.policy_id, 1, author, "First")

    lifecycle.retire(draft.policy_id, author, "Not needed")
    assert live.book(workspace.pk).rules == ()

    lifecycle.revert(draft.policy_id, 1, author, "Needed again")
    assert len(live.book(workspace.pk).rules) == 1


def test_a_discarded_draft_leaves_what_is_live(draft: PolicyVersion, author: User) -> None:
    lifecycle.publish(draft.policy_id, 1, author, "First")
    lifecycle.save_draft(draft.policy_id, author, limited(900))

    lifecycle.discard(draft.policy_id, author)

    assert states(draft.policy) == {1: State.LIVE}


def test_a_policy_that_was_only_a_draft_goes_with_it(draft: PolicyVersion, workspace: Workspace, author: User) -> None:
    lifecycle.discard(draft.policy_id, author)

    assert not Policy.objects.filter(pk=draft.policy_id).exists()
    assert "policy.discarded" in kinds(workspace)


def test_who_saves_on_what_somebody_else_has_saved_is_told(draft: PolicyVersion, author: User, second: User) -> None:
    lifecycle.save_draft(draft.policy_id, second, limited(900), seen=draft.digest)

    with pytest.raises(Changed, match=second.username):
        lifecycle.save_draft(draft.policy_id, author, limited(700), seen=draft.digest)


def test_a_body_that_cannot_run_is_never_stored(workspace: Workspace, author: User) -> None:
    with pytest.raises(BadBody, match=r"condition"):
        lifecycle.create(workspace, "Bad", author, BODY | {"condition": "'a' * 9"})

    assert not Policy.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_who_publish_at_once_make_one_live_version(author: User, workspace: Workspace) -> None:
    draft = lifecycle.create(workspace, "Refund limit", author, BODY)
    second = User.objects.create_user(username=f"second-{secrets.token_hex(3)}")

    def press(by: User) -> str:
        try:
            return lifecycle.publish(draft.policy_id, 1, by, "At once").state
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(press, [author, second]))

    assert found == [State.LIVE, State.LIVE]
    assert Entry.objects.filter(workspace=workspace.pk, kind="policy.published").count() == 1


def test_the_default_is_changed_by_an_admin_and_noted(workspace: Workspace, author: User) -> None:
    rulebook.set_default(workspace, "hold", author)

    assert live.book(workspace.pk).default.kind == "hold"
    entry = Entry.objects.get(workspace=workspace.pk, kind="rules.default")
    assert orjson.loads(entry.body)["told"] == {"before": "allow", "after": "hold"}


def test_the_default_is_never_something_that_needs_parameters(workspace: Workspace, author: User) -> None:
    with pytest.raises(NotNow):
        rulebook.set_default(workspace, "route", author)


def test_where_two_people_are_asked_for_one_does_not_loosen_the_default(
    workspace: Workspace, author: User, second: User
) -> None:
    rulebook.set_default(workspace, "deny", author)
    rulebook.set_two_people(workspace, True, author)

    alone = [rulebook.set_default(workspace, "allow", author) for _ in range(3)]
    kept = Rulebook.objects.get(workspace=workspace).default_effect
    together = rulebook.set_default(workspace, "allow", second)

    assert (alone, kept, together) == ([False] * 3, "deny", True)
    assert Rulebook.objects.get(workspace=workspace).default_effect == "allow"


@pytest.mark.parametrize("name", ["Bundle", " second! ", "DEFAULT"])
def test_a_word_that_is_an_address_is_no_name(workspace: Workspace, author: User, name: str) -> None:
    with pytest.raises(NotNow, match="the word means something else in addresses"):
        lifecycle.create(workspace, name, author, BODY)

    assert lifecycle.create(workspace, f"{name} of refunds", author, BODY).policy.slug.endswith("of-refunds")


def test_every_address_below_those_of_policies_is_reserved() -> None:
    def words(patterns: Iterable[Any], before: str = "") -> Iterator[str]:
        for each in patterns:
            path = before + str(each.pattern)
            if isinstance(each, URLResolver):
                yield from words(each.url_patterns, path)
            elif found := re.fullmatch(r"(?:api/v1/)?policies/([^/<]+)/?.*", path):
                yield found[1]

    assert set(words(get_resolver().url_patterns)) <= lifecycle.RESERVED
