"""A condition written in CEL as the rows that it is, where rows can say it (`forms`). Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from orchestration.policies import cel
from orchestration.policies.explain import parts_of
from orchestration.policies.forms import (
    ALL,
    ANY,
    COMPARED,
    METHODS,
    NEGATED,
    NUMBER,
    NUMBERS,
    OPS_OF,
    OTHER,
    BadForm,
    Form,
    Row,
    is_quoted,
    kind_of,
    write,
)
from orchestration.policies.syntax import Node
from orchestration.policies.vocabulary import ANY_FIELD, Type

_CALLS = {ALL: "_&&_", ANY: "_||_"}
_BY_CALL = {f"_{sign}_": op for op, sign in COMPARED.items()}
_MIRRORED = {"le": "ge", "lt": "gt", "ge": "le", "gt": "lt", "eq": "eq", "ne": "ne"}
_BY_METHOD = {method: op for op, method in METHODS.items()}


class _Unfit(Exception):
    """An expression that no row can hold."""


def read(text: str, subject: str = "ask") -> Form | None:
    """The rows of a condition; None if it is more than rows can say. Raises cel.Invalid."""
    root = cel.compiled(text, subject).tree
    if root.kind == "const" and root.value is True:
        return Form()
    joiner = ANY if root.kind == "call" and root.value == _CALLS[ANY] else ALL
    inner = _CALLS[OTHER[joiner]]
    try:
        groups = [[_atom(part) for part in parts_of(each, inner)] for each in parts_of(root, _CALLS[joiner])]
        form = normal(Form(joiner, tuple(tuple(group) for group in groups)))
        cel.compiled(write(form), subject)
    except (_Unfit, BadForm, cel.Invalid):
        return None
    return form


def normal(form: Form) -> Form:
    """The one form of those that mean the same: ranges as one row, a lone group as rows of its own."""
    folded = _folded(form)
    if len(folded.groups) == 1:
        (group,) = folded.groups
        flipped = folded.joiner if len(group) == 1 else OTHER[folded.joiner]
        folded = _folded(Form(flipped, tuple((row,) for row in group)))
    return replace(folded, joiner=ALL) if len(folded.groups) <= 1 else folded


def _folded(form: Form) -> Form:
    groups = [group for group in form.groups if group]
    if form.joiner == ANY:
        return Form(ANY, tuple(tuple(_ranges(group)) for group in groups))
    made: list[tuple[Row, ...]] = []
    for group in groups:
        before = made[-1] if made else ()
        joined = _ranges([*before, *group]) if len(before) == len(group) == 1 else []
        if len(joined) == 1:
            made[-1] = tuple(joined)
        else:
            made.append(group)
    return Form(ALL, tuple(made))


def _ranges(rows: Sequence[Row]) -> list[Row]:
    """ "at least" followed by "at most" of the same fact is a range."""
    made: list[Row] = []
    for row in rows:
        before = made[-1] if made else None
        if before and row.op == "le" and before.op == "ge" and before.field == row.field:
            made[-1] = Row(row.field, "between", before.value, row.value)
        else:
            made.append(row)
    return made


def _atom(node: Node) -> Row:
    """Raises _Unfit."""
    if node.tests:
        return _checked(Row(_path(node), "known"))
    if node.kind in ("name", "select"):
        return _checked(Row(_path(node), "so"))
    if node.kind != "call":
        raise _Unfit
    reader = _CALL_READERS.get(node.value)
    if reader is None:
        raise _Unfit
    return _checked(reader(node))


def _checked(row: Row) -> Row:
    kind = kind_of(row.field)
    if kind is None or row.op not in OPS_OF[kind]:
        raise _Unfit
    return row


def _path(node: Node) -> str:
    path = node.path
    if kind_of(path) is None:
        raise _Unfit
    return path


def _comparison(node: Node) -> Row:
    op = _BY_CALL[node.value]
    left, right = node.parts
    if left.kind == "const" or (not left.path and right.path):
        left, right, op = right, left, _MIRRORED[op]
    path = _path(left)
    kind = kind_of(path)
    if right.kind == "const" and isinstance(right.value, bool):
        words = ("so", "not_so") if kind == Type.FLAG else ("yes", "no")
        if op != "eq" or kind not in (Type.FLAG, Type.MAP):
            raise _Unfit
        return Row(path, words[0] if right.value else words[1])
    return Row(path, op, _shown(right, kind))


def _membership(node: Node) -> Row:
    thing, place = node.parts
    if place.kind == "list":
        path = _path(thing)
        values = [_shown(part, kind_of(path)) for part in place.parts]
        if not values or any("," in value or value != value.strip() for value in values):
            raise _Unfit
        return Row(path, "one_of", ", ".join(values))
    if place.path == "known" and thing.kind == "const" and thing.value in ANY_FIELD:
        return Row(thing.value, "known")
    return Row(_path(place), "includes", _shown(thing, Type.TEXT))


def _negation(node: Node) -> Row:
    row = _atom(node.parts[0])
    if row.op not in NEGATED:
        raise _Unfit
    return replace(row, op=NEGATED[row.op])


def _method(node: Node) -> Row:
    target, said = node.parts
    return Row(_path(target), _BY_METHOD[node.value], _shown(said, Type.TEXT))


def _range(node: Node) -> Row:
    rows = _ranges([_atom(part) for part in parts_of(node, _CALLS[ALL])])
    if len(rows) != 1:
        raise _Unfit
    return rows[0]


_CALL_READERS: dict[str, Callable[[Node], Row]] = {
    **dict.fromkeys(_BY_CALL, _comparison),
    **dict.fromkeys(_BY_METHOD, _method),
    "@in": _membership,
    "!_": _negation,
    "_&&_": _range,
}


def _shown(node: Node, kind: Type | None) -> str:
    """A value as a person writes it into a row. Raises _Unfit."""
    if node.kind == "const":
        return _constant(node.value, kind)
    path = node.path
    found = kind_of(path) if path else None
    if found is None or (kind in NUMBERS and found not in NUMBERS):
        raise _Unfit
    return path


def _constant(value: Any, kind: Type | None) -> str:
    if isinstance(value, str):
        if not value.strip() or kind in NUMBERS or any(ord(sign) < 32 for sign in value):
            raise _Unfit  # what one line of a page cannot hold
        numeric = kind == Type.MAP and NUMBER.fullmatch(value.strip())
        return f"'{value}'" if numeric or kind_of(value) is not None or is_quoted(value) else value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unfit
    told = repr(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 and kind in NUMBERS:
        told = str(int(value))
    if not NUMBER.fullmatch(told):
        raise _Unfit
    return told
