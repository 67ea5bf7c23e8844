"""Handoff quality, what a pair of agents needs, and one handoff."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.handoff_forms import DemandForm
from dashboard.handoff_words import finding
from dashboard.run_shared import handed
from orchestration.handoffs import quality, sending
from orchestration.handoffs.demands import Demanded, Fact
from orchestration.handoffs.given import Wrong
from orchestration.handoffs.models import Demand, Envelope, Handoff
from orchestration.handoffs.quality import Line
from orchestration.ledger.models import Entry
from orchestration.workflows.fold import fold
from orchestration.workflows.story import Handoff as Seen
from orchestration.workspaces.models import Membership, User, Workspace
from tests import make
from tests.handoffs.spoken import envelope, speaker

NEEDS = {
    "sender": "support-triage",
    "receiver": "billing",
    "version": "0",
    "facts": "order: text\nnote?: text",
    "evidence": "1",
    "done": "0",
    "classes": "",
}
PAIR = "/handoffs/between/?from=support-triage&to=billing"


def lines(workspace: Workspace) -> dict[tuple[str, str], Line]:
    now = timezone.now()
    return {line.pair: line for line in quality.pairs(workspace.pk, now - timedelta(days=1), now, now)}


def taken(workspace: Workspace, after_s: float, *steps: str) -> None:
    all_of = speaker(workspace)
    row = sending.send(all_of, envelope(), "")
    for step in steps:
        sending.step(all_of, row.pk, step, {"reason": "No"} if step == "reject" else None, "")
    fresh = Envelope.objects.get(pk=row.pk)
    if fresh.accepted_at:
        Envelope.objects.filter(pk=row.pk).update(accepted_at=fresh.sent_at + timedelta(seconds=after_s))


def test_a_pair_is_told_by_what_became_of_its_handoffs(workspace: Workspace) -> None:
    for n in range(4):
        taken(workspace, 10 * (n + 1), "accept", "complete")
    taken(workspace, 0, "reject")
    taken(workspace, 60, "accept")
    taken(workspace, 0)
    with pytest.raises(Wrong):
        sending.send(speaker(workspace), envelope(asked=""), "")

    line = lines(workspace)["supporttriage", "billing"]

    assert (line.seen, line.sent, line.completed, line.rejected, line.bounced) == (7, 7, 4, 1, 1)
    assert (line.open, line.waiting, line.ended, line.tries) == (2, 1, 5, 8)
    assert (line.p50_ms, round(line.p95_ms or 0)) == (30_000, 56_000)
    assert line.missing == (("asked", 1),)


def test_what_was_declared_and_seen_counts_once(workspace: Workspace) -> None:
    trace = bytes(range(16))
    run = make.run(workspace, traces=[trace])
    giver, taker = make.agent(workspace, "Support_Triage"), make.agent(workspace, "billing")
    for place in range(2):
        Handoff.objects.create(
            workspace_id=workspace.pk,
            run_id=run.id,
            place=place,
            at=timezone.now(),
            from_agent_id=giver.pk,
            to_agent_id=taker.pk,
            rule="explicit",
        )
    sending.send(speaker(workspace), envelope(run=trace.hex()), "")
    sending.send(speaker(workspace), envelope(run="another"), "")

    line = lines(workspace)["desk/supporttriage", "desk/billing"]

    assert (line.seen, line.sent) == (3, 2)


def test_agents_of_one_name_in_two_applications_are_two_pairs(workspace: Workspace, as_operator: Client) -> None:
    for application in ("desk", "shop"):
        make.agent(workspace, "support-triage", application)
        make.agent(workspace, "billing", application)
    all_of = speaker(workspace)
    for application, n in (("desk", 2), ("shop", 1)):
        for _ in range(n):
            sending.send(all_of, envelope(**{"from": f"{application}/support-triage"}), "")
    with pytest.raises(Wrong):
        sending.send(all_of, envelope(asked="", **{"from": "shop/support-triage"}), "")

    found = lines(workspace)
    page = as_operator.get("/handoffs/").content.decode()
    pair = as_operator.get("/handoffs/between/?from=shop/support-triage&to=shop/billing").content.decode()

    desk, shop = (found[f"{app}/supporttriage", f"{app}/billing"] for app in ("desk", "shop"))
    assert (desk.sent, desk.bounced, desk.waiting) == (2, 0, 2)
    assert (shop.sent, shop.bounced, shop.waiting) == (1, 1, 1)
    assert "shop/support-triage" in page
    assert "1 was sent back" in pair


def test_a_run_shows_a_handoff_once_that_was_declared_and_seen(workspace: Workspace) -> None:
    story = fold([])
    for n in range(2):
        story.handoffs.append(Seen("desk", "Support_Triage", "desk", "billing", n, "explicit", bytes([n]) * 8))
    row = sending.send(speaker(workspace), envelope(), "")

    said = [(line.sender, line.words) for line in handed(story, [row])]

    assert said == [("Support_Triage", "the span says so"), ("support-triage", "Sent")]


def test_the_finding_says_what_is_sent_back_and_why() -> None:
    line = Line(("a", "b"), "a", "b", seen=40, sent=36, bounced=4, missing=(("facts.order", 3),))

    said = finding([line], "the last 7 days")

    assert said.words == "10% of all declared handoffs were sent back"
    assert "".join(part.text for part in said.lede).endswith("a to b lost 4 tries, most often because of “order”.")
    assert finding([], "the last hour").words == "No agent handed over to another in the last hour"


def test_the_page_lists_pairs_and_handoffs(as_operator: Client, workspace: Workspace) -> None:
    taken(workspace, 12, "accept", "complete")

    page = as_operator.get("/handoffs/").content.decode()
    part = as_operator.get("/handoffs/?state=rejected", headers={"HX-Request": "true", "HX-Target": "passed"})

    assert "support-triage" in page
    assert "/handoffs/between/?from=support-triage&amp;to=billing" in page
    assert "No handoffs match" in part.content.decode()
    assert "<html" not in part.content.decode()


def test_what_agents_wrote_is_for_those_who_may_read_it(
    client: Client, workspace: Workspace, operator: User, admin: User
) -> None:
    row = sending.send(speaker(workspace), envelope(asked="Refund \u202e<b>Ann</b>", evidence=[{"id": "p-7"}]), "")
    said = {}
    for person in (operator, admin):
        client.force_login(person)
        said[person.username] = client.get(f"/handoffs/{row.pk}/").content.decode()

    assert "withheld" in said["operator"]
    assert "Ann" not in said["operator"]
    assert "Refund ⟨U+202E⟩&lt;b&gt;Ann&lt;/b&gt;" in said["admin"]
    assert "id p-7" in said["admin"]
    assert ">handed over<" in said["admin"]


def test_an_admin_says_what_a_pair_needs_once(as_admin: Client, workspace: Workspace) -> None:
    for _ in range(2):
        answer = as_admin.post("/handoffs/between/save/", NEEDS)

    assert (answer.status_code, answer["Location"]) == (302, PAIR)
    (row,) = Demand.objects.all()
    wanted = Demanded.of(row)
    assert wanted.facts == (Fact("order", "text"), Fact("note", "text", needed=False))
    assert wanted.classes is None
    assert Entry.objects.filter(workspace=workspace.pk, kind="handoff.demands").count() == 1
    assert "note?: text" in as_admin.get(PAIR).content.decode()


def test_who_writes_over_somebody_elses_version_is_told(as_admin: Client) -> None:
    as_admin.post("/handoffs/between/save/", NEEDS)

    answer = as_admin.post("/handoffs/between/save/", NEEDS | {"evidence": "3"})

    assert answer.status_code == 422
    assert b"Somebody else has changed this meanwhile" in answer.content
    assert as_admin.post("/handoffs/between/save/", NEEDS | {"evidence": "3", "version": "1"}).status_code == 302


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"facts": "order"}, "is not a name, a colon and one of"),
        ({"facts": "order: poem"}, "is not a name, a colon and one of"),
        ({"facts": "a: text\na: flag"}, "A fact is named twice"),
        ({"evidence": "-1"}, "greater than or equal to 0"),
        ({"classes": "p i i", "limited": "on"}, "At most 20 names"),
        ({"receiver": "Support_Triage"}, "to another agent"),
        ({"sender": ""}, "Name the agent that hands over"),
    ],
)
def test_a_bad_wish_is_told_what_is_wrong(as_admin: Client, change: dict[str, Any], words: str) -> None:
    answer = as_admin.post("/handoffs/between/save/", NEEDS | change)

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Demand.objects.exists()


def test_no_sensitive_data_at_all_is_something_one_can_ask_for(as_admin: Client) -> None:
    as_admin.post("/handoffs/between/save/", NEEDS | {"limited": "on"})

    assert Demanded.of(Demand.objects.get()).classes == ()
    assert DemandForm.of("a", "b", Demanded(classes=())).initial["limited"]


def test_those_who_may_not_change_it_read_what_is_needed(client: Client, workspace: Workspace, admin: User) -> None:
    client.force_login(admin)
    client.post("/handoffs/between/save/", NEEDS | {"limited": "on", "classes": "pii"})
    reader = User.objects.create_user("reader")
    Membership.objects.create(user=reader, workspace=workspace, roles=["reviewer"])
    client.force_login(reader)

    page = client.get(PAIR).content.decode()

    assert "Only pii may go along" in page
    assert "<textarea" not in page


@pytest.mark.parametrize("path", ["/handoffs/?cursor=x", "/handoffs/?range=x", f"{PAIR}&cursor=WzEsIngiXQ"])
def test_an_address_that_cannot_be_is_refused(as_operator: Client, path: str) -> None:
    assert as_operator.get(path).status_code == 400
