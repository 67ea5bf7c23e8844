"""A compiled CEL expression as a tree of plain values, read from the engine's own serialised form.

The messages are declared rather than generated: cel.expr's published field numbers, of which only the few that a tree
needs are named (cel-spec, proto/cel/expr/{checked,syntax}.proto). What is not named is skipped by protobuf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_KINDS = {
    "int64": _Field.TYPE_INT64,
    "uint64": _Field.TYPE_UINT64,
    "int32": _Field.TYPE_INT32,
    "bool": _Field.TYPE_BOOL,
    "double": _Field.TYPE_DOUBLE,
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
}
# message: field → (number, type; a capital letter begins a message, a + stands for "repeated"), oneof of those before |
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Any": {"value": (2, "bytes")},
    "Checked": {"expr": (4, "Expr"), "source": (5, "Source")},
    "Source": {"line_offsets": (3, "int32+"), "positions": (4, "Position+"), "macros": (5, "Macro+")},
    "Position": {"key": (1, "int64"), "value": (2, "int32")},
    "Macro": {"key": (1, "int64"), "value": (2, "Expr")},
    "Expr": {
        "id": (2, "int64"),
        "const": (3, "Constant"),
        "ident": (4, "Ident"),
        "select": (5, "Select"),
        "call": (6, "Call"),
        "list": (7, "List"),
        "struct": (8, "Struct"),
        "comprehension": (9, "Comprehension"),
    },
    "Ident": {"name": (1, "string")},
    "Select": {"operand": (1, "Expr"), "field": (2, "string"), "test_only": (3, "bool")},
    "Call": {"target": (1, "Expr"), "function": (2, "string"), "args": (3, "Expr+")},
    "List": {"elements": (1, "Expr+")},
    "Struct": {"entries": (2, "Entry+")},
    "Entry": {"map_key": (3, "Expr"), "value": (4, "Expr")},
    "Comprehension": {
        "iter_var": (1, "string"),
        "iter_range": (2, "Expr"),
        "accu_var": (3, "string"),
        "accu_init": (4, "Expr"),
        "loop_condition": (5, "Expr"),
        "loop_step": (6, "Expr"),
        "result": (7, "Expr"),
    },
    "Constant": {
        "null_value": (1, "int32"),
        "bool_value": (2, "bool"),
        "int64_value": (3, "int64"),
        "uint64_value": (4, "uint64"),
        "double_value": (5, "double"),
        "string_value": (6, "string"),
        "bytes_value": (7, "bytes"),
    },
}
_ONE_OF = {"Expr", "Constant"}


def _declare() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="baton/cel.proto", package="baton.cel", syntax="proto3")
    for message, fields in _MESSAGES.items():
        declared = file.message_type.add(name=message)
        if message in _ONE_OF:
            declared.oneof_decl.add(name="kind")
        for name, (number, kind) in fields.items():
            bare = kind.rstrip("+")
            field = declared.field.add(
                name=name,
                number=number,
                label=_Field.LABEL_REPEATED if kind.endswith("+") else _Field.LABEL_OPTIONAL,
                type=_KINDS.get(bare, _Field.TYPE_MESSAGE),
                type_name=None if bare in _KINDS else f".baton.cel.{bare}",
            )
            if message in _ONE_OF and name != "id":
                field.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"baton.cel.{name}")) for name in _MESSAGES
    }


_CLASSES = _declare()


@dataclass(frozen=True, slots=True)
class Node:
    """`kind`: const (`value`), name (`value`: the dotted name), select (`value`: field; `tests`: it is `has()`), call
    (`value`: function), list, map, loop. `at` is the offset in characters that the engine gives, -1 if none."""

    kind: str
    value: Any
    parts: tuple[Node, ...] = ()
    at: int = -1
    tests: bool = False

    def walk(self) -> Iterator[Node]:
        yield self
        for part in self.parts:
            yield from part.walk()

    @property
    def path(self) -> str:
        """`context.order.total` for a chain of fields that begins with a name; "" for anything else."""
        if self.kind == "name":
            return str(self.value)
        if self.kind == "select":
            head = self.parts[0].path
            return f"{head}.{self.value}" if head else ""
        if self.kind == "call" and self.value == "_[_]" and self.parts[1].kind == "const":
            head, key = self.parts[0].path, self.parts[1].value
            return f"{head}.{key}" if head and isinstance(key, str) else ""
        return ""


def tree(serialized: bytes) -> Node:
    """The tree of what `Expression.serialize()` gave."""
    checked = _CLASSES["Checked"].FromString(_CLASSES["Any"].FromString(serialized).value)
    return _node(checked.expr, {entry.key: entry.value for entry in checked.source.positions})


def reads(root: Node) -> frozenset[str]:
    """Dotted paths of all facts that an expression names, loop variables left out: the longest of each chain."""
    found: set[str] = set()
    _collect(root, frozenset(), found)
    return frozenset(found)


def resolve(facts: Any, path: str) -> bool:
    """Whether `path` is known in `facts`: a flat name, or a flat name and keys of the maps below it."""
    names = path.split(".")
    for length in range(len(names), 0, -1):
        head = ".".join(names[:length])
        if head in facts:
            missing = object()
            value = reduce(
                lambda found, key: found.get(key, missing) if isinstance(found, dict) else missing,
                names[length:],
                facts[head],
            )
            return value is not missing and value is not None
    return False


def _collect(node: Node, bound: frozenset[str], found: set[str]) -> None:
    path = node.path
    if path:
        if path.partition(".")[0] not in bound and not node.tests:
            found.add(path)
        return
    inner = bound | {str(name) for name in node.value} if node.kind == "loop" else bound
    for part in node.parts:
        _collect(part, inner, found)


def _node(expr: Any, positions: dict[int, int]) -> Node:
    kind = expr.WhichOneof("kind")
    if kind not in _READERS:
        return Node("const", None)
    told, value, parts = _READERS[kind](getattr(expr, kind))
    tests = kind == "select" and expr.select.test_only
    return Node(told, value, tuple(_node(part, positions) for part in parts), positions.get(expr.id, -1), tests)


def _constant(body: Any) -> tuple[str, Any, list[Any]]:
    which = body.WhichOneof("kind")
    return "const", None if which in (None, "null_value") else getattr(body, which), []


def _loop(body: Any) -> tuple[str, Any, list[Any]]:
    parts = [body.iter_range, body.accu_init, body.loop_condition, body.loop_step, body.result]
    return "loop", (body.iter_var, body.accu_var), parts


_READERS: dict[str, Callable[[Any], tuple[str, Any, list[Any]]]] = {
    "const": _constant,
    "ident": lambda body: ("name", body.name.lstrip("."), []),
    "select": lambda body: ("select", body.field, [body.operand]),
    "call": lambda body: ("call", body.function, [*([body.target] if body.HasField("target") else []), *body.args]),
    "list": lambda body: ("list", None, list(body.elements)),
    "struct": lambda body: ("map", None, [part for entry in body.entries for part in (entry.map_key, entry.value)]),
    "comprehension": _loop,
}
