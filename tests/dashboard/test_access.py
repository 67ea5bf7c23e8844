"""Who may see what: declared by every view, asked of every role, and of people of other workspaces."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from pytest_django import Settings

from orchestration.holds.models import Hold
from orchestration.ledger.models import Entry
from orchestration.outbox.models import Endpoint
from orchestration.policies.models import Policy, PolicyVersion
from orchestration.workspaces.models import ApiKey, Membership, User, Workspace
from tests import make, scenes
from tests.api.test_figures import Api
from tests.conftest import person
from tests.dashboard.conftest import Scene, play, played, region
from tests.dashboard.governed import SECRET, Governed, govern

MEMBER, OPERATOR, ADMIN = {"operator", "reviewer", "admin"}, {"operator", "admin"}, {"admin"}
PLAN_ACTS = ("cancel", "rollback", "retry", "again")
PAGES: dict[str, set[str]] = {
    "/": MEMBER,
    "/workflows/": MEMBER,
    "/workflows/refund/": MEMBER,
    "/workflows/new/": ADMIN,
    "/workflows/refund/edit/": ADMIN,
    "/workflows/refund/coordination/": MEMBER,
    "/workflows/refund/learn/": MEMBER,
    "/workflows/refund/triggers/": MEMBER,
    "/workflows/refund/versions/": MEMBER,
    "/workflows/refund/conformance/": MEMBER,
    "/workflows/refund/versions/1/": MEMBER,
    "/workflows/refund/versions/1.json": MEMBER,
    "/workflows/refund/diff/1..1/": MEMBER,
    "/runs/": MEMBER,
    "/runs/{declared}/plan/": MEMBER,
    "/runs/000102030405060708090a0b0c0d0e0f/": MEMBER,
    "/runs/{run}/": MEMBER,
    "/runs/{run}/?tab=steps": MEMBER,
    "/runs/{run}/?span={span}": MEMBER,
    "/agents/": MEMBER,
    "/agents/desk-billing/": MEMBER,
    "/policies/": MEMBER,
    "/policies/{policy}/": MEMBER,
    "/policies/{policy}/?tab=history": MEMBER,
    "/policies/{policy}/versions/1/": MEMBER,
    "/policies/{policy}/edit/": ADMIN,
    "/settings/": MEMBER,
    "/settings/profile/": MEMBER,
    "/settings/health/": OPERATOR,
    "/settings/connections/": OPERATOR,
    "/settings/members/": ADMIN,
    "/settings/keys/": ADMIN,
    "/settings/prices/": ADMIN,
    "/settings/webhooks/": ADMIN,
    "/inbox/": MEMBER,
    "/inbox/{batch}/": MEMBER,
    "/inbox/cases/{hold}/": MEMBER,
    "/settings/webhooks/{hook}/": ADMIN,
    "/policies/rosebud/": MEMBER,
    "/policies/rosebud/?tab=changes": MEMBER,
    "/policies/rosebud/versions/1/": MEMBER,
    "/policies/rosebud/diff/1..1/": MEMBER,
    "/policies/rosebud/edit/": ADMIN,
    "/ledger/": MEMBER,
    "/ledger/?as=evidence": MEMBER,
    "/ledger/{entry}/": MEMBER,
    "/ledger/{entry}/?verify=1": MEMBER,
    "/ledger/{entry}/?as=evidence": MEMBER,
    "/search/?q=rosebud": MEMBER,
    "/live/counts/": MEMBER,
    "/settings/retention/": ADMIN,
    "/inbox/uncovered/": MEMBER,
    "/inbox/samples/": MEMBER,
    "/inbox/precedents/": MEMBER,
    "/inbox/precedents/{precedent}/": MEMBER,
    "/load.csv": MEMBER,
    "/load.json": MEMBER,
    "/settings/skills/": {"reviewer", "admin"},
    "/settings/capacity/": {"reviewer", "admin"},
    "/settings/briefs/": ADMIN,
    "/settings/notifications/": {"reviewer", "admin"},
    "/actions/": MEMBER,
    "/actions/?state=attention": MEMBER,
    "/actions/{action}/": MEMBER,
    "/handoffs/": MEMBER,
    "/handoffs/between/?from=rosebud&to=billing": MEMBER,
    "/handoffs/{handoff}/": MEMBER,
    "/routing/": MEMBER,
    "/routing.csv": MEMBER,
    "/routing.json": MEMBER,
}
# Settings that are written to, and who may; each is asked for a thing that is not there, so that nothing is changed.
WRITES: dict[str, set[str]] = {
    "/settings/members/999/": ADMIN,
    "/settings/members/999/remove/": ADMIN,
    "/settings/members/999/second-step/": ADMIN,
    "/settings/invitations/999/withdraw/": ADMIN,
    "/settings/keys/999/rotate/": ADMIN,
    "/settings/keys/999/revoke/": ADMIN,
    "/settings/keys/999/limit/": ADMIN,
    "/settings/keys/limit/": ADMIN,
    "/settings/prices/999/restore/": ADMIN,
    "/settings/webhooks/999/test/": ADMIN,
    "/settings/webhooks/999/rotate/": ADMIN,
    "/settings/webhooks/999/remove/": ADMIN,
    "/settings/prices/start/": ADMIN,
    "/settings/prices/currency/": ADMIN,
    "/settings/retention/content/": ADMIN,
    "/settings/connections/test/": OPERATOR,
    "/settings/webhooks/999/messages/00000000-0000-0000-0000-000000000999/retry/": ADMIN,
    "/settings/webhooks/retry/": ADMIN,
    "/settings/skills/interests/": ADMIN,
    "/settings/briefs/test/": ADMIN,
    "/settings/skills/interests/999/remove/": ADMIN,
    "/settings/notifications/test/": {"reviewer", "admin"},
    "/settings/notifications/retry/": {"reviewer", "admin"},
    **{
        f"/policies/999/{step}/": ADMIN
        for step in ("publish", "shadow", "unshadow", "replay", "revert", "retire", "discard", "describe", "gate")
    },
    "/policies/second/": ADMIN,
    "/actions/limits/": ADMIN,
    "/actions/retry/": OPERATOR,
    "/handoffs/between/save/": ADMIN,
    **{f"/runs/00000000-0000-0000-0000-000000000999/plan/{act}/": OPERATOR for act in PLAN_ACTS},
    "/routing/limits/": ADMIN,
    "/routing/move/": OPERATOR,
    "/runs/cancel/": OPERATOR,
    "/agents/999/quarantine/": OPERATOR,
    "/workflows/999/pause/": OPERATOR,
    "/runs/00000000-0000-0000-0000-000000000999/cancel/": OPERATOR,
    **{
        f"/actions/00000000-0000-0000-0000-000000000999/{step}/": OPERATOR
        for step in ("undo", "approve", "decline", "retry")
    },
    **{
        f"/inbox/00000000-0000-0000-0000-000000000999/{step}/": {"reviewer", "admin"}
        for step in ("decide", "claim", "leave", "cases/00000000-0000-0000-0000-000000000999/run")
    },
    "/inbox/samples/00000000-0000-0000-0000-000000000999/": {"reviewer", "admin"},
    "/inbox/verdicts/00000000-0000-0000-0000-000000000999/undo/": {"reviewer", "admin"},
    "/inbox/precedents/00000000-0000-0000-0000-000000000999/revoke/": {"reviewer", "admin"},
    "/workflows/999/wishes/": ADMIN,
    "/workflows/999/coordination/switch/": ADMIN,
    **{f"/workflows/999/triggers/{act}/": OPERATOR for act in ("pause", "resume")},
    **{f"/workflows/999/{step}/": ADMIN for step in ("publish", "revert", "retire", "withdraw", "discard")},
}
# Asked of nobody in particular, or by their own tests: the stream, invitations, what a person sets for himself, a key.
ELSEWHERE = {"live", "join", "workspace", "theme", "density", "key", "keep_precedent"}
OBJECTS = [
    "/runs/{declared}/plan/",
    "/workflows/refund/",
    "/runs/{run}/",
    "/runs/{run}/?span={span}",
    "/agents/desk-billing/",
    "/policies/{policy}/",
    "/inbox/{batch}/",
    "/inbox/cases/{hold}/",
    "/actions/{action}/",
    "/handoffs/{handoff}/",
    "/inbox/precedents/{precedent}/",
]
OBJECTS += [
    path
    for path in PAGES
    if path.startswith(("/policies/rosebud/", "/ledger/{entry}/", "/settings/webhooks/{", "/workflows/refund/"))
]
REGIONS = {"/workflows/refund/": "funnel", "/runs/{run}/": "waterfall", "/agents/desk-billing/": "matrix"}
REGIONS |= {"/inbox/{batch}/": "batch", "/workflows/refund/edit/": "picture"}
REGIONS |= {"/workflows/refund/triggers/": "triggers"}
REGIONS |= {"/policies/rosebud/": "decided", "/policies/rosebud/edit/": "check", "/ledger/{entry}/?verify=1": "verify"}
ACTS = ["/inbox/verdicts/{hold}/undo/", "/inbox/{batch}/cases/{hold}/run/"]
ACTS += [f"/inbox/{{batch}}/{act}/" for act in ("decide", "claim", "leave")]
ACTS += [f"/settings/webhooks/{{hook}}/{act}/" for act in ("test", "rotate", "remove")]
ACTS += [f"/policies/rosebud{path[13:]}" for path in WRITES if path.startswith("/policies/999/")]
ACTS += [
    "/policies/rosebud/edit/",
    "/agents/desk-billing/quarantine/",
    "/workflows/refund/pause/",
    "/runs/{run}/cancel/",
    "/workflows/refund/wishes/",
    "/workflows/refund/coordination/switch/",
    *(f"/workflows/refund/triggers/{act}/" for act in ("pause", "resume")),
    *(f"/workflows/refund/{act}/" for act in ("edit", "learn", "publish", "revert", "retire", "withdraw", "discard")),
    "/inbox/precedents/{precedent}/revoke/",
]
ACTS += [f"/runs/{{declared}}/plan/{act}/" for act in PLAN_ACTS]
ACTS += [f"/actions/{{action}}/{act}/" for act in ("undo", "approve", "decline", "retry")]
LISTS = {
    "/policies/": "list",
    "/ledger/": "entries",
    "/ledger/?as=evidence": "",
    "/inbox/": "batches",
    "/inbox/precedents/": "",
    "/settings/webhooks/": "deliveries",
    "/search/?q=rosebu": "found",
    "/live/counts/": "",
    "/": "answers",
    "/actions/": "acts",
    "/handoffs/": "pairs",
    "/handoffs/?state=sent": "passed",
    "/runs/?q=rosebu": "list",
}
JSON = {
    "policies": 200,
    "policies/rosebud": 404,
    "policies/bundle": 200,
    "ledger/entries": 200,
    "ledger/entries/{entry}": 404,
    "ledger/entries/{entry}/proof": 404,
    "holds": 200,
    "holds/{hold}": 404,
    "actions": 200,
    "actions/{action}": 404,
    "handoffs": 200,
    "handoffs/{handoff}": 404,
    "runs/{run}/context": 404,
    "runs": 200,
    "runs/{run}": 404,
    "agents": 200,
    "agents/desk-billing": 404,
    "systems": 200,
    "systems/payments": 404,
    "workflows": 200,
    "workflows/refund": 404,
    "workflows/refund/coordination": 404,
    "workflows/refund/conformance": 404,
    "workflows/refund/standing": 404,
    "workflows/refund/triggers": 404,
    "overview": 200,
}


def views(resolver: URLResolver | None = None) -> list[tuple[str, Any]]:
    found = []
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            found += views(pattern)
        elif isinstance(pattern, URLPattern):
            found.append((str(pattern.pattern), pattern.callback))
    return found


def address(path: str, scene: Scene, more: Governed) -> str:
    return path.format(run=scene.run.id, span=scene.failed.id.hex(), policy=scene.policy.slug, **more.names)


@pytest.fixture(autouse=True)
def outside(settings: Settings, tmp_path: Path) -> None:
    settings.LEDGER_CHECKPOINTS = tmp_path


made: list[Governed] = []  # what it is called; its rows are read anew


def begin() -> None:
    space = make.workspace()
    play(space)
    made[:] = [govern(space, User.objects.create_user("author"))]


something_has_happened = scenes.scene(begin)


@pytest.fixture
def scene(workspace: Workspace) -> Scene:
    return played(workspace)


@pytest.fixture
def governed(workspace: Workspace) -> Governed:
    (names,) = made
    policy, hold = Policy.objects.get(pk=names.policy.pk), Hold.objects.get(pk=names.hold.pk)
    return replace(names, policy=policy, hold=hold, hook=Endpoint.objects.get(pk=names.hook.pk))


def named(path: str) -> str:
    """The name of the view behind an address, holes filled with what any would take."""
    one = UUID(int=1)
    return (
        resolve(
            path.partition("?")[0].format(
                run=one,
                hold=one,
                batch=one,
                entry=one,
                action=one,
                precedent=one,
                handoff=one,
                declared=one,
                hook=1,
                policy="p",
            )
        ).url_name
        or ""
    )


def test_every_screen_is_asked_of_every_role() -> None:
    ours = [resolver for resolver in get_resolver().url_patterns if isinstance(resolver, URLResolver)]
    names = {
        pattern.name
        for resolver in ours
        if resolver.app_name in ("dashboard", "escalations")
        for pattern in resolver.url_patterns
        if isinstance(pattern, URLPattern)
    }

    assert names - ELSEWHERE - {named(path) for path in (*PAGES, *WRITES)} == set()


def test_every_view_of_a_screen_says_whom_it_needs() -> None:
    ours = [(path, view) for path, view in views() if view.__module__.startswith(("dashboard", "escalations"))]

    assert len(ours) > 10
    assert [path for path, view in ours if not getattr(view, "needs", "")] == []


@pytest.fixture
def somebody(workspace: Workspace, role: str) -> User:
    person = User.objects.create_user("somebody", password="somebody-password-12")
    Membership.objects.create(user=person, workspace=workspace, roles=[role])
    return person


# All addresses in one test: what they stand on takes longer to make than they take to answer.
def test_a_page_is_for_those_roles_alone(workspace: Workspace, scene: Scene, governed: Governed) -> None:
    """Admins, who are let in everywhere, ask for every address; the others for one of each view, and where they are
    refused for a region, whose refusal is drawn without the frame around it."""
    found: dict[tuple[str, str], int] = {}
    refused = {(path, role) for path, roles in PAGES.items() for role in MEMBER - roles}
    one_each = {named(path): path for path in reversed(PAGES)}.values()
    for role in MEMBER:
        client = Client()
        client.force_login(person(workspace, f"only-{role}", role))
        for path in PAGES if role == "admin" else one_each:
            heads = region("said") if (path, role) in refused else {}
            found[path, role] = client.get(address(path, scene, governed), headers=heads).status_code

    assert {asked for asked, status in found.items() if status == 403} == refused & found.keys()
    assert {asked: status for asked, status in found.items() if status not in (200, 302, 403)} == {}


@pytest.mark.parametrize("role", ["operator", "reviewer", "admin"])
def test_a_setting_is_written_by_those_roles_alone(client: Client, somebody: User, role: str) -> None:
    client.post("/accounts/login/", {"login": "somebody", "password": "somebody-password-12"})

    # as a region, whose refusal is drawn without the frame around it
    found = {path: client.post(path, headers=region("said")).status_code for path in WRITES}

    refused = 422  # of a form that says nothing
    expected = {p: [403] if role not in WRITES[p] else [404] if "999" in p else [302, refused] for p in WRITES}
    assert {path: status for path, status in found.items() if status not in expected[path]} == {}


def test_a_setting_is_written_by_a_form_of_ours_alone(admin: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)

    found = {path: client.post(path) for path in WRITES}

    assert {path for path, answer in found.items() if answer.status_code != 403} == set()
    assert {path for path, answer in found.items() if b"too old to be sent" not in answer.content} == set()


def test_who_is_not_logged_in_is_asked_to_and_led_back(client: Client, scene: Scene, governed: Governed) -> None:
    there = [address(path, scene, governed) for path in PAGES]

    found = {path: client.get(path) for path in there}

    assert {path for path, answer in found.items() if answer.status_code != 302} == set()
    assert {path: answer["Location"] for path, answer in found.items()} == {
        path: f"/accounts/login/?next={quote(path)}" for path in there
    }
    assert not any(SECRET.encode() in answer.content for answer in found.values())


def test_a_region_whose_session_has_ended_sends_the_page_to_log_in(client: Client, db: None) -> None:
    answer = client.get("/", headers=region("answers") | {"HX-Current-URL": "http://testserver/?range=7d"})

    assert answer.status_code == 401
    assert answer["HX-Redirect"] == f"/accounts/login/?next={quote('/?range=7d')}"


def test_no_page_leads_to_another_host_after_log_in(client: Client, db: None) -> None:
    answer = client.get("/", headers=region("answers") | {"HX-Current-URL": "http://x.example//evil.example/"})

    assert answer["HX-Redirect"] == "/accounts/login/?next=/"


def test_things_of_another_workspace_are_not_there(
    client: Client, scene: Scene, governed: Governed, stranger: User
) -> None:
    client.force_login(stranger)
    there = {path: address(path, scene, governed) for path in OBJECTS}

    whole = {path: client.get(there[path]) for path in OBJECTS}
    part = {path: client.get(there[path], headers=region(REGIONS.get(path, "span"))) for path in OBJECTS}

    assert {path for path in OBJECTS if (whole[path].status_code, part[path].status_code) != (404, 404)} == set()
    assert {path for path in OBJECTS if b"Refund" in whole[path].content} == set()


def things() -> list[list[Any]]:
    return [list(model.objects.order_by("pk").values()) for model in (Policy, PolicyVersion, Hold, Endpoint, Entry)]


def test_nothing_is_done_to_things_of_another_workspace(
    client: Client, scene: Scene, governed: Governed, stranger: User
) -> None:
    client.post("/accounts/login/", {"login": stranger.username, "password": "stranger-password-12"})
    before, wrong = things(), {}
    form = {
        "answer": "approve",
        "revision": "0",
        "version": "1",
        "reason": "x",
        "name": "x",
        "url": "https://x.example/",
    }

    for path in ACTS:
        answer = client.post(address(path, scene, governed), form)
        if answer.status_code != 404 or things() != before:
            wrong[path] = answer.status_code

    assert wrong == {}


def test_no_list_tells_of_another_workspace(client: Client, governed: Governed, stranger: User) -> None:
    client.force_login(stranger)

    whole = {path: client.get(path) for path in LISTS}
    part = {path: client.get(path, headers=region(LISTS[path])) for path in LISTS}

    assert {path for path in LISTS if (whole[path].status_code, part[path].status_code) != (200, 200)} == set()
    secret = re.compile(f"{SECRET}|{governed.entry}|{governed.hold.pk}")
    assert {p for p in LISTS if secret.search((whole[p].content + part[p].content).decode())} == set()


def test_a_key_of_another_workspace_reads_nothing(scene: Scene, governed: Governed, stranger: User) -> None:
    theirs = Api(Workspace.objects.get(slug="elsewhere"), "read")
    ours = Api(governed.policy.workspace, "read")
    there = {path: address(path, scene, governed) for path in JSON}

    found = {path: theirs.get(there[path]) for path in JSON}

    assert {path: answer.status_code for path, answer in found.items()} == JSON
    told = {path: answer.content.decode().replace(path, "") for path, answer in found.items()}
    secret = re.compile(f"rosebud|billing|Refund|{governed.hold.pk}")
    assert {path for path, text in told.items() if secret.search(text)} == set()
    assert {path for path in JSON if JSON[path] == 404 and ours.get(there[path]).status_code != 200} == set()


@pytest.mark.parametrize("path", ["/", "/runs/", "/agents/", "/workflows/", "/settings/health/"])
def test_lists_show_nothing_of_another_workspace(client: Client, scene: Scene, stranger: User, path: str) -> None:
    client.force_login(stranger)

    text = client.get(path).content.decode()

    assert not re.search("billing|triage|Refund|A-1001", text)


def test_a_key_of_another_workspace_cannot_be_revoked(client: Client, workspace: Workspace, stranger: User) -> None:
    key = ApiKey.objects.create(workspace=workspace, name="k", prefix="bat_1", digest=b"1", scopes=["ingest"])
    client.post("/accounts/login/", {"login": stranger.username, "password": "stranger-password-12"})

    answer = client.post(f"/settings/keys/{key.pk}/revoke/")

    key.refresh_from_db()
    assert answer.status_code == 404
    assert key.revoked_at is None


def test_who_belongs_nowhere_is_told_so(client: Client, db: None) -> None:
    client.force_login(User.objects.create_user("lonely"))

    answer = client.get("/")

    assert answer.status_code == 403
    assert b"not a member of any workspace" in answer.content


def test_a_missing_role_is_named_with_who_can_grant_it(as_reviewer: Client, admin: User) -> None:
    text = as_reviewer.get("/settings/health/").content.decode()

    assert "people with the role operator" in text
    assert "admin can grant it" in text


def test_pages_are_read_and_not_written(client: Client, scene: Scene, governed: Governed, admin: User) -> None:
    client.post("/accounts/login/", {"login": "admin", "password": "admin-password-12"})
    paths = [path for path in PAGES if "span" not in path]

    found = {path: client.delete(address(path, scene, governed)).status_code for path in paths}

    assert {path: status for path, status in found.items() if status != 405} == {}


def test_what_changes_something_is_not_done_by_looking(as_operator: Client) -> None:
    paths = ["/workspace/", "/settings/theme/", "/settings/density/", *list(WRITES)[1:]]

    found = {path: as_operator.get(path).status_code for path in paths}

    assert {path: status for path, status in found.items() if status != 405} == {}


def test_pages_are_kept_by_nobody_in_between(as_operator: Client, scene: Scene) -> None:
    answer = as_operator.get("/runs/")

    assert "no-store" in answer["Cache-Control"]
    assert {"HX-Request", "HX-Target"} <= {name.strip() for name in answer["Vary"].split(",")}
