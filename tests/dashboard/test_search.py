"""The jump list: what is found, in which order, and for whom."""

from __future__ import annotations

import html
import re
from uuid import uuid4

import pytest
from django.test import Client

from orchestration.workspaces.models import Membership, User, Workspace
from tests import make, scenes
from tests.dashboard.conftest import Scene, play, played, region

one_run = scenes.scene(lambda: play(make.workspace()))


@pytest.fixture
def scene(workspace: Workspace) -> Scene:
    return played(workspace)


def found(client: Client, q: str) -> list[str]:
    """The addresses of the results, in their order."""
    text = client.get("/search/", {"q": q}, headers=region("results")).content.decode()
    return re.findall(r'<a href="([^"]+)"', text)


def test_places_agents_workflows_and_runs_are_found_by_name(as_operator: Client, scene: Scene) -> None:
    assert "/agents/desk-billing/" in found(as_operator, "bill")
    assert "/workflows/refund/" in found(as_operator, "refund")
    assert "/settings/profile/" in found(as_operator, "prof")
    assert f"/runs/{scene.run.id}/" in found(as_operator, str(scene.run.id)[-6:])


def test_what_begins_so_comes_before_what_holds_it(as_operator: Client, workspace: Workspace) -> None:
    for name in ("late-refund", "refund", "xrefundx"):
        make.agent(workspace, name)

    names = [each for each in found(as_operator, "refu") if each.startswith("/agents/")]

    assert names == ["/agents/desk-refund/", "/agents/desk-late-refund/", "/agents/desk-xrefundx/"]


def test_letters_in_order_are_enough_once_there_are_three(as_operator: Client, scene: Scene) -> None:
    assert "/agents/desk-billing/" in found(as_operator, "blg")
    assert "/agents/desk-billing/" not in found(as_operator, "bg")


@pytest.mark.parametrize("q", ["%", "_", "\\", "(", "[a", ".*", "'; --", "a" * 5000, "\0", "🙂" * 20, "⟨", "\u202e"])
def test_a_hostile_question_finds_nothing_and_breaks_nothing(as_operator: Client, scene: Scene, q: str) -> None:
    answer = as_operator.get("/search/", {"q": q})

    assert answer.status_code == 200
    assert b"\xe2\x80\xae" not in answer.content, "no sign that turns the text"


def test_an_id_goes_straight_to_its_run(as_operator: Client, scene: Scene) -> None:
    run, trace = str(scene.run.id), bytes(range(16)).hex()

    pages = [as_operator.get("/search/", {"q": q})["Location"] for q in (run, run.upper(), trace, f"  {trace} ")]
    jump = as_operator.get("/search/", {"q": trace}, headers=region("results"))

    assert pages == [f"/runs/{run}/"] * 4
    assert jump["HX-Redirect"] == f"/runs/{run}/"


def test_an_unknown_id_is_no_error(as_operator: Client, scene: Scene) -> None:
    answer = as_operator.get("/search/", {"q": str(uuid4())})

    assert answer.status_code == 200
    assert b"Nothing fits" in answer.content


def test_a_run_of_another_workspace_of_mine_is_offered_by_its_page(
    client: Client, scene: Scene, stranger: User
) -> None:
    client.force_login(stranger)
    assert client.get("/search/", {"q": str(scene.run.id)}).status_code == 200

    Membership.objects.create(user=stranger, workspace=scene.workspace, roles=["operator"])
    client.force_login(stranger)
    client.post("/workspace/", {"workspace": "elsewhere"})
    page = client.get("/search/", {"q": str(scene.run.id)}, follow=True)

    assert page.status_code == 404
    assert b"Switch to Default" in page.content


def test_nothing_of_another_workspace_is_found(client: Client, scene: Scene, stranger: User) -> None:
    client.force_login(stranger)

    for q in ("billing", "refund", str(scene.run.id)[-6:], "A-1001"):
        assert [each for each in found(client, q) if each.startswith(("/agents/", "/workflows/", "/runs/0"))] == []


def test_a_place_that_one_may_not_enter_is_absent(as_reviewer: Client) -> None:
    assert "/settings/keys/" not in found(as_reviewer, "keys")


def test_without_a_question_there_are_the_places_and_the_newest_runs(as_operator: Client, scene: Scene) -> None:
    links = found(as_operator, "")

    assert links[:2] == ["/", "/workflows/"]
    assert f"/runs/{scene.run.id}/" in links


def test_the_page_holds_what_the_fragment_holds(as_operator: Client, scene: Scene) -> None:
    page = as_operator.get("/search/", {"q": "bill"}).content.decode()
    part = as_operator.get("/search/", {"q": "bill"}, headers=region("results")).content.decode()

    assert part.strip() in page


def test_any_number_of_runs_costs_the_same_questions(
    as_operator: Client, workspace: Workspace, scene: Scene, django_assert_max_num_queries: object
) -> None:
    for _ in range(8):
        make.run(workspace, scene.flow, agents=[scene.triage.pk])

    with django_assert_max_num_queries(14):  # type: ignore[operator]
        as_operator.get("/search/", {"q": "refund"}, headers=region("results"))


def done(client: Client, q: str, at: str = "") -> list[str]:
    """The addresses of the acts on offer, in their order, from a page."""
    headers = region("results") | ({"HX-Current-URL": f"http://testserver{at}"} if at else {})
    text = client.get("/search/", {"q": q}, headers=headers).content.decode()
    acts = text.partition(">Do</h2>")[2].partition("</ul>")[0]
    return [html.unescape(each) for each in re.findall(r'(?:a href|action)="([^"]+)"', acts)]


@pytest.mark.parametrize(
    ("q", "address"),
    [
        ("new pol", "/policies/#new-policy"),
        ("guardrail", "/policies/#new-policy"),
        ("create a k", "/settings/keys/#new-h"),
        ("invite", "/settings/members/#new-h"),
        ("theme", "/settings/theme/"),
        ("density", "/settings/density/"),
        ("log out", "/accounts/logout/"),
    ],
)
def test_acts_are_found_by_their_words_and_by_others(as_admin: Client, q: str, address: str) -> None:
    assert done(as_admin, q)[0] == address


def test_an_act_that_one_may_not_do_is_absent(as_reviewer: Client, scene: Scene) -> None:
    everything = [each for q in ("new", "create", "invite", "test span", "edit") for each in done(as_reviewer, q)]

    assert everything == []
    assert done(as_reviewer, "theme") == ["/settings/theme/"]
    assert done(as_reviewer, "edit", f"/policies/{scene.policy.slug}/") == []


def test_the_page_in_view_is_acted_on(as_admin: Client, scene: Scene) -> None:
    there = "/agents/desk-billing/?range=1h&cursor=x"

    assert done(as_admin, "last 7", there)[0] == "/agents/desk-billing/?range=7d"
    assert done(as_admin, "", there)[0] == "/agents/desk-billing/?range=1h"
    assert "/runs/?agent=desk-billing" in done(as_admin, "", there)
    assert f"/policies/{scene.policy.slug}/edit/" in done(as_admin, "", f"/policies/{scene.policy.slug}/")


@pytest.mark.parametrize(
    "at", ["", "/no/such/", "/healthz", "//[", "/settings/keys/", "/runs/%00/", "javascript:alert(1)"]
)
def test_a_page_that_is_none_of_ours_is_not_acted_on(as_admin: Client, at: str) -> None:
    assert done(as_admin, "", at) == ["/settings/theme/", "/settings/density/"]
