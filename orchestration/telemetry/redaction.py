"""Takes secrets out of telemetry before anything readable is written. Pure, and run over every span.

Two steps, since hardly any span holds a secret: one look over all texts of a span at once by the Rust regular
expressions of pydantic-core (linear by construction, ten times as fast as Python's), and only what it points at is
gone through pattern by pattern. The look may cry wolf, but must see whatever a pattern would find.
Texts must be clean (`admission.clean`): what is not UTF-8 the look cannot see.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import Any

from pydantic_core import SchemaValidator, core_schema

KEYS_REMEMBERED = 50_000  # beyond that all are forgotten, so that made-up keys cannot fill the memory
NESTED = 64

# Heads are what both steps look for: no look-around, and spelled so that both engines read them alike.
_PEM = r"-----BEGIN [0-9A-Z ]{1,40}-----"
_JWT = r"eyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}"
_API_KEY = (
    r"(?:sk-[0-9A-Za-z_-]{16,}|[sprk]k_(?:live|test)_[0-9A-Za-z]{10,}|A[KS]IA[0-9A-Z]{16}|gh[pousr]_[0-9A-Za-z]{20,}"
    r"|github_pat_[0-9A-Za-z_]{20,}|glpat-[0-9A-Za-z_-]{16,}|xox[abeoprs]-[0-9A-Za-z-]{10,}|AIza[0-9A-Za-z_-]{30,}"
    r"|ya29\.[0-9A-Za-z_-]{20,}|hf_[0-9A-Za-z]{30,}|npm_[0-9A-Za-z]{30,}|bat_[0-9A-Za-z_-]{20,})"
)
_URL = r"://[^/ \t\r\n:@\"'<>]{0,64}:[^/ \t\r\n@\"'<>]{1,256}@"
_BEARER = r"(?i:bearer)(?:[ \t]|%20){1,4}[0-9A-Za-z._~+/=-]{12,}"
_NAME = (
    r"(?i:passw(?:or)?ds?|passphrase|pwd|secrets?|(?:secret|api|access|private)[_-]?keys?|[a-z][_-]?token|cookies?"
    r"|credentials?)"
)
_GIVEN = rf"{_NAME}\\*[\"']?[ \t]{{0,3}}[:=]"
_HEADER = r"(?i:authorization)\\*[\"']?[ \t]{0,3}[:=][ \t]{0,3}\\*[\"']?"
_CARD = (
    r"(?:[2-6][0-9]{12,18}|[2-6][0-9]{3} [0-9]{4} [0-9]{4} [0-9]{1,7}|[2-6][0-9]{3}-[0-9]{4}-[0-9]{4}-[0-9]{1,7}"
    r"|3[0-9]{3}[ -][0-9]{6}[ -][0-9]{4,5})"
)

is_suspicious = SchemaValidator(
    core_schema.str_schema(
        pattern=f"{_PEM}|{_JWT}|{_API_KEY}|{_URL}|{_BEARER}|{_GIVEN}|{_HEADER}|(?:^|[^0-9A-Za-z.]){_CARD}(?:$|[^0-9A-Za-z])",
        regex_engine="rust-regex",
    )
).isinstance_python

_PEM_BEGIN = re.compile(_PEM)
_PEM_END = re.compile(r"-----END [0-9A-Z ]{1,40}-----")
_ISSUER = re.compile(
    r"4[0-9]{12}(?:[0-9]{3}){0,2}|5[1-5][0-9]{14}|2(?:2[2-9]|[3-6][0-9]|7[01])[0-9]{13}|220[0-4][0-9]{12}|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}|35(?:2[89]|[3-8][0-9])[0-9]{12}|6(?:011|5[0-9]{2}|4[4-9][0-9]|22[0-9])[0-9]{12,15}"
)
_PLACE = r"(?!null\b|true\b|false\b|none\b|\[redacted:)"
_VALUE = (
    rf"(?:(?P<quote>\"){_PLACE}(?:[^\"\\]|\\.)+|(?P<tick>'){_PLACE}(?:[^'\\]|\\.)+"
    rf"|(?P<escaped>\\+[\"']){_PLACE}(?:[^\\\"]|\\++(?![\"']))+"
    rf"|{_PLACE}[^\s\"'\\,;&{{}}()\[\]<>$][^\s\"'\\,;&{{}}()\[\]<>]*)"
)
_PATTERNS = (
    ("jwt", re.compile(rf"(?<![0-9A-Za-z_-])(){_JWT}(?:\.[0-9A-Za-z_-]*)?")),
    ("key", re.compile(rf"(?<![0-9A-Za-z])(){_API_KEY}")),
    ("password", re.compile(r"((?<=://)[^/ \t\r\n:@\"'<>]{0,64}:)(?!\[redacted:)[^/ \t\r\n@\"'<>]{1,256}(?=@)")),
    ("token", re.compile(r"((?i:bearer)(?:[ \t]|%20){1,4})[0-9A-Za-z._~+/=-]{12,}")),
    ("token", re.compile(rf"({_HEADER}(?i:(?:basic|digest|token|apikey|negotiate)[ \t]+)?)[0-9A-Za-z._~+/=-]{{16,}}")),
    ("cookie", re.compile(r"((?i:cookies?)[ \t]{0,3}[:=][ \t]{0,3})(?!\[redacted:)[^\"'\r\n{\[\\ \t][^\"'\r\n\\]*")),
    ("secret", re.compile(rf"({_GIVEN}[ \t]{{0,3}})(?i:{_VALUE})", re.DOTALL)),
)
_CARDS = re.compile(rf"(?<![0-9A-Za-z.]){_CARD}(?![0-9A-Za-z]|-[0-9])")
_SENSITIVE = re.compile(
    r"passw(?:or)?d|passphrase|\bpwd\b|secret|(?:api|access|private)[_.-]?key|authorization|cookie|credential|token$",
    re.IGNORECASE,
)
_ABOUT = re.compile(  # a key that tells something about a secret, not the secret
    r"[._-](?:name|id|uid|count|type|kind|length|size|ttl|version|expir\w*|age|valid|present|required|status|state"
    r"|result|scheme|method|url|uri|endpoint)$",
    re.IGNORECASE,
)

_plain: set[str] = set()  # keys seen that name no secret


def redact_text(text: str) -> tuple[str, int]:
    """The text with `[redacted:<kind>]` in the place of each secret, and how many there were."""
    if not is_suspicious(text):
        return text, 0
    text, found = _without_pem(text)
    for kind, pattern in _PATTERNS:
        text, n = pattern.subn(partial(_hidden, kind), text)
        found += n
    cards = 0

    def hide_card(match: re.Match[str]) -> str:
        nonlocal cards
        if not is_card(match[0]):
            return match[0]
        cards += 1
        return "[redacted:card]"

    return _CARDS.sub(hide_card, text), found + cards


def redact_attributes(attributes: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Attributes without secrets, and how many there were. The very same dict when there are none."""
    if attributes.keys() <= _plain and not is_suspicious("\n".join(_texts(attributes.values()))):
        return attributes, 0
    return _redact_pairs(attributes, NESTED)


def is_card(text: str) -> bool:
    """Digits, perhaps in groups, that a payment network could have issued and whose check digit is right."""
    digits = text.replace(" ", "").replace("-", "")
    if not _ISSUER.fullmatch(digits):
        return False
    doubled = "".join(str(int(digit) * 2) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(map(int, doubled))) % 10 == 0


def is_sensitive(key: str) -> bool:
    """Whether what stands under this key is a secret whatever it looks like."""
    if key in _plain:
        return False
    if _SENSITIVE.search(key[-256:]) and not _ABOUT.search(key[-256:]):
        return True
    if len(_plain) >= KEYS_REMEMBERED:
        _plain.clear()
    _plain.add(key)
    return False


def _texts(values: Iterable[Any]) -> Iterable[str]:
    """Whatever could hold a secret, as text. Small numbers, flags and None cannot."""
    for value in values:
        kind = type(value)
        if kind is str:
            yield value
        elif kind is bytes:
            yield value.decode("utf-8", "replace")
        elif kind is list or kind is dict or (kind is int and value > 10**12):
            yield str(value)


def _redact_pairs(pairs: dict[str, Any], depth: int) -> tuple[dict[str, Any], int]:
    found, kept = 0, {}
    for key, value in pairs.items():
        if is_sensitive(key) and value and not isinstance(value, bool) and not _counts(key, value):
            kept[key], n = "[redacted:secret]", 1
        else:
            kept[key], n = _redact(value, depth)
        found += n
    return (kept, found) if found else (pairs, 0)


def _counts(key: str, value: Any) -> bool:
    """A number of tokens is no token."""
    return isinstance(value, int | float) and key.lower().endswith("token")


def _redact(value: Any, depth: int) -> tuple[Any, int]:
    if isinstance(value, str):
        return redact_text(value)
    if depth and isinstance(value, dict):
        return _redact_pairs(value, depth - 1)
    if depth and isinstance(value, list):
        done = [_redact(item, depth - 1) for item in value]
        return [item for item, _ in done], sum(n for _, n in done)
    if isinstance(value, bytes):
        return _redact_if_found(value, value.decode("utf-8", "replace"))
    if isinstance(value, int) and value > 10**12:
        return _redact_if_found(value, str(value))
    return value, 0


def _redact_if_found(value: Any, text: str) -> tuple[Any, int]:
    redacted, n = redact_text(text)
    return (redacted, n) if n else (value, 0)


def _without_pem(text: str) -> tuple[str, int]:
    """PEM blocks, by hand: a pattern for both ends would look for the end again and again. A block whose end was cut
    off goes on to the end of the text."""
    parts, at, found = [], 0, 0
    for begin in _PEM_BEGIN.finditer(text):
        if begin.start() < at:
            continue
        end = _PEM_END.search(text, begin.end())
        parts.append(text[at : begin.start()])
        at, found = end.end() if end else len(text), found + 1
    return "[redacted:pem]".join([*parts, text[at:]]), found


def _hidden(kind: str, match: re.Match[str]) -> str:
    opening = match.groupdict()
    quote = opening.get("quote") or opening.get("tick") or opening.get("escaped") or ""
    return f"{match[1]}{quote}[redacted:{kind}]"
