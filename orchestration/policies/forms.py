"""A condition as rows that a person fills in, and back: comparisons, ranges, membership, text, joined by all and any.

A form is two levels deep: groups joined by `joiner`, and the rows within a group by the other one. What does not fit
(sums, functions, deeper nesting) stays CEL: `form_reading` says so with None rather than showing something like it.

A value is written as it is meant: a number, a text, or the name of a fact (`limit`). A text that looks like one of the
other two stands in single quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestration.policies.vocabulary import ANY_FIELD, Type, field_of, near

ALL, ANY = "all", "any"
_SIGNS = {ALL: "&&", ANY: "||"}
OTHER = {ALL: ANY, ANY: ALL}

OPS: dict[str, str] = {
    "le": "is at most",
    "lt": "is below",
    "ge": "is at least",
    "gt": "is above",
    "between": "is between",
    "eq": "is",
    "ne": "is not",
    "one_of": "is one of",
    "none_of": "is none of",
    "contains": "contains",
    "not_contains": "does not contain",
    "starts": "starts with",
    "not_starts": "does not start with",
    "ends": "ends with",
    "not_ends": "does not end with",
    "includes": "includes",
    "excludes": "does not include",
    "so": "is so",
    "not_so": "is not so",
    "yes": "is yes",
    "no": "is no",
    "known": "is known",
    "unknown": "is not known",
}
BARE = frozenset({"so", "not_so", "yes", "no", "known", "unknown"})  # that need no value
LISTS = frozenset({"one_of", "none_of"})
COMPARED = {"le": "<=", "lt": "<", "ge": ">=", "gt": ">", "eq": "==", "ne": "!="}
METHODS = {"contains": "contains", "starts": "startsWith", "ends": "endsWith"}
NEGATED = {"so": "not_so", "one_of": "none_of", "includes": "excludes", "known": "unknown"} | {
    op: f"not_{op}" for op in METHODS
}
_PLAIN = {negated: op for op, negated in NEGATED.items()}

_NUMERIC = ("le", "lt", "ge", "gt", "between", "eq", "ne", "one_of", "none_of")
_TEXTUAL = ("contains", "not_contains", "starts", "not_starts", "ends", "not_ends")
_KNOWN = ("known", "unknown")
OPS_OF: dict[Type, tuple[str, ...]] = {
    Type.NUMBER: (*_NUMERIC, *_KNOWN),
    Type.WHOLE: (*_NUMERIC, *_KNOWN),
    Type.TEXT: ("eq", "ne", "one_of", "none_of", *_TEXTUAL, *_KNOWN),
    Type.FLAG: ("so", "not_so", *_KNOWN),
    Type.TEXTS: ("includes", "excludes", *_KNOWN),
    Type.MAP: (*_NUMERIC, *_TEXTUAL, "yes", "no", "so", "not_so", *_KNOWN),  # a field below: of any type
}
NUMBERS = (Type.NUMBER, Type.WHOLE)

NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,12})?")
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
MOST_ROWS = 60


@dataclass(frozen=True, slots=True)
class Row:
    """`second` is the upper end of `between`; the values of `one_of` stand with commas."""

    field: str
    op: str
    value: str = ""
    second: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """No group at all: the policy speaks in every case."""

    joiner: str = ALL
    groups: tuple[tuple[Row, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class BadRow:
    group: int
    row: int
    message: str
    near: tuple[str, ...] = ()


class BadForm(ValueError):
    def __init__(self, *faults: BadRow) -> None:
        self.faults = faults
        super().__init__("; ".join(fault.message for fault in faults))


def write(form: Form, seen: tuple[str, ...] = ()) -> str:
    """The condition as CEL, a line for each group. Raises BadForm with every row that cannot be meant. `seen`: fields
    that agents have sent, for near names."""
    if sum(map(len, form.groups)) > MOST_ROWS:
        raise BadForm(BadRow(0, 0, f"At most {MOST_ROWS} rows fit. Split the rule into several policies."))
    faults: list[BadRow] = []
    groups = []
    for place, group in enumerate(form.groups):
        rows = []
        for at, row in enumerate(group):
            try:
                rows.append((row.op, _row(row, seen)))
            except ValueError as error:
                names = error.args[1] if len(error.args) > 1 else ()
                faults.append(BadRow(place, at, str(error.args[0]), tuple(names)))
        if rows:
            groups.append(rows)
    if faults:
        raise BadForm(*faults)
    lone = len(groups) == 1
    inner = f" {_SIGNS[OTHER[form.joiner]]} "
    flat = form.joiner == ALL  # where a range needs no brackets: it is two more comparisons of the chain
    written = []
    for rows in groups:
        alone = flat and len(rows) == 1
        texts = [f"({text})" if op == "between" and not alone else text for op, text in rows]
        written.append(_group(texts, inner, lone))
    return f"\n  {_SIGNS[form.joiner]} ".join(written) or "true"


def _group(rows: list[str], inner: str, lone: bool) -> str:
    return rows[0] if len(rows) == 1 else inner.join(rows) if lone else f"({inner.join(rows)})"


def _row(row: Row, seen: tuple[str, ...]) -> str:
    kind = kind_of(row.field)
    if kind is None:
        if not row.field.strip():
            raise ValueError("Choose a fact.")
        subject = "signal" if row.field.startswith(("signal.", "target.")) else "ask"
        raise ValueError(f"There is no fact {row.field}.", near(row.field, seen, subject=subject))
    if row.op not in OPS_OF[kind]:
        raise ValueError(f"{row.field} is {_about(kind)}: choose another comparison.")
    return _bare(row) if row.op in BARE else _compared(row, kind)


def _compared(row: Row, kind: Type) -> str:
    if row.op == "between":
        low, high = _value(row.value, kind), _value(row.second, kind)
        return f"{row.field} >= {low} && {row.field} <= {high}"
    if row.op in LISTS:
        values = ", ".join(_value(part.strip(), kind) for part in row.value.split(","))
        return f"{'!(' if row.op == 'none_of' else ''}{row.field} in [{values}]{')' if row.op == 'none_of' else ''}"
    if row.op in COMPARED:
        return f"{row.field} {COMPARED[row.op]} {_value(row.value, kind)}"
    plain, value = _PLAIN.get(row.op, row.op), _value(row.value, Type.TEXT)
    said = f"{value} in {row.field}" if plain == "includes" else f"{row.field}.{METHODS[plain]}({value})"
    if plain == row.op:
        return said
    return f"!({said})" if plain == "includes" else f"!{said}"


def _bare(row: Row) -> str:
    if row.op in _KNOWN:
        said = f"'{row.field}' in known" if row.field in ANY_FIELD else f"has({row.field})"
        return said if row.op == "known" else f"!({said})" if row.field in ANY_FIELD else f"!{said}"
    return {
        "so": row.field,
        "not_so": f"!{row.field}",
        "yes": f"{row.field} == true",
        "no": f"{row.field} == false",
    }[row.op]


def _value(text: str, kind: Type) -> str:
    """A value as CEL has it."""
    if not text.strip():
        raise ValueError("Give a value.")
    if kind in NUMBERS or kind == Type.MAP:
        if NUMBER.fullmatch(text.strip()):
            return text.strip()
        if kind != Type.MAP:
            return _number_named(text.strip())
    if kind_of(text) is not None:
        return text
    return _quoted(text[1:-1] if is_quoted(text) else text)


def _number_named(text: str) -> str:
    if kind_of(text) in NUMBERS:
        return text
    raise ValueError(f"{text[:40]} is no number, and no fact that is one.")


def is_quoted(text: str) -> bool:
    return len(text) > 2 and text[0] == text[-1] == "'"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def kind_of(path: str) -> Type | None:
    """What a row compares: the type of a fact; MAP for a field below an open one. None: there is no such thing."""
    if not _PATH.fullmatch(path):
        return None
    field = field_of(path)
    if field is None:
        return None
    if field.name == path:
        return None if field.type in (Type.MAP, Type.NUMBERS, Type.TIME) or path == "known" else field.type
    if field.type == Type.MAP:
        return Type.MAP
    return Type.NUMBER if field.type == Type.NUMBERS else None


def ops_for(path: str) -> tuple[str, ...]:
    """The comparisons that a fact takes; all of an open field where it is not known."""
    return OPS_OF[kind_of(path) or Type.MAP]


def _about(kind: Type) -> str:
    return {Type.FLAG: "yes or no", Type.TEXTS: "a list of texts", Type.MAP: "a field of any type"}.get(
        kind, f"a {kind}"
    )
