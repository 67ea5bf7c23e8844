"""How figures, times and foreign text are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.template import Context, Template
from hypothesis import given
from hypothesis import strategies as st

from orchestration.lib.money import Money
from orchestration.lib.templatetags import baton


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "0 ms"),
        (0.4, "< 1 ms"),
        (480.2, "480 ms"),
        (999.6, "1.0 s"),
        (3_240, "3.2 s"),
        (48_000, "48 s"),
        (59_700, "1 m"),
        (198_000, "3 m 18 s"),
        (3 * 3_600_000 + 40 * 60_000, "3 h 40 m"),
        (3_599_600, "1 h"),
        (52 * 3_600_000, "2 d 4 h"),
        (timedelta(seconds=90), "1 m 30 s"),
    ],
)
def test_a_duration_has_two_units_at_most(ms: float | None, text: str) -> None:
    assert baton.duration(ms) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.184, "18.4%"), (0, "0%"), (1, "100%"), (0.9996, "> 99.9%"), (0.0004, "< 0.1%"), (0.5, "50%")]
)
def test_what_is_not_all_never_reads_as_all(share: float, text: str) -> None:
    assert baton.percent(share) == text


@pytest.mark.parametrize(("part", "of", "text"), [(2, 7, "2 of 7"), (3, 30, "10%"), (0, 0, "\N{EN DASH}")])
def test_no_rate_is_shown_below_thirty_cases(part: int, of: int, text: str) -> None:
    assert baton.rate(part, of) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0.041234", "0.0412 USD"),
        ("12.5", "12.50 USD"),
        ("0.00044", "0.0004 USD"),
        ("0.000012", "< 0.0001 USD"),
        ("0", "0.00 USD"),
    ],
)
def test_a_small_sum_keeps_the_digits_it_needs(amount: str, text: str) -> None:
    assert baton.cost(Money(Decimal(amount), "USD")) == text


def test_an_unknown_cost_is_not_zero() -> None:
    assert "0" not in baton.cost(None)


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (12_400_000, "12.4 MB"), (999_600, "1.0 MB"), (None, "–")])  # noqa: RUF001
def test_sizes_are_in_thousands(count: int | None, text: str) -> None:
    assert baton.size(count) == text


@pytest.mark.parametrize(("count", "text"), [(1, "1 run"), (0, "0 runs"), (1_234, "1,234 runs")])
def test_one_is_singular(count: int, text: str) -> None:
    assert baton.plural(count, "run,runs") == text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("approve\u202eevorppa", "approve⟨U+202E⟩evorppa"),
        ("zero\u200bwidth", "zero⟨U+200B⟩width"),
        ("bell\x07", "bell␇"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
        ("isolate\u2066x\u2069", "isolate⟨U+2066⟩x⟨U+2069⟩"),
        ("line\u2028break", "line⟨U+2028⟩break"),
        ("Größe 東京 🙂", "Größe 東京 🙂"),
    ],
)
def test_what_hides_or_turns_writing_is_shown(raw: str, shown: str) -> None:
    assert baton.visible(raw) == shown


@given(st.text())
def test_no_text_keeps_a_sign_that_cannot_be_seen(text: str) -> None:
    left = {sign for sign in baton.visible(text) if not sign.isprintable()}

    assert left <= {"\n", "\t"} | {sign for sign in text if sign.isspace()}
    assert not left & {"\u202e", "\u200b", "\u2066", "\x00", "\u2028", "\x85"}


def test_a_name_is_one_line_of_bearable_length() -> None:
    assert baton.named("a\nb" + "c" * 500) == "a b" + "c" * 197 + "…"


def test_foreign_names_are_escaped_and_marked() -> None:
    page = Template("{% load baton %}{% foreign name %}").render(Context({"name": '<b onload="x">'}))

    assert page == "<bdi data-untrusted>&lt;b onload=&quot;x&quot;&gt;</bdi>"


def test_a_moment_says_the_exact_instant_too() -> None:
    at = datetime(2026, 11, 22, 14, 2, 11, 482_000, UTC)

    page = Template("{% load baton %}{% moment at 'clock' %}").render(Context({"at": at}))

    assert ">14:02:11</time>" in page
    assert "2026-11-22 14:02:11.482000 UTC" in page


def test_what_never_happened_has_no_instant() -> None:
    assert "never" in Template("{% load baton %}{% moment at 'ago' %}").render(Context({"at": None}))


@pytest.mark.parametrize(("person", "mark"), [("admin", "AD"), ("ada.lovelace", "AL"), ("x", "X")])
def test_people_have_two_letters(person: str, mark: str) -> None:
    assert baton.initials(person) == mark
