"""Reading the environment."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from orchestration.config import env


@pytest.mark.parametrize("value", ["0", "65536", "eight", "-1", "8_000", "8000.0"])
def test_a_port_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("BATON_PORT", value)

    with pytest.raises(ImproperlyConfigured, match="BATON_PORT must be a whole number"):
        env.number("BATON_PORT", 8000, 1, 65535)
