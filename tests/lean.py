"""What Django and Python would do for each test anew, or for tests that ask for it, of which there are none."""

from __future__ import annotations

import gc
import secrets
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings
from django.contrib import auth
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.base import DatabaseWrapper
from django.template import Template
from django.test import Client, TestCase
from django.test.client import MULTIPART_CONTENT
from django.utils import timezone
from django.utils.http import urlencode
from whitenoise.middleware import WhiteNoiseMiddleware


def draw_templates_plainly() -> None:
    """In tests Django keeps a copy of all that each template was given: more work than many a template is."""
    Template._render = lambda template, context: template.nodelist.render(context)  # type: ignore[attr-defined]


def look_for_static_files_once() -> None:
    """Each test's client has middleware of its own, which would look for all of them."""
    look, found = WhiteNoiseMiddleware.add_files_from_finders, dict[str, Any]()

    def remember(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            look(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    WhiteNoiseMiddleware.add_files_from_finders = remember


def log_in_by_one_row() -> None:
    """Of somebody who has just seen a page. Django makes a session, renews its key, notes the time and saves it again,
    and the first page saves it once more: twenty statements before most tests begin."""

    def log_in(client: Client, user: Any, backend: str | None = None) -> None:
        store, now = import_module(settings.SESSION_ENGINE).SessionStore(), timezone.now()
        data = {
            auth.SESSION_KEY: str(user.pk),
            auth.BACKEND_SESSION_KEY: backend or settings.AUTHENTICATION_BACKENDS[0],
            auth.HASH_SESSION_KEY: user.get_session_auth_hash(),
            "begun": int(now.timestamp()),
            "seen": int(now.timestamp()),
        }
        key, ends = secrets.token_hex(16), now + timedelta(seconds=settings.SESSION_COOKIE_AGE)
        store.model(session_key=key, session_data=store.encode(data), expire_date=ends).save(force_insert=True)
        client.cookies[settings.SESSION_COOKIE_NAME] = key

    Client.force_login = log_in  # type: ignore[assignment, method-assign]


def send_forms_as_browsers_do() -> None:
    """Whose forms are plain pairs where no file is among them, as in all of ours. Django writes and reads a field as a
    part with a head of its own, in a tenth of the time of what is asked."""

    def post(client: Client, path: str, data: Any = None, content_type: str = MULTIPART_CONTENT, **more: Any) -> Any:
        if content_type == MULTIPART_CONTENT:
            data, content_type = urlencode(data or {}, doseq=True), "application/x-www-form-urlencoded"
        return send(client, path, data, content_type, **more)

    send = Client.post
    Client.post = post  # type: ignore[assignment, method-assign]


def look_at_constraints_once() -> None:
    """Django asks the server whether it is there, after each test, before it has it check the constraints; and has it
    put them off again, in a transaction that ends there."""

    def there(test: TestCase, connection: BaseDatabaseWrapper) -> bool:
        return connection.connection is not None and not connection.connection.closed and not connection.needs_rollback

    def check(connection: BaseDatabaseWrapper, table_names: object = None) -> None:
        with connection.cursor() as cursor:
            cursor.execute("set constraints all immediate")

    TestCase._should_check_constraints = there  # type: ignore[attr-defined]
    DatabaseWrapper.check_constraints = check  # type: ignore[method-assign, assignment]


def say_how_each_test_ended(config: pytest.Config) -> None:
    """A process that shares the suite also says when a test begins and ends, and that it was set up and torn down as
    it should be: four messages of six, which are read only where somebody wants more than a dot of each test."""
    speaker = next((plugin for plugin in config.pluginmanager.get_plugins() if hasattr(plugin, "sendevent")), None)
    if speaker is None or config.get_verbosity() > 0 or config.option.durations or config.option.xmlpath:
        return
    send = speaker.sendevent

    def say(name: str, **told: Any) -> None:
        report = told.get("data", {}) if name == "testreport" else {}
        around = report.get("when") in ("setup", "teardown")
        unremarkable = around and report["outcome"] == "passed" and not report["sections"]
        if not unremarkable and name not in ("logstart", "logfinish"):
            send(name, **told)

    speaker.sendevent = say


def leave_alone_what_stays() -> None:
    """A million objects were collected, and stay until the end: the collector of cycles looks at them no more. And for
    what tests leave behind it looks less often than Python would, which was a thirtieth of their time."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()
