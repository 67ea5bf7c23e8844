"""Numbers, durations, times and foreign text as people read them. One rule for each, used by every page.

Everything returns plain text and is escaped by the template like any other; nothing here is marked as safe.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils import timezone

from orchestration.lib.money import Money
from orchestration.lib.stats import ENOUGH

register = template.Library()

NO_VALUE = "\N{EN DASH}"
LONGEST_NAME = 200
LITTLE = Decimal("0.0001")
SEEN_BY = {
    "explicit": "the span says so",
    "a2a": "by a message between agents",
    "agent_below_tool": "the agent worked inside a tool call",
    "agent_below_agent": "the agent worked inside the other",
    "tool_name": "by the name of a tool",
    "argument": "by an argument of a tool",
    "requested": "asked for by the model",
    "graph_parent": "by its place in the graph",
    "sequence": "the agents followed each other",
    "human_step": "a step for people",
    "interrupt": "the run was interrupted",
    "approval": "a tool call that nobody allowed yet",
}
# Letters of no width and orders to turn the direction of writing: what looks alike would read differently.
_INVISIBLE = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
_KEPT = {"\n", "\t"}


@register.filter
def number(value: float | None) -> str:
    """4,218"""
    return NO_VALUE if value is None else f"{value:,.0f}"


@register.filter
def duration(ms: float | timedelta | None) -> str:
    """480 ms, 3.2 s, 48 s, 3 m 18 s, 3 h 40 m, 2 d 4 h: two units at most, and no more digits than matter."""
    if ms is None:
        return NO_VALUE
    if isinstance(ms, timedelta):
        ms = ms / timedelta(milliseconds=1)
    if ms < 0.95:
        return "0 ms" if ms <= 0 else "< 1 ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    if ms < 9_950:
        return f"{ms / 1000:.1f} s"
    return _long(round(ms / 1000))


def _long(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} m {seconds % 60} s" if seconds % 60 else f"{seconds // 60} m"
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} m" if minutes % 60 else f"{minutes // 60} h"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"


@register.filter
def percent(share: float | None) -> str:
    """18.4%; whole numbers from 99.95% on and for 0, so that what is not all never reads as all."""
    if share is None:
        return NO_VALUE
    if 0 < share < 0.001:
        return "< 0.1%"
    if 0.999 <= share < 1:
        return "> 99.9%"
    text = f"{share * 100:.1f}"
    return f"{text.removesuffix('.0')}%"


@register.filter
def rate(part: int | None, of: int | None) -> str:
    """A rate where there are enough cases for one, else the bare count: `18.4%` or `2 of 7`."""
    if part is None or not of:
        return NO_VALUE
    return percent(part / of) if of >= ENOUGH else f"{part:,} of {of:,}"


@register.filter
def interval(bounds: tuple[float, float] | None) -> str:
    """12.1 to 26.0%"""
    return f"{bounds[0] * 100:.1f} to {bounds[1] * 100:.1f}%" if bounds else ""


@register.filter
def cost(amount: Money | None) -> str:
    """0.0412 USD: four digits for what a run costs, two for a large sum. Unknown is a dash, and little is not 0."""
    if amount is None:
        return NO_VALUE
    if 0 < amount.amount < LITTLE:
        return f"< {LITTLE} {amount.currency}"
    digits = 2 if amount.amount >= 10 or amount.amount == 0 else 4
    return f"{amount.amount:,.{digits}f} {amount.currency}"


@register.filter
def size(count: int | None) -> str:
    """12.4 MB, in thousands as disks are sold."""
    if count is None:
        return NO_VALUE
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"


@register.filter
def clock(moment: datetime | None) -> str:
    """14:02:11, in the viewer's zone."""
    return timezone.localtime(moment).strftime("%H:%M:%S") if moment else NO_VALUE


@register.filter
def day_and_clock(moment: datetime | None) -> str:
    """14:02:11 today, 12 Nov 14:02 on another day, with the year where it is another one."""
    if moment is None:
        return NO_VALUE
    here, today = timezone.localtime(moment), timezone.localtime()
    if here.date() == today.date():
        return here.strftime("%H:%M:%S")
    return f"{here.day} {here.strftime('%b %H:%M' if here.year == today.year else '%b %Y %H:%M')}"


@register.filter
def exact(moment: datetime | None) -> str:
    """2026-11-22 14:02:11.482 UTC: the whole instant, for a title."""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S.%f %Z") if moment else ""


@register.filter
def ago(moment: datetime | None) -> str:
    """4 s ago, 3 m ago"""
    if moment is None:
        return "never"
    seconds = (timezone.now() - moment).total_seconds()
    return "now" if seconds < 1 else f"{_one_unit(seconds)} ago"


def _one_unit(seconds: float) -> str:
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


@register.filter
def visible(value: Any) -> str:
    """Foreign text with everything in it that hides or turns writing shown as a symbol: U+202E as ⟨U+202E⟩."""
    text = "" if value is None else str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(sign: str) -> str:
    if sign in _KEPT or unicodedata.category(sign) not in _INVISIBLE:
        return sign
    point = ord(sign)
    if point < 32:
        return chr(0x2400 + point)  # ␀ … ␟, the pictures of control characters
    return f"⟨U+{point:04X}⟩"


@register.filter
def named(value: Any) -> str:
    """A foreign name: visible, on one line, and not longer than a name may be."""
    text = " ".join(visible(value).split())
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"


@register.filter
def seen_by(rule: str) -> str:
    """By what a handoff or a question to a person was recognised (`workflows.story`), as its page says it."""
    return SEEN_BY.get(rule) or f"seen by {spaced(rule)}"


@register.filter
def spaced(value: str) -> str:
    """A word of ours as people read it: `tool_name` is `tool name`."""
    return value.replace("_", " ")


@register.filter
def short(identifier: Any) -> str:
    """The six signs by which people tell runs apart: the last ones, since the first are the time."""
    return str(identifier)[-6:]


@register.filter
def initials(person: str) -> str:
    """Two letters for a person's mark."""
    words = person.replace(".", " ").replace("_", " ").replace("-", " ").split()
    letters = words[0][:2] if len(words) == 1 else "".join(word[0] for word in words[:2])
    return letters.upper()


@register.filter
def plural(count: int | None, words: str) -> str:
    """`3|plural:"run,runs"` is `3 runs`."""
    one, _, many = words.partition(",")
    return f"{number(count)} {one if count == 1 else many}"


@register.inclusion_tag("parts/foreign.html")
def foreign(value: Any) -> dict[str, str]:
    """A name out of telemetry, marked as foreign and kept from turning the text around it."""
    return {"text": named(value)}


@register.inclusion_tag("parts/moment.html")
def moment(value: datetime | None, form: str = "day_and_clock") -> dict[str, Any]:
    """A `<time>` that says the instant as people read it, and exactly in its title."""
    shown = ago(value) if form == "ago" else clock(value) if form == "clock" else day_and_clock(value)
    return {"value": value, "shown": shown}


@register.simple_tag
@lru_cache(maxsize=200)
def icon(name: str) -> str:
    """Drawn once: a page has forty of them, which together took longer than anything else around its content."""
    return render_to_string("parts/icon.html", {"name": name})
