"""What Django and Python would do for each test anew, or for tests that ask for it, of which there are none."""

from __future__ import annotations

import gc
import secrets
from datetime import timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib import auth
from django.db.backends.base.base import BaseDatabaseWrapper
from django.template import Template
from django.test import Client, TestCase
from django.utils import timezone
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


def look_at_constraints_unasked() -> None:
    """Django asks the server whether it is there, after each test, before it has it check the constraints."""

    def there(test: TestCase, connection: BaseDatabaseWrapper) -> bool:
        return connection.connection is not None and not connection.connection.closed and not connection.needs_rollback

    TestCase._should_check_constraints = there  # type: ignore[attr-defined]


def leave_alone_what_stays() -> None:
    """A million objects were collected, and stay until the end: the collector of cycles looks at them no more."""
    gc.collect()
    gc.freeze()
    gc.enable()
