"""How far back an answer looks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestration.lib.window import BadWindow, parse_window, window_text


@pytest.mark.parametrize(
    ("text", "hours"), [("1h", 1), ("24h", 24), ("36h", 36), ("1d", 24), ("7d", 168), ("30d", 720), ("720h", 720)]
)
def test_hours_and_days_are_windows(text: str, hours: int) -> None:
    assert parse_window(text) == timedelta(hours=hours)


@pytest.mark.parametrize(
    "text", ["", "h", "0h", "31d", "721h", "1", "1w", "-1h", "1h ", "01h", "1H", "99999h", "\u0661h", "1h\n"]
)
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(BadWindow):
        parse_window(text)


@pytest.mark.parametrize(("text", "shortest"), [("24h", "24h"), ("1d", "24h"), ("168h", "7d"), ("36h", "36h")])
def test_a_window_is_written_as_short_as_can_be(text: str, shortest: str) -> None:
    assert window_text(parse_window(text)) == shortest
