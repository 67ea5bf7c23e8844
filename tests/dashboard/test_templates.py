"""What no template may hold, whoever writes it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "templates"
TEMPLATES = sorted(ROOT.rglob("*.html"))
COMMENTS = re.compile(r"\{#.*?#\}", re.S)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_says_its_context_and_trusts_nothing(path: Path) -> None:
    text = path.read_text()
    markup = COMMENTS.sub("", text)

    assert text.startswith("{# "), "it opens with a comment that names its context"
    assert not re.search(r"\|\s*safe\b|autoescape\s+off|mark_safe|safeseq", markup)
    assert not re.search(r"\sstyle\s*=|\son[a-z]+\s*=|javascript:", markup), "the content policy forbids it"
    assert not re.search(r'<style(?![^>]* nonce="\{\{ request\.csp_nonce \}\}"></style>)', markup), "and this"
    assert not re.search(r"<script(?![^>]*\bsrc=)", markup), "scripts are files"
    assert not re.search(r"hx-(on|vals=.js|vars)", markup), "htmx may not evaluate"
    assert "https://" not in markup, "nothing comes from another host"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_is_built_on_more_than_two_others(path: Path) -> None:
    depth, current = 0, path
    while base := re.search(r'\{% extends "([^"]+)"', current.read_text()):
        depth, current = depth + 1, ROOT / base[1]

    assert depth <= 2


def test_what_goes_wide_is_marked_so_in_code_too() -> None:
    trusting = [
        str(path)
        for folder in ("dashboard", "escalations", "orchestration")
        for path in (ROOT.parent / folder).rglob("*.py")
        if re.search(r"mark_safe|SafeString|format_html_join", path.read_text())
    ]

    assert trusting == []
