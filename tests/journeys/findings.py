"""What a page shows, or would do, that it may not: whether a browser has opened it or only read what was sent."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.journeys.hostile import MARKER, PAYLOADS

# Text that says the marker outside of what is marked as foreign; elements that no template of ours makes. Of a page
# that is read, it is all that would run or lead away; what an open one does with its scripts shows when it is open.
LOOK = f"""(html) => {{
  const page = html ? new DOMParser().parseFromString(html, "text/html") : document, found = [];
  const texts = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {{
    const node = texts.currentNode;
    const marked = node.parentElement.closest("[data-untrusted]");
    if (node.data.includes("{MARKER}") && !marked) found.push("text " + node.data);
  }}
  if (window.{MARKER} !== undefined) found.push("ran");
  if (page.title.includes("{MARKER}") && !page.querySelector("title[data-untrusted]")) found.push("title");
  const foreign = "script:not([src]), [onload], [onerror], [onmouseover], [style], [hx-on\\\\:click], iframe, math, "
    + "img, form[action^='http'], a[href^='javascript'], a[href^='http'], [src*='{MARKER}'], [hx-get='/{MARKER}'], "
    + "[src^='http'], [src^='//'], link[href^='http'], link[href^='//'], base, object, embed, meta[http-equiv]";
  const ours = ".js-plotly-plot *, #js-plotly-tester, #js-plotly-tester *, script[type='application/json']";
  for (const element of page.querySelectorAll(foreign)) {{
    const html = element.outerHTML;
    if (!element.matches(ours) || html.includes("{MARKER}")) found.push("element " + html.slice(0, 200));
  }}
  if (html) page.querySelectorAll("script").forEach((each) => each.remove());
  return [found, page.body.innerText];
}}"""
HIDING = set("\u202e\u202c\u200b\u2066\u2069\x00\x1b")  # signs that hide or turn writing


def findings(page: Page) -> list[str]:
    """Of what is open."""
    found: list[str] = page.evaluate(LOOK, "")[0]
    return found


def read(page: Page, html: str) -> tuple[list[str], set[str]]:
    """What is wrong with a page as it was sent, read by the browser without being opened, and the payloads on it."""
    found, text = page.evaluate(LOOK, html)
    return [*found, *raw(html)], said(text)


def raw(html: str) -> list[str]:
    """What came as it had been sent to us, though a browser may make something else of it."""
    hiding = sorted(HIDING & set(html))
    marks = [each for each in PAYLOADS if set("<\"'") & set(each) and each in html]
    return [f"sign {sign!a}" for sign in hiding] + [f"raw {each}" for each in marks]


def said(text: str) -> set[str]:
    """The payloads that can be read in a text, as far as they have signs that can be."""
    return {payload for payload in PAYLOADS if payload.split("\u202e")[0].split("\x00")[0] in text}
