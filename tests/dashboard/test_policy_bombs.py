"""What an admin writes into the editor neither stalls Baton nor makes it tell of its insides (P15), over HTTP."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.test import Client

from orchestration.policies import versions
from orchestration.policies.models import PolicyVersion
from orchestration.workspaces.models import User, Workspace
from tests.api.door import Door, Reply
from tests.conftest import person
from tests.dashboard.policy_scene import BODY, draft, sent
from tests.policies.test_cel import BOMBS

pytestmark = pytest.mark.django_db(transaction=True)
EDIT = "/policies/refund-limit/edit/"
INSIDES = re.compile(r'Traceback|site-packages|/orchestration/|File "|panicked|RecursionError|0x[0-9a-f]{8}')
FORM, TOKEN = "application/x-www-form-urlencoded", "a" * 32
Post = Callable[..., Reply]


def is_taken(text: str) -> bool:
    """Some are bombs elsewhere and plain rules here: they do little work and come to an answer."""
    try:
        versions.checked(BODY | {"condition": text})
    except versions.BadBody:
        return False
    return True


@pytest.fixture
def editor(served: int, workspace: Workspace) -> Post:
    """Sends the editor's form as a browser does; fails when Baton answers late meanwhile."""
    admin: User = person(workspace, "author", "admin")
    draft(workspace, admin)
    client, door = Client(), Door(served)
    client.force_login(admin)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    cookies = f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={TOKEN}"

    def timed(work: Callable[[], Reply]) -> tuple[float, Reply]:
        begun = time.monotonic()
        answer = work()
        return time.monotonic() - begun, answer

    def post(condition: str, do: str, **headers: str) -> Reply:
        seen = PolicyVersion.objects.get().digest
        body = urlencode(sent(condition=condition, do=do, seen=seen), doseq=True).encode()
        with ThreadPoolExecutor(2) as threads:
            written = threads.submit(
                timed,
                lambda: door.send(EDIT, body, FORM, Cookie=cookies, X_CSRFToken=TOKEN, **headers),  # type: ignore[arg-type]
            )
            alive = threads.submit(timed, lambda: door.send("/healthz", method="GET"))
        (took, answer), (waited, health) = written.result(), alive.result()
        assert (took < 2, waited < 2, health.status) == (True, True, 200), (took, waited)
        return answer

    post("true", "show")  # what the first page of a process takes longer is no bomb's doing
    return post


def test_no_bomb_is_saved_stalls_anything_or_is_answered_with_insides(editor: Post) -> None:
    for text in BOMBS:
        version = PolicyVersion.objects.order_by("-pk").values("body", "digest").first()

        answer = editor(text, "save")

        assert answer.status == (302 if is_taken(text) else 422), text[:60]
        assert not INSIDES.search(answer.body.decode())
        if not is_taken(text):
            assert PolicyVersion.objects.order_by("-pk").values("body", "digest").first() == version


def test_no_bomb_stalls_the_check_while_it_is_typed(editor: Post) -> None:
    for text in BOMBS:
        answer = editor(text, "show", HX_Request="true", HX_Target="check")

        assert answer.status == 200
        assert is_taken(text) or "wrong" in answer.body.decode(), text[:60]
        assert not INSIDES.search(answer.body.decode())
