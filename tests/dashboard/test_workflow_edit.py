"""The editor of a declared workflow: its form, its faults, its picture, its versions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import orjson
import pytest
from django.test import Client

from dashboard.workflow_forms import Draft, StepDraft, long, of_body, seconds
from dashboard.workflow_picture import Drawn, picture
from orchestration.ledger.models import Entry
from orchestration.workflows import declared
from orchestration.workflows.declared_models import DefinitionVersion
from orchestration.workflows.definition import parse
from orchestration.workflows.fields import Fault
from orchestration.workspaces.models import Workspace
from tests import make
from tests.dashboard.conftest import region

pytestmark = pytest.mark.django_db
WHOLE: dict[str, Any] = {
    "name": "Refund",
    "words": "Money back",
    "retry_budget": 7,
    "if_fails": "undo",
    "steps": [
        {"id": "check", "name": "Check it", "owner": {"skill": "claims"}, "time_limit_s": 90, "wait_limit_s": 3600},
        {
            "id": "approve",
            "owner": {"human": "refunds"},
            "after": ["check"],
            "guard": "context.input.amount > 500",
            "ask": {
                "question": "Pay?",
                "proposal": "Pay",
                "why": "Much",
                "cost_of_waiting": "A day",
                "reversible": True,
            },
        },
        {
            "id": "pay",
            "name": "Pay it back",
            "owner": {"agent": "payer"},
            "after": ["check", "approve"],
            "idempotent": False,
            "keyed": True,
            "if_fails": "go_on",
            "retry": {
                "budget": 4,
                "rules": [{"on": ["timeout", "lost"], "attempts": 4, "wait_s": 0.5, "jitter": 0.25}],
            },
            "compensation": {
                "owner": {"webhook": "7"},
                "name": "Take it back",
                "retry": {"budget": 2, "rules": [{"on": [], "attempts": 2}]},
            },
        },
    ],
}


def form(draft: Draft, **more: Any) -> dict[str, Any]:
    """What a browser sends of a draft."""
    sent: dict[str, Any] = {
        "name": draft.name,
        "words": draft.words,
        "if_fails": draft.if_fails,
        "retry_budget": draft.retry_budget,
        "steps": len(draft.steps),
    }
    for place, step in enumerate(draft.steps):
        for name in StepDraft.__slots__:
            value = getattr(step, name)
            if name == "after":
                sent[f"s{place}-after"] = step.before
            elif name.endswith("rules"):
                for column in ("on", "attempts", "wait_s", "factor", "most_wait_s", "jitter"):
                    sent[f"s{place}-{name}-{column}"] = [getattr(rule, column) for rule in value]
            elif value is True:
                sent[f"s{place}-{name}"] = "1"
            elif value is not False:
                sent[f"s{place}-{name}"] = value
    return sent | more


def steps(*names: str) -> Draft:
    """One after another, each by an agent of its name."""
    drafts = [StepDraft(id=name, was=name, name=name, owner=name) for name in names]
    for before, step in pairwise(drafts):
        step.after = before.id
    return Draft("Refund", "", "stop", "", drafts)


def drafted(space: Workspace, body: dict[str, Any] | None = None) -> DefinitionVersion:
    make.workflow(space, "Refund")
    return declared.save(space.pk, parse(body or WHOLE), "person:author")


def page(client: Client, path: str = "/workflows/refund/edit/", **sent: Any) -> str:
    answer = client.post(path, sent) if sent else client.get(path)
    assert answer.status_code in (200, 422, 409), answer
    return answer.content.decode()


def test_a_definition_goes_through_the_form_unchanged(as_admin: Client, workspace: Workspace) -> None:
    version = drafted(workspace)
    before = version.body

    answer = as_admin.post("/workflows/refund/edit/", form(of_body(before), do="save", seen=version.digest))

    version.refresh_from_db()
    assert answer.status_code == 302
    assert version.body == before == parse(WHOLE).stored()


def test_a_new_workflow_has_a_page_before_its_first_run(as_admin: Client, workspace: Workspace) -> None:
    draft = steps("hear", "pay")
    draft.name = "Chargeback"

    answer = as_admin.post("/workflows/new/", form(draft, do="review"))

    assert answer["Location"] == "/workflows/chargeback/versions/1/"
    assert DefinitionVersion.objects.get().state == "draft"
    assert as_admin.get("/workflows/chargeback/").status_code == 200
    assert as_admin.post("/workflows/new/", form(draft, do="review")).status_code == 302  # the same press again
    assert DefinitionVersion.objects.count() == 1


def test_a_new_workflow_does_not_fall_upon_one_that_is_there(as_admin: Client, workspace: Workspace) -> None:
    version = drafted(workspace)

    answer = as_admin.post("/workflows/new/", form(steps("other"), do="save"))

    assert answer.status_code == 409
    assert "is declared already" in answer.content.decode()
    version.refresh_from_db()
    assert version.body == parse(WHOLE).stored()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("s1-owner", "", "This is needed."),
        ("s1-time_limit_s", "soon", "like 30 s, 10 m"),
        ("s1-guard", "context.steps.hear.ok ==", "Line 1"),
        ("s1-guard", "context.steps.later.ok == true", "No step later has ended"),
        ("s1-guard", "action.amount > 5.0", "A guard reads"),
        ("s1-after", ["gone"], "There is no step gone."),
        ("s1-after", ["pay"], "circle"),
        ("s1-rules-attempts", ["many"], "This has to be a number."),
        ("s1-id", "No spaces", "Small letters"),
        ("s1-owner_kind", "human", "This is needed."),
        ("retry_budget", "1e999", "This has to be a number."),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(
    as_admin: Client, workspace: Workspace, field: str, value: Any, said: str
) -> None:
    make.workflow(workspace, "Refund")
    sent = form(steps("hear", "pay"), do="save")
    for column in ("on", "attempts", "wait_s", "factor", "most_wait_s", "jitter"):
        sent[f"s1-rules-{column}"] = [""]

    answer = as_admin.post("/workflows/refund/edit/", sent | {field: value})

    text = answer.content.decode()
    assert answer.status_code == 422
    assert said in text
    assert 'value="pay"' in text
    assert not DefinitionVersion.objects.exists()


def test_buttons_add_move_and_remove_steps_without_saving(as_admin: Client, workspace: Workspace) -> None:
    make.workflow(workspace, "Refund")
    three = form(steps("a", "b", "c"))

    assert page(as_admin, **three, do="add-1").count('class="panel wstep"') == 4
    moved = page(as_admin, **three, do="up-2")
    assert moved.index('value="c"') < moved.index('value="b"')
    dropped = page(as_admin, **three, do="drop-1")
    assert dropped.count('class="panel wstep"') == 2
    assert 'name="s1-after" value="a" checked' in dropped  # c comes after what b came after
    assert page(as_admin, **three, do="drop-99").count('class="panel wstep"') == 3
    assert not DefinitionVersion.objects.exists()


def test_a_step_that_is_named_gives_its_id_to_those_that_follow(as_admin: Client, workspace: Workspace) -> None:
    draft = Draft("Refund", steps=[StepDraft(id="step_1", was="step_1", name="Check the claim", owner="x")])
    draft.steps.append(StepDraft(id="pay", was="pay", name="Pay", owner="x", after="step_1"))
    make.workflow(workspace, "Refund")

    as_admin.post("/workflows/refund/edit/", form(draft, do="save"))

    made = DefinitionVersion.objects.get().body["steps"]
    assert [(step["id"], step["after"]) for step in made] == [("check_the_claim", []), ("pay", ["check_the_claim"])]


def test_two_who_edit_at_once_are_told_apart(as_admin: Client, workspace: Workspace) -> None:
    version = drafted(workspace)
    seen = version.digest
    declared.save(workspace.pk, parse(WHOLE | {"words": "Theirs"}), "person:other")

    answer = as_admin.post("/workflows/refund/edit/", form(steps("mine"), do="save", seen=seen))

    assert answer.status_code == 409
    text = answer.content.decode()
    assert "has saved v1 meanwhile" in text
    assert 'value="mine"' in text
    assert DefinitionVersion.objects.get().body["words"] == "Theirs"


def test_a_definition_is_taken_in_and_given_out_as_json(as_admin: Client, workspace: Workspace) -> None:
    version = drafted(workspace)

    given = as_admin.get("/workflows/refund/versions/1.json")

    assert given["Content-Disposition"] == 'attachment; filename="refund-v1.json"'
    assert orjson.loads(given.content) == version.body
    taken = page(as_admin, **form(steps("x")), do="import", json=given.content.decode())
    assert 'value="Pay it back"' in taken
    assert 'value="Take it back"' in taken
    wrong = page(as_admin, **form(steps("x")), do="import", json='{"name": "Refund", "steps": [{"id": "a", "x": 1}]}')
    assert "steps[0].x: There is no such field here." in wrong
    assert "This is no JSON" in page(as_admin, **form(steps("x")), do="import", json="{")
    version.refresh_from_db()
    assert version.body == parse(WHOLE).stored()


def test_a_version_is_published_with_a_reason_and_the_history_tells_it(proven: Client, workspace: Workspace) -> None:
    version = drafted(workspace)
    sent = {"version": "1", "digest": version.digest}

    proven.post("/workflows/refund/publish/", sent)  # without a reason
    version.refresh_from_db()
    assert version.state == "draft"
    for _ in range(2):
        proven.post("/workflows/refund/publish/", sent | {"reason": "It is right"})

    version.refresh_from_db()
    assert version.state == "live"
    assert Entry.objects.filter(kind="workflow.published").count() == 1
    history = page(proven, "/workflows/refund/versions/")
    assert "v1 of" in history
    assert "It is right" in history
    assert "author" in history


def test_what_was_changed_after_it_was_looked_at_is_not_published(proven: Client, workspace: Workspace) -> None:
    digest = drafted(workspace).digest
    version = declared.save(workspace.pk, parse(WHOLE | {"words": "Other"}), "person:other")

    proven.post("/workflows/refund/publish/", {"version": "1", "digest": digest, "reason": "It is right"})

    version.refresh_from_db()
    assert version.state == "draft"


def test_going_back_is_one_press_and_a_second_one_changes_nothing(proven: Client, workspace: Workspace) -> None:
    first = drafted(workspace)
    declared.publish(first.pk, "person:author", "First")
    second = declared.save(workspace.pk, parse(WHOLE | {"words": "Second"}), "person:author")
    declared.publish(second.pk, "person:author", "Second")
    assert "Compare" in page(proven, "/workflows/refund/versions/")
    assert "Money back" in page(proven, "/workflows/refund/diff/1..2/")

    for _ in range(2):
        proven.post("/workflows/refund/revert/", {"version": "1", "live": "2"})

    assert dict(DefinitionVersion.objects.values_list("number", "state")) == {1: "live", 2: "retired"}
    assert Entry.objects.filter(kind="workflow.published").count() == 3
    proven.post("/workflows/refund/retire/", {"version": "1", "reason": "No longer"})
    assert not DefinitionVersion.objects.filter(state="live").exists()


def test_a_draft_is_thrown_away(as_admin: Client, workspace: Workspace) -> None:
    drafted(workspace)

    for expected in (302, 404):
        assert as_admin.post("/workflows/refund/discard/", {"version": "1"}).status_code == expected

    assert not DefinitionVersion.objects.exists()


def test_the_picture_comes_alone_and_is_the_page_s_own(as_admin: Client, workspace: Workspace) -> None:
    drafted(workspace)

    alone = as_admin.get("/workflows/refund/edit/", headers=region("picture")).content.decode().strip()

    assert alone.startswith("<section") or "<section" in alone[:200]
    assert "Pay it back by payer after Check it and approve" in alone
    assert alone[alone.index("<svg") : alone.index("</svg>")] in page(as_admin)


@pytest.mark.parametrize(
    ("text", "value"), [("90", 90), ("1 m 30 s", 90), ("2h", 7200), ("1 d", 86400), ("0,5 s", 0.5), ("10 mins", 600)]
)
def test_lengths_of_time_are_read_as_people_write_them(text: str, value: float) -> None:
    faults: list[Fault] = []

    assert seconds(text, "", faults) == value
    assert seconds(long(value), "", faults) == value
    assert faults == []


def test_a_line_past_a_layer_has_a_lane_of_its_own() -> None:
    drawn = [Drawn(name, name, "", "agent") for name in "abc"]

    found = picture(drawn, {"b": ["a"], "c": ["a", "b"]})

    assert [box.x for box in found.boxes] == sorted({box.x for box in found.boxes})
    assert len(found.lines) == 3
    assert found.words == "a at the beginning; b after a; c after a and b."


def test_a_circle_has_no_picture_and_says_so() -> None:
    drawn = [Drawn(name, name, "", "agent") for name in "ab"]

    assert "circle" in picture(drawn, {"a": ["b"], "b": ["a"]}).lacks


NONSENSE: list[tuple[str, dict[str, Any]]] = [
    ("edit/", {"steps": "\u00b2", "do": "drop-\u00b2"}),
    ("edit/", {"steps": "99999", "do": "add-99999", "name": "\0"}),
    ("edit/", {"steps": "1", "s0-name": "\0", "s0-id": "\x01", "do": "save", "reason": "\0"}),
    ("edit/", {"do": "import", "json": "[" * 5000}),
    ("edit/", {"do": "import", "json": '{"name": "\\u0000", "steps": [{"id": "a", "after": {}}]}'}),
    ("edit/", form(steps("hear"), do="save", reason="\0why")),
    ("publish/", {"version": "\u00b2", "reason": "x"}),
    ("publish/", {"version": "1", "digest": "\0", "reason": "\0x"}),
    ("revert/", {"version": "1", "live": "\u00b2"}),
    ("learn/", {"share": "\u00b2", "level": "\0"}),
]


def test_nonsense_is_refused_and_never_breaks_a_page(proven: Client, workspace: Workspace) -> None:
    drafted(workspace)

    found = [(path, sent, proven.post(f"/workflows/refund/{path}", sent).status_code) for path, sent in NONSENSE]

    assert [each for each in found if each[-1] not in (200, 302, 404, 409, 422)] == []
