"""The editor: what is typed, what is said of it, what is stored, and the steps to live."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from dashboard import policy_acts, policy_forms
from dashboard.policy_check import check, tokens
from orchestration.policies import lifecycle, live, standing
from orchestration.policies.effects import Kind
from orchestration.policies.models import Policy, PolicyVersion
from orchestration.workspaces.models import Membership, User, Workspace
from tests import make, scenes
from tests.conftest import person
from tests.dashboard.conftest import region
from tests.dashboard.policy_scene import BODY, decided, draft, published, sent

EDIT = "/policies/refund-limit/edit/"


def begin() -> None:
    space = make.workspace()
    draft(space, person(space, "admin", "admin"))


one_draft = scenes.scene(begin)


@pytest.fixture
def admin(workspace: Workspace) -> User:
    return User.objects.get(username="admin")


@pytest.fixture
def version(workspace: Workspace) -> PolicyVersion:
    return PolicyVersion.objects.get()


def text(answer: Any) -> str:
    return str(answer.content.decode())


def asked(client: Client, target: str, **more: Any) -> str:
    return text(client.post(EDIT, sent(**more), headers=region(target)))


def second_admin(workspace: Workspace) -> User:
    user = User.objects.create_user("second", password="second-password-12")
    Membership.objects.create(user=user, workspace=workspace, roles=["admin"])
    return user


# ---- what is typed


def test_the_form_holds_what_is_stored(as_admin: Client, version: PolicyVersion) -> None:
    seen = text(as_admin.get(EDIT))

    assert 'name="row-field" value="action.amount"' in seen
    assert f'name="seen" value="{version.digest}"' in seen
    assert "Valid, 2 fields known" in seen


@pytest.mark.parametrize(
    ("change", "effect"),
    [
        ({"then-kind": "deny"}, {"kind": "deny"}),
        (
            {
                "then-kind": "hold",
                "then-skill": "law",
                "then-due": "90",
                "then-people": "2",
                "then-on_timeout": "reject",
            },
            {"kind": "hold", "skill": "law", "due_s": 5400, "people": 2, "on_timeout": "reject"},
        ),
        ({"then-kind": "hold", "then-precedents": "answer"}, {"kind": "hold", "precedents": "answer"}),
        ({"then-kind": "peer", "then-to": "checker"}, {"kind": "peer", "to": "checker"}),
        ({"then-kind": "route", "then-to": "kyc"}, {"kind": "route", "to": "kyc"}),
        (
            {"then-kind": "evidence", "then-evidence": "photo\r\n\r\ninvoice"},
            {"kind": "evidence", "evidence": ["photo", "invoice"]},
        ),
        ({"then-kind": "amend", "then-amount": "1,000"}, {"kind": "amend", "amount": 1000.0}),
        ({"then-kind": "amend", "then-amount": ""}, {"kind": "amend"}),
        ({"then-kind": "delay", "then-delay": "10"}, {"kind": "delay", "seconds": 600}),
        ({"then-kind": "allow", "then-share": "12.5%"}, {"kind": "allow", "check_share": 0.125}),
    ],
)
def test_every_effect_is_stored_with_its_parameters(
    as_admin: Client, version: PolicyVersion, change: dict[str, str], effect: dict[str, Any]
) -> None:
    answer = as_admin.post(EDIT, sent(do="save", seen=version.digest, **change))

    version.refresh_from_db()
    assert answer.status_code == 302
    assert version.body["then"] | effect == version.body["then"]
    again = policy_forms.of_body(version.body).body()
    assert again == version.body


@pytest.mark.parametrize("part", ["then", "otherwise"])
@pytest.mark.parametrize("kind", ["route", "peer"])
def test_an_agent_that_is_not_there_is_refused_with_near_names(
    as_admin: Client, workspace: Workspace, version: PolicyVersion, part: str, kind: str
) -> None:
    make.agent(workspace, "kyc-screener")

    def to(name: str) -> dict[str, str]:
        return {f"{part}-kind": kind, f"{part}-to": name}

    answer = as_admin.post(EDIT, sent(do="save", seen=version.digest, **to("kyc-screner")))
    right = as_admin.post(EDIT, sent(do="save", seen=version.digest, **to("kyc-screener")))

    assert answer.status_code == 422
    assert "There is no agent called kyc-screner. Near to it: desk-kyc-screener." in text(answer)
    assert right.status_code == 302


def test_no_effect_is_left_out_of_the_choice(as_admin: Client, version: PolicyVersion) -> None:
    seen = text(as_admin.get(EDIT)).split('name="then-kind"')[1].split("</select>")[0]

    assert set(re.findall(r'value="(\w+)"', seen)) == {kind.value for kind in Kind}


def test_rows_are_stored_as_the_condition_that_they_are(as_admin: Client, version: PolicyVersion) -> None:
    rows = {
        "shape": "form",
        "joiner": "all",
        "row-group": ["0", "1", "1"],
        "row-field": ["action.amount", "context.returned", "agent.kind"],
        "row-op": ["between", "yes", "one_of"],
        "row-value": ["10", "", "rpa, script"],
        "row-second": ["limit", "", ""],
    }

    as_admin.post(EDIT, sent(do="save", seen=version.digest, **rows))

    version.refresh_from_db()
    assert version.body["condition"] == (
        "action.amount >= 10 && action.amount <= limit\n"
        "  && (context.returned == true || agent.kind in ['rpa', 'script'])"
    )


@pytest.mark.parametrize(
    ("do", "shown"),
    [
        ("cel", 'class="field cel"'),
        ("add-group", 'name="row-group" value="1"'),
        ("add-0", 'name="row-group" value="0"'),
        ("drop-0-0", "No row: in every case"),
        ("fact-0-0-action.type", 'value="action.type"'),
        ("nonsense-9-9", 'name="row-field"'),
        ("drop-9-9", 'name="row-field"'),
        ("drop-x", 'name="row-field"'),
        ("example-nonsense", 'name="row-field"'),
    ],
)
def test_buttons_change_what_is_shown_and_store_nothing(
    as_admin: Client, version: PolicyVersion, do: str, shown: str
) -> None:
    row = {"row-group": "0", "row-field": "action.amount", "row-op": "le", "row-value": "limit", "row-second": ""}

    whole = text(as_admin.post(EDIT, sent(do=do, shape="form", joiner="all", **row)))
    part = asked(as_admin, "rule", do=do, shape="form", joiner="all", **row)

    assert shown in whole
    assert shown in part
    assert "<html" not in part
    assert PolicyVersion.objects.get(pk=version.pk).body == version.body


def test_a_near_name_is_taken_with_one_press(as_admin: Client, version: PolicyVersion) -> None:
    wrong = "action.type == 'refund' &&\n  action.amout <= limit"
    seen = asked(as_admin, "check", condition=wrong)
    assert "Line 2, column 3" in seen
    press = re.search(r'value="(near-[^"]+)"', seen)

    assert press
    assert "action.amount &lt;= limit" in asked(as_admin, "rule", do=press[1], condition=wrong)


def test_what_rows_cannot_say_stays_cel_and_says_so(as_admin: Client, version: PolicyVersion) -> None:
    seen = asked(as_admin, "rule", do="form", condition="action.amount * 2 > limit")

    assert "it stays CEL" in seen
    assert "action.amount * 2 &gt; limit" in seen


# ---- what is said of it


def test_a_check_says_what_is_wrong_and_stores_nothing(as_admin: Client, version: PolicyVersion) -> None:
    seen = asked(as_admin, "check", **{"otherwise-due": "soon", "limit-name": ["x y"], "limit-value": ["1"]})

    assert seen.strip().startswith('<div class="grid tight-stack" id="check"')
    assert {"otherwise.due_s", "limits"} <= set(re.findall(r"<code>([\w.]+)</code>", seen))
    assert 'id="verdict"' in seen
    assert PolicyVersion.objects.get(pk=version.pk).body == version.body


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("action.amount > 0", "Always true."),
        ("action.amount < 0", "Never true."),
        ("context.retruned == true", "No agent has sent context.retruned yet."),
        ("run.errors > 1", "It could not be told in 40 cases (100%)."),
    ],
)
def test_history_tells_what_a_rule_is_worth(
    as_admin: Client, workspace: Workspace, version: PolicyVersion, condition: str, says: str
) -> None:
    decided(workspace, 40)

    assert says in asked(as_admin, "check", condition=condition)


def test_a_scope_in_which_nothing_lies_is_told(as_admin: Client, workspace: Workspace, version: PolicyVersion) -> None:
    decided(workspace, 40)

    assert "It speaks of nothing." in asked(as_admin, "check", **{"scope-types": "refnd"})


def test_shadowed_and_conflicting_rules_are_told(workspace: Workspace, admin: User) -> None:
    strict = published(workspace, admin, "No refunds", then={"kind": "deny"}, otherwise={"kind": "deny"})
    mild = published(workspace, admin, "All refunds", then={"kind": "allow"}, otherwise={"kind": "allow"})
    decided(workspace, 40)
    history, rules = standing.lately(workspace.pk), live.book(workspace.pk).rules

    def says(policy: Policy) -> list[str]:
        body = policy.versions.get(number=1).body
        return [note.says for note in check(policy, policy_forms.of_body(body), None, rules, history).notes]

    assert "Shadowed by No refunds." in says(mild)
    assert "In conflict with All refunds." in says(strict)


def test_fewer_than_thirty_cases_prove_nothing(as_admin: Client, workspace: Workspace, version: PolicyVersion) -> None:
    decided(workspace, 29)

    assert "Always true" not in asked(as_admin, "check", condition="action.amount > 0")


def test_the_difference_from_what_is_live_follows_what_is_typed(
    as_admin: Client, workspace: Workspace, admin: User
) -> None:
    Policy.objects.all().delete()
    published(workspace, admin)

    seen = asked(as_admin, "check", **{"limit-value": ["900", ""]})

    assert "<del>" in seen
    assert "<mark>900</mark>" in seen


def test_the_parts_of_a_rule_are_told_apart() -> None:
    (line,) = tokens("a.limit <= limit && b == 'limit 5' // 5")

    assert [(token.text, token.look) for token in line if token.look] == [
        ("limit", "k"),
        ("'limit 5'", "s"),
        ("// 5", "c"),
    ]


def test_hostile_text_is_text(as_admin: Client, workspace: Workspace, version: PolicyVersion) -> None:
    decided(workspace, 1, agent="<script>alert(1)</script>", action_type="refund", run="<img src=x>")

    seen = text(as_admin.get(EDIT))

    assert "<script>alert" not in seen
    assert "&lt;script&gt;" in seen


# ---- examples


def test_a_recorded_decision_becomes_an_example_with_one_press(
    as_admin: Client, workspace: Workspace, version: PolicyVersion
) -> None:
    (decision,) = decided(workspace, 1, verdict="reject")

    seen = text(as_admin.post(EDIT, sent(do=f"example-{decision.id}")))

    assert "refund of 620 by refund-bot" in seen
    assert "should be: refuse, is: ask a person" in seen


def test_a_decision_of_another_workspace_is_none(as_admin: Client, version: PolicyVersion, stranger: User) -> None:
    (decision,) = decided(Workspace.objects.get(slug="elsewhere"), 1)

    assert "refund of 620" not in text(as_admin.post(EDIT, sent(do=f"example-{decision.id}")))


def test_examples_that_do_not_pass_keep_a_policy_from_going_live(
    proven: Client, workspace: Workspace, version: PolicyVersion
) -> None:
    example = {"example-name": "Small", "example-effect": "deny", "example-facts": '{"action.amount": 5}'}
    proven.post(EDIT, sent(do="save", seen=version.digest, **example))

    answer = proven.post("/policies/refund-limit/publish/", {"version": 1, "reason": "Try"}, follow=True)

    assert "Small should be deny and is allow" in text(answer)
    assert Policy.objects.get(pk=version.policy_id).live is None


def test_offers_are_unlike_and_those_people_judged_come_first(workspace: Workspace, version: PolicyVersion) -> None:
    decided(workspace, 5)
    decided(workspace, 1, verdict="reject", amount=777)

    found = policy_acts.offers(policy_forms.of_body(version.body), workspace.pk)

    assert [offer.expected for offer in found] == ["deny", "hold"]


# ---- what is stored


def test_nothing_is_lost_when_something_is_wrong(as_admin: Client, version: PolicyVersion) -> None:
    answer = as_admin.post(
        EDIT, sent(do="save", seen=version.digest, condition="action.amount <=", **{"then-words": "Keep me"})
    )

    assert answer.status_code == 422
    assert 'value="Keep me"' in text(answer)
    assert PolicyVersion.objects.get(pk=version.pk).body == version.body


@pytest.mark.parametrize(
    "more",
    [
        {"limit-value": ["nan"]},
        {"limit-value": ["1e99"]},
        {"limit-name": ["limit"], "limit-value": ["\0"]},
        {"condition": "a" * 5000},
        {"condition": "((((" * 40},
        {"condition": "\0"},
        {"then-kind": "explode"},
        {"example-name": "x", "example-effect": "hold", "example-facts": "[" * 500},
        {"example-name": "x", "example-effect": "nope", "example-facts": '{"now": "never"}'},
        {
            "shape": "form",
            "row-group": ["0"] * 300,
            "row-field": ["x"] * 300,
            "row-op": ["le"] * 300,
            "row-value": ["1"] * 300,
            "row-second": [""] * 300,
        },
        {"scope-types": "\n".join(str(n) for n in range(500))},
        {"otherwise-due": "-5"},
        {"then-share": "400"},
    ],
)
def test_nonsense_is_told_and_never_a_fault_of_ours(
    as_admin: Client, version: PolicyVersion, more: dict[str, Any]
) -> None:
    for do, target in (("save", ""), ("show", "check"), ("form", "rule"), ("cel", "rule")):
        form, part = sent(do=do, seen=version.digest, **more), region(target) if target else {}
        assert as_admin.post(EDIT, form, headers=part).status_code in (200, 422)


def test_who_was_slower_sees_both_and_may_go_on(as_admin: Client, workspace: Workspace, version: PolicyVersion) -> None:
    other = second_admin(workspace)
    theirs = lifecycle.save_draft(version.policy_id, other, BODY | {"limits": {"limit": 750}})

    answer = as_admin.post(EDIT, sent(do="save", seen=version.digest, **{"limit-value": ["900", ""]}))

    seen = text(answer)
    assert answer.status_code == 409
    assert "second has saved v1 meanwhile" in seen
    assert {"750", "900"} <= set(re.findall(r"<mark>(\d+)</mark>", seen))
    assert f'name="seen" value="{theirs.digest}"' in seen
    assert PolicyVersion.objects.get(pk=version.pk).body["limits"] == {"limit": 750.0}


def test_a_draft_that_was_published_meanwhile_is_a_conflict(
    as_admin: Client, workspace: Workspace, version: PolicyVersion
) -> None:
    lifecycle.publish(version.policy_id, 1, second_admin(workspace), "Mine")

    assert as_admin.post(EDIT, sent(do="save", seen=version.digest)).status_code == 409


@pytest.mark.parametrize("role", ["operator", "reviewer"])
def test_only_an_admin_edits(client: Client, workspace: Workspace, version: PolicyVersion, role: str) -> None:
    person = User.objects.create_user("somebody")
    Membership.objects.create(user=person, workspace=workspace, roles=[role])
    client.force_login(person)

    assert client.get(EDIT).status_code == 403
    for step in ("edit", "publish", "shadow", "unshadow", "replay", "revert", "retire", "discard", "describe", "gate"):
        assert client.post(f"/policies/refund-limit/{step}/", sent(do="save")).status_code == 403


def test_a_policy_of_another_workspace_is_none(client: Client, version: PolicyVersion, stranger: User) -> None:
    client.force_login(stranger)

    assert client.get(EDIT).status_code == 404
    assert client.get("/policies/refund-limit/").status_code == 404
    assert client.post("/policies/refund-limit/discard/").status_code == 404
    assert Policy.objects.count() == 1
