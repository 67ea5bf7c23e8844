#!/usr/bin/env python
"""Django's commands. One that needs the database attaches to Baton's engines, or starts them for its own time."""

import gc
import os
import sys
from contextlib import nullcontext

NEED_NO_ENGINES = {"check", "demo", "findstatic", "help", "makemigrations", "up", "version"}


def proves_a_file(arguments: list[str]) -> bool:
    """Evidence is checked by whoever got it, who has no ledger."""
    return arguments[1] == "verify_ledger" and any(map(os.path.isfile, arguments[2:]))


def main(arguments: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestration.config.settings")
    if arguments[1:2] != ["demo"]:  # that one stays, and is a megabyte smaller for it
        gc.disable()  # what is imported stays: to look through it took a third of a command's start
    if arguments[1:2] == ["up"] and "--demo" in arguments:
        os.environ.setdefault("BATON_STATE", "var/demo")
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        from django.conf import settings

        from orchestration.config import engines

        helped = {"--help", "-h"} & set(arguments) or len(arguments) < 2
        needless = helped or arguments[1] in NEED_NO_ENGINES or proves_a_file(arguments)
        migrating = arguments[1:2] == ["migrate"]
        with nullcontext() if needless else engines.attached(settings.STATE, migrating=migrating):
            django.setup()
            if arguments[1:2] != ["up"]:  # which imports more, and enables it itself
                gc.freeze()
                gc.enable()
            execute_from_command_line(arguments)
    except ImproperlyConfigured as error:
        sys.exit(f"Baton cannot start: {error}")


if __name__ == "__main__":
    main(sys.argv)
