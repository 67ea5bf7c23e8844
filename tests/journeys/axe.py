"""axe on a page that is open in a browser: every finding, and nothing of what is well."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# What is well is neither described by axe nor carried out of the browser: that took most of the time.
OPTIONS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
    "preload": False,  # for a rule about rotated screens that is not among these
}
SCRIPT = Axe().axe_script
RUN = """([inside, options]) => axe.run(inside ?? document, options).then(found => found.violations.flatMap(
    each => each.nodes.map(node => [each.id, node.target, node.failureSummary])))"""
# Whether text can be read depends on its colour and size and on what lies behind it: most of a page was looked at on
# another page, where it was the same in all of these. axe is told to look at what is new; that halves its work.
MARK = """(known) => {
    const seen = new Set(known), fresh = [], behind = new Map([[null, ""]]);
    const ground = (element) => {
        if (!behind.has(element)) {
            const { backgroundColor, backgroundImage, opacity, position } = getComputedStyle(element);
            const kind = `${element.tagName}.${element.getAttribute("class")}`;
            const placed = position === "static" ? "" : `${position} ${kind}`;
            const own = [backgroundColor, backgroundImage, opacity, placed].join(" ");
            const bare = own === "rgba(0, 0, 0, 0) none 1 " ? "" : `|${own}`;
            behind.set(element, ground(element.parentElement) + bare);
        }
        return behind.get(element);
    };
    for (const element of document.body.querySelectorAll("*")) {
        const says = [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
        if (!says && !element.matches("input, select, textarea") || !element.checkVisibility()) continue;
        const { color, fontSize, fontWeight, textShadow } = getComputedStyle(element);
        const look = [color, fontSize, fontWeight, textShadow, ground(element)].join(" ");
        if (seen.has(look)) continue;
        seen.add(look);
        fresh.push(look);
        element.setAttribute("data-fresh", "");
    }
    return fresh;
}"""
UNMARK = "() => document.querySelectorAll('[data-fresh]').forEach(element => element.removeAttribute('data-fresh'))"
ONLY_MARKED = "() => axe.configure({rules: [{id: 'color-contrast', selector: '[data-fresh]'}]})"


WIDTHS = (320, 768, 1024, 1920)  # beside those of the two looks
_read: set[str] = set()  # looks of text on all pages so far
LOOKS = [(390, "dark"), (1440, "light")]  # the other two show the same parts and colours


def troubles(page: Page, inside: str | None = None) -> list[tuple[str, Any, str]]:
    """Rule, element and what to do about it; of the whole page, or of what is `inside` one element."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(SCRIPT)
        page.evaluate(ONLY_MARKED)
    _read.update(page.evaluate(MARK, list(_read)))
    found = [tuple(each) for each in page.evaluate(RUN, [inside, OPTIONS])]
    page.evaluate(UNMARK)
    return found


def dress(page: Page, width: int, theme: str) -> None:
    """Another width, and the theme turned as a press of T turns it. A page is opened at its narrowest: what was drawn
    for a wide window is drawn anew some time after it became narrow."""
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(
        """(theme) => {
            if (document.documentElement.dataset.theme === theme) return;
            document.documentElement.dataset.theme = theme;
            document.body.dispatchEvent(new CustomEvent("theme:changed"));
        }""",
        theme,
    )


def scrolls(page: Page) -> int:
    """By how much it is wider than its window."""
    return int(page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def faults(page: Page, widths: Iterable[int] = WIDTHS) -> list[tuple[Any, ...]]:
    """Of a page that was opened in the first look: by axe in both looks, and the widths at which it scrolls sideways.
    It is left in the first look for the next one."""
    found: list[tuple[Any, ...]] = []
    for look in LOOKS:
        dress(page, *look)
        found += [(*look, *trouble) for trouble in troubles(page)]
        found += [(*look, "scrolls sideways", wider)] if (wider := scrolls(page)) > 0 else []
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        found += [(width, "scrolls sideways", wider)] if (wider := scrolls(page)) > 0 else []
    dress(page, *LOOKS[0])
    return found
