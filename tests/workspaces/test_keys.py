from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from orchestration.workspaces.keys import KeyRefused, MadeBefore, create_key, end, find, lend, revoke, rotate
from orchestration.workspaces.models import ApiKey, Membership, User, Workspace


def test_a_key_is_recognised_by_its_plain_text_alone(workspace: Workspace, admin: User) -> None:
    key, plain = create_key(workspace, "laptop", ["ingest", "read", "ingest"], ["refund"], admin)

    bearer = find(plain)

    assert bearer is not None
    assert (bearer.key_id, bearer.workspace_id, bearer.workspace) == (key.pk, workspace.pk, "default")
    assert (bearer.scopes, bearer.agents) == (frozenset({"ingest", "read"}), frozenset({"refund"}))
    assert (key.created_by, key.scopes) == (admin, ["ingest", "read"])
    assert find(plain + "x") is None
    assert find("\ud800") is None


def test_nothing_that_is_stored_tells_the_key(workspace: Workspace) -> None:
    key, plain = create_key(workspace, "laptop", ["ingest"])

    assert plain.startswith("bat_")
    assert len(plain) >= 4 + 43  # 256 bits in base64
    assert bytes(ApiKey.objects.get().digest) == hashlib.sha256(plain.encode()).digest()
    assert key.prefix == plain[:10]


def test_two_keys_are_never_alike(workspace: Workspace) -> None:
    assert len({create_key(workspace, "same", ["ingest"])[1] for _ in range(20)}) == 20


def test_a_turned_key_works_beside_the_old_one_until_that_is_revoked(workspace: Workspace) -> None:
    old, old_plain = create_key(workspace, "laptop", ["ingest"], ["refund"])
    ApiKey.objects.update(spans_per_second=7)
    old.refresh_from_db()

    new, new_plain = rotate(old)

    assert (new.name, new.scopes, new.agents, new.spans_per_second) == ("laptop", ["ingest"], ["refund"], 7)
    assert find(old_plain) is not None
    assert find(new_plain) is not None
    assert (revoke(old), revoke(old)) == (True, False)
    assert find(old_plain) is None
    assert find(new_plain) is not None


@pytest.mark.parametrize(
    ("listed", "agent", "may"),
    [
        ([], "triage", True),
        (["triage"], "Triage", True),
        (["triage"], "desk/triage", True),
        (["desk/triage"], "desk/triage", True),
        (["desk/tri-age"], "triage", True),
        (["desk/triage"], "shop/triage", False),
        (["triage"], "billing", False),
        (["desk/triage", "billing"], "desk/refund", False),
    ],
)
def test_a_key_speaks_for_the_agents_on_its_list_and_for_no_namesake(
    workspace: Workspace, listed: list[str], agent: str, may: bool
) -> None:
    bearer = find(create_key(workspace, "bot", ["decide"], listed)[1])

    assert bearer is not None
    assert bearer.speaks_for(agent) is may


@pytest.mark.parametrize(
    ("name", "scopes", "agents"),
    [
        ("x", ["fly"], []),
        ("x", [], []),
        ("", ["ingest"], []),
        ("x" * 81, ["ingest"], []),
        ("x", ["ingest"], ["a" * 257]),
    ],
)
def test_a_key_that_cannot_be_is_refused(workspace: Workspace, name: str, scopes: list[str], agents: list[str]) -> None:
    with pytest.raises(KeyRefused):
        create_key(workspace, name, scopes, agents)
    assert not ApiKey.objects.exists()


def test_the_command_prints_the_key_and_only_it(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_key", workspace="default", name="laptop", scopes="ingest, decide", agents="billing,refund")

    printed = capsys.readouterr()
    bearer = find(printed.out.strip())
    assert bearer is not None
    assert (bearer.scopes, bearer.agents) == (frozenset({"ingest", "decide"}), frozenset({"billing", "refund"}))
    assert (printed.out.count("\n"), printed.err) == (1, "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workspace": "claims", "name": "x", "scopes": "ingest"}, "manage.py create_workspace claims"),
        ({"workspace": "default", "name": "x", "scopes": "fly"}, "scopes are ingest, decide, work, read, admin"),
        ({"workspace": "default", "name": "x", "scopes": ","}, "given: none"),
        ({"workspace": "default", "name": " ", "scopes": "ingest"}, "1 to 80 characters"),
    ],
)
def test_the_command_says_what_to_do_instead(workspace: Workspace, options: dict[str, str], words: str) -> None:
    with pytest.raises(CommandError) as error:
        call_command("create_key", **options)

    assert words in str(error.value)
    assert not ApiKey.objects.exists()


def test_the_command_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        call_command("create_key", "--help")

    told = capsys.readouterr().out
    assert end.value.code == 0
    assert "\n  ingest   send telemetry and events" in told
    assert "manage.py create_key --workspace default --name laptop --scopes ingest" in told


def test_a_workspace_is_made_once(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_workspace", "claims", name="Claims department")
    call_command("create_workspace", "claims", name="Something else")

    assert Workspace.objects.get(slug="claims").name == "Claims department"
    assert "exists already" in capsys.readouterr().out


def test_a_workspace_gets_an_admin_who_can_look_into_it(operator: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_workspace", "history", admin=operator.username)
    call_command("create_workspace", "history", admin=operator.username)

    membership = Membership.objects.get(user=operator, workspace__slug="history")
    assert (membership.roles, membership.sees_content) == (["admin"], True)
    with pytest.raises(CommandError, match="Nobody has an account called 'nobody'"):
        call_command("create_workspace", "other", admin="nobody")
    assert not Workspace.objects.filter(slug="other").exists()


@pytest.mark.parametrize("slug", ["has space", "ä", "x" * 61, ""])
def test_a_slug_that_cannot_be_is_refused(db: None, slug: str) -> None:
    with pytest.raises(CommandError):
        call_command("create_workspace", slug)
    assert not Workspace.objects.filter(slug=slug).exists()


def test_a_key_ends_by_itself_and_never_later_than_it_would_have(workspace: Workspace) -> None:
    key, plain = create_key(workspace, "laptop", ["ingest"])
    soon, late = timezone.now() + timedelta(hours=1), timezone.now() + timedelta(hours=2)

    assert [end(key, late), end(key, soon), end(key, late)] == [True, True, False]

    key.refresh_from_db()
    assert key.ends_at == soon
    assert find(plain) is not None


def test_a_form_makes_one_key_which_another_person_cannot_learn(workspace: Workspace, admin: User) -> None:
    key, plain = create_key(workspace, "laptop", ["ingest"], created_by=admin, once="form")

    with pytest.raises(MadeBefore) as before:
        create_key(workspace, "laptop", ["ingest"], created_by=admin, once="form")

    assert (before.value.key, before.value.plain) == (key, plain)
    assert len(plain) == 4 + 43


def test_a_lent_key_lasts_two_minutes_and_old_ones_are_taken_away(workspace: Workspace, admin: User) -> None:
    lend(workspace, "Test span", "ingest", admin)
    ApiKey.objects.update(ends_at=timezone.now() - timedelta(hours=2))

    plain = lend(workspace, "Test span", "ingest", admin)

    lent = ApiKey.objects.get()
    assert find(plain) is not None
    assert lent.lent
    assert lent.ends_at is not None
    assert lent.ends_at - timezone.now() < timedelta(minutes=2)
