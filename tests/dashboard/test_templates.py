"""What no template may hold, whoever writes it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2] / "templates"
TEMPLATES = sorted(ROOT.rglob("*.html"))
COMMENTS = re.compile(r"\{#.*?#\}", re.S)


NEVER = {
    r"\|\s*safe\b|autoescape\s+off|mark_safe|safeseq": "trusts what it is given",
    r"\sstyle\s*=|\son[a-z]+\s*=|javascript:": "the content policy forbids it",
    r'<style(?![^>]* nonce="\{\{ request\.csp_nonce \}\}"></style>)': "and this",
    r"<script(?![^>]*\bsrc=)": "scripts are files",
    r"hx-(on|vals=.js|vars)": "htmx may not evaluate",
    r"https://": "nothing comes from another host",
}


def test_a_template_says_its_context_and_trusts_nothing() -> None:
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in TEMPLATES}
    wrong = [
        (name, why)
        for name, markup in ((name, COMMENTS.sub("", text)) for name, text in texts.items())
        for pattern, why in NEVER.items()
        if re.search(pattern, markup)
    ]

    assert len(texts) > 200
    assert [name for name, text in texts.items() if not text.startswith("{# ")] == [], "it opens with its context"
    assert wrong == []


def depth(path: Path) -> int:
    base = re.search(r'\{% extends "([^"]+)"', path.read_text())
    return 1 + depth(ROOT / base[1]) if base else 0


def test_no_template_is_built_on_more_than_two_others() -> None:
    assert [str(path.relative_to(ROOT)) for path in TEMPLATES if depth(path) > 2] == []


def test_what_goes_wide_is_marked_so_in_code_too() -> None:
    trusting = [
        str(path)
        for folder in ("dashboard", "escalations", "orchestration")
        for path in (ROOT.parent / folder).rglob("*.py")
        if re.search(r"mark_safe|SafeString|format_html_join", path.read_text())
    ]

    assert trusting == []
