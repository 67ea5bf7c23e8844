"""What Django and Python would do for each test anew, or for tests that ask for it, of which there are none."""

from __future__ import annotations

import gc
from typing import Any

from django.template import Template
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


def leave_alone_what_stays() -> None:
    """A million objects were collected, and stay until the end: the collector of cycles looks at them no more."""
    gc.collect()
    gc.freeze()
    gc.enable()
