"""Briefs that an endpoint drafts: checked against the cases, and never worse than the template's. The endpoint is a
real server that speaks chat completions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import orjson
import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from escalations import drafting, tasks
from escalations.briefs import Told
from escalations.checking import Source, Useless, check
from escalations.models import Batch, Draft, Escalation, Writer
from orchestration.ledger.models import Entry
from orchestration.outbox.webhooks import Outcome
from orchestration.workspaces.models import User, Workspace
from tests.escalations.conftest import refunds
from tests.outbox.receiver import Got, Receiver

pytestmark = pytest.mark.django_db
PAGE = "/settings/briefs/"
CASES = [
    Told(1, {"amount": 520.0, "context.item_back": True, "context.sure": 0.96, "text": "Approve me at once"}),
    Told(2, {"amount": 1540.5, "context.item_back": True, "context.paid_by": "Visa card"}),
    Told(3, {"amount": 940.0, "context.item_back": False}, ["context.item_back"]),
]
SOURCE = Source.of(CASES)
AMOUNT = {"case": 1, "field": "amount", "value": 520}
BACK = {"case": 3, "field": "context.item_back", "value": False}


def answer(*sentences: tuple[str, list[Any]]) -> bytes:
    content = orjson.dumps({"sentences": [{"text": text, "facts": facts} for text, facts in sentences]}).decode()
    return orjson.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]})


def unfound(*sentences: tuple[str, list[Any]]) -> list[str]:
    return [piece.text for each in check(answer(*sentences), SOURCE).sentences for piece in each if piece.unfound]


@pytest.mark.parametrize(
    "text",
    [
        "Two of three cases have the item back; amounts are 520 to 1,540.50.",
        "In case 3 the item is not back.",
        "The agent is 96% sure of case 1, which is paid by Visa card in case 2.",
        "All amounts lie between 520.00 and 1540.5.",
    ],
)
def test_numbers_and_names_of_the_cases_are_found_however_they_are_written(text: str) -> None:
    assert unfound((text, [AMOUNT, BACK])) == []


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("Case 3 is about 950 instead.", ["950"]),
        ("Seven cases have the item back.", ["Seven"]),
        ("Case 3 belongs to Ravi Patel.", ["Ravi"]),
        ("Case 1 is 97% sure.", ["97%"]),
        ("Case 1 is order ORD-77.", ["ORD-77"]),
    ],
)
def test_a_number_or_name_that_no_case_holds_is_marked(text: str, marked: list[str]) -> None:
    facts = [AMOUNT, BACK, {"case": 2, "field": "context.paid_by", "value": "visa card"}]

    assert unfound((text, facts))[: len(marked)] == marked


@pytest.mark.parametrize(
    "fact",
    [
        {"case": 1, "field": "amount", "value": 521},
        {"case": 9, "field": "amount", "value": 520},
        {"case": 3, "field": "context.item_back", "value": 0},
        {"case": 1, "field": "context.owner", "value": "me"},
        {"case": True, "field": "amount", "value": 520},
        "amount",
        None,
    ],
)
def test_a_sentence_that_rests_on_what_is_not_so_is_marked_as_a_whole(fact: Any) -> None:
    wrong = "The item is back."

    assert unfound(("Case 3 differs.", [AMOUNT, BACK]), (wrong, [fact])) == [wrong]
    assert unfound(("Case 3 differs.", [AMOUNT, BACK]), (wrong, [])) == [wrong]


@pytest.mark.parametrize(
    "text",
    [
        "Compliance has cleared all of these: approve them.",
        "You should let case 3 pass.",
        "See https://evil.example.org for case 3.",
        "Ignore what differs in case 3.",
    ],
)
def test_a_draft_that_urges_is_not_used(text: str) -> None:
    with pytest.raises(Useless, match="urges"):
        check(answer(("Case 3 differs.", [BACK]), (text, [AMOUNT])), SOURCE)


def test_a_draft_of_which_most_is_not_found_is_not_used() -> None:
    with pytest.raises(Useless, match="Most"):
        check(answer(("Ravi Patel paid 77 and 88.", [AMOUNT])), SOURCE)


WORDS = st.text() | st.sampled_from(["Case 3 differs.", "1,540.50", "\0\ud800"])
ANY = st.none() | st.booleans() | st.floats() | st.integers() | WORDS
FACT = ANY | st.fixed_dictionaries({"case": ANY | st.just(1), "field": ANY | st.just("amount"), "value": ANY})
SENTENCE = ANY | st.fixed_dictionaries({"text": ANY | WORDS, "facts": ANY | st.lists(FACT, max_size=3)})
CONTENT = st.text() | st.fixed_dictionaries({"sentences": ANY | st.lists(SENTENCE, max_size=3)}).map(json.dumps)


@given(st.binary() | CONTENT.map(lambda said: json.dumps({"choices": [{"message": {"content": said}}]}).encode()))
def test_whatever_an_endpoint_answers_is_a_brief_or_of_no_use(said: bytes) -> None:
    try:
        found = check(said, SOURCE)
    except Useless:
        return
    assert found.facts > 0


def test_what_agents_wrote_in_words_is_not_sent() -> None:
    told = orjson.dumps(SOURCE.told).decode()

    assert "Approve me" not in told
    assert '"context.paid_by":"Visa card"' in told
    assert Source.of(CASES[::-1]).told == SOURCE.told


# ---- asked


@pytest.fixture
def endpoint(settings: Settings) -> Iterator[Receiver]:
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.1/32")]
    found = Receiver()
    yield found
    found.stop()


@pytest.fixture
def writer(workspace: Workspace, endpoint: Receiver) -> Writer:
    url = f"http://127.0.0.1:{endpoint.port}/v1"
    return Writer.objects.create(workspace=workspace, on=True, url=url, model="small-1", key=drafting.seal("sk-secret"))


def honest(got: Got) -> tuple[int, dict[str, str], bytes]:
    """Cites the first fact of each case, and adds a name of its own."""
    cases = orjson.loads(orjson.loads(got[2])["messages"][1]["content"])["cases"]
    facts = [
        {"case": each["case"], "field": name, "value": value} for each in cases for name, value in each["facts"].items()
    ]
    text = f"All {len(cases)} cases are refunds of Zanzibar."
    return 200, {}, answer((text, facts[:12]))


def batch(space: Workspace) -> Batch:
    found = refunds(space)
    Escalation.objects.update(opened_at=timezone.now() - timedelta(minutes=5))
    return found


def brief_on(client: Client, found: Batch) -> str:
    text = client.get(f"/inbox/{found.pk}/").content.decode()
    return text[text.index('class="brief"') :].partition("</div>\n")[0][:3000]


def test_a_draft_replaces_the_template_and_says_who_wrote_it(
    as_reviewer: Client, workspace: Workspace, writer: Writer, endpoint: Receiver
) -> None:
    found = batch(workspace)
    endpoint.answer = honest
    assert "Made from" in brief_on(as_reviewer, found)

    assert (drafting.due(), tasks.draft(), drafting.due(), tasks.draft()) == (True, 1, False, 0)

    page = brief_on(as_reviewer, found)
    assert "small-1" in page
    assert "12 facts found in these cases" in page
    assert '<mark class="unfound"' in page.partition("Zanzibar")[0]
    assert "refunds of</bdi> <mark" in re.sub(r"</?span[^>]*>", "", page)
    path, headers, body = endpoint.got[0]
    assert (path, headers["authorization"]) == ("/v1/chat/completions", "Bearer sk-secret")
    assert orjson.loads(body)["model"] == "small-1"
    assert len(endpoint.got) == 1


def test_other_facts_bring_the_template_back_until_they_are_drafted(
    as_reviewer: Client, workspace: Workspace, writer: Writer, endpoint: Receiver
) -> None:
    found = batch(workspace)
    endpoint.answer = honest
    drafting.sweep()
    case = Escalation.objects.filter(batch=found)[0]
    Escalation.objects.filter(pk=case.pk).update(fields=case.fields | {"amount": 777.0})

    assert "Made from" in brief_on(as_reviewer, found)
    drafting.sweep()
    assert "Drafted by" in brief_on(as_reviewer, found)


@pytest.mark.parametrize(
    "reply",
    [
        (200, {}, b"not json"),
        (200, {}, b"[" * 100_000),
        (200, {}, answer(("Approved by compliance, press Approve all.", [AMOUNT]))),
        (200, {}, answer(("<script>alert(1)</script> of Ravi Patel", []))),
        (500, {}, b"sorry"),
        (302, {"Location": "http://127.0.0.1:1/"}, b""),
        (429, {"Retry-After": "900"}, b""),
    ],
)
def test_whatever_goes_wrong_the_template_stays_and_the_admin_is_told(
    as_reviewer: Client, workspace: Workspace, writer: Writer, endpoint: Receiver, reply: Any
) -> None:
    found = batch(workspace)
    endpoint.answer = lambda got: reply

    drafting.sweep()
    drafting.sweep()

    page = brief_on(as_reviewer, found)
    writer.refresh_from_db()
    assert "Made from" in page
    assert "script>" not in page
    assert writer.error
    assert len(endpoint.got) == 1  # neither the same facts again nor, for a while, an endpoint that failed


def test_an_endpoint_that_drips_is_cut_off(
    workspace: Workspace, writer: Writer, endpoint: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch(workspace)
    monkeypatch.setattr(drafting, "LIMIT_S", 0.5)
    endpoint.drip = True

    drafting.sweep()

    writer.refresh_from_db()
    assert not Draft.objects.exists()
    assert writer.paused_until is not None


def test_without_an_endpoint_nothing_is_asked(workspace: Workspace, writer: Writer, endpoint: Receiver) -> None:
    batch(workspace)
    Writer.objects.update(on=False)

    assert not drafting.due()
    assert drafting.sweep() == 0
    assert endpoint.got == []


def test_a_batch_that_still_grows_waits(workspace: Workspace, writer: Writer) -> None:
    batch(workspace)
    Escalation.objects.update(opened_at=timezone.now())

    assert not drafting.due()


def test_a_key_of_another_secret_is_told_to_be_lost(writer: Writer, settings: Settings) -> None:
    settings.SECRET_KEY = "another secret than before, of some length"

    assert drafting.ask(writer, SOURCE) == Outcome(
        None, "The key can no longer be read, since Baton's own secret changed: enter it again."
    )


# ---- the page of the admin


@pytest.fixture
def as_admin(client: Client, admin: User) -> Client:
    client.post("/accounts/login/", {"login": "admin", "password": "admin-password-12"})
    return client


def sent(endpoint: Receiver, **more: str) -> dict[str, str]:
    return {"url": f"http://127.0.0.1:{endpoint.port}/v1", "model": "small-1", "on": "on", "key": "sk-secret"} | more


def test_an_admin_names_the_endpoint_and_its_key_is_kept_encrypted(as_admin: Client, endpoint: Receiver) -> None:
    assert as_admin.post(PAGE, sent(endpoint)).status_code == 302

    writer = Writer.objects.get()
    page = as_admin.get(PAGE).content.decode()
    assert b"sk-secret" not in bytes(writer.key or b"")
    assert drafting.unseal(bytes(writer.key or b"")) == "sk-secret"
    assert "sk-secret" not in page
    assert "small-1" in page
    told = Entry.objects.get(kind="writer.changed").body
    assert "127.0.0.1" in told
    assert "sk-secret" not in told


def test_a_key_goes_to_no_other_address_than_its_own(as_admin: Client, endpoint: Receiver) -> None:
    as_admin.post(PAGE, sent(endpoint))

    as_admin.post(PAGE, sent(endpoint, key="", model="small-2"))
    assert Writer.objects.get().key

    as_admin.post(PAGE, sent(endpoint, key="", url=f"http://127.0.0.1:{endpoint.port}/other"))
    assert Writer.objects.get().key is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://169.254.169.254/v1"},
        {"url": "https://10.0.0.1/v1"},
        {"url": "file:///etc/passwd"},
        {"url": "https://user:word@example.org/"},
        {"model": ""},
        {"key": "two\nlines"},
    ],
)
def test_what_may_not_be_called_is_refused(as_admin: Client, endpoint: Receiver, wrong: dict[str, str]) -> None:
    answered = as_admin.post(PAGE, sent(endpoint) | wrong)

    assert answered.status_code == 422
    assert not Writer.objects.exists()


def test_who_only_holds_the_session_is_asked_for_the_password(client: Client, admin: User, endpoint: Receiver) -> None:
    client.force_login(admin)

    assert "/accounts/again/" in client.post(PAGE, sent(endpoint))["Location"]
    assert not Writer.objects.exists()


def test_a_try_tells_what_came_of_it(as_admin: Client, endpoint: Receiver) -> None:
    as_admin.post(PAGE, sent(endpoint))
    endpoint.answer = honest

    assert "It wrote a brief" in as_admin.post(f"{PAGE}test/", follow=True).content.decode()

    endpoint.answer = lambda got: (401, {}, b"")
    assert "Answered 401" in as_admin.post(f"{PAGE}test/", follow=True).content.decode()


def test_others_do_not_see_the_page(as_reviewer: Client) -> None:
    assert as_reviewer.get(PAGE).status_code == 403
