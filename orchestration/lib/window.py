"""How far back a page or an answer looks: `1h` to `30d`, and the points its small charts are made of."""

from __future__ import annotations

import re
from datetime import timedelta

POINTS = 24  # of a small chart, whatever the window
SHORTEST, LONGEST = timedelta(hours=1), timedelta(days=30)
_GRAMMAR = re.compile(r"([1-9]\d{0,3})([hd])", re.ASCII)


class BadWindow(ValueError):
    """A text that is no window; says what one looks like."""


def parse_window(text: str) -> timedelta:
    """`1h` … `720h`, `1d` … `30d`. Raises BadWindow."""
    match = _GRAMMAR.fullmatch(text)
    if match:
        found = timedelta(hours=int(match[1])) if match[2] == "h" else timedelta(days=int(match[1]))
        if SHORTEST <= found <= LONGEST:
            return found
    raise BadWindow("a number of hours (h) or days (d) from 1h to 30d, such as 24h")


def window_text(window: timedelta) -> str:
    """The shortest text that `parse_window` reads as this window."""
    days, rest = divmod(window, timedelta(days=1))
    return f"{days}d" if not rest and days > 1 else f"{window // timedelta(hours=1)}h"
