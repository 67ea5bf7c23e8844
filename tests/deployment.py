"""Looks at the settings as they are behind a proxy that speaks TLS, with Django's own checks for deployment."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "orchestration.config.settings"
    os.environ["BATON_PUBLIC_URL"] = "https://localhost"
    execute_from_command_line([sys.argv[0], "check", "--deploy", "--fail-level", "WARNING"])


if __name__ == "__main__":
    main()
