"""Rules back into text, and the part of a rule that decided, with the values that it was decided on. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from orchestration.lib.told import dumps
from orchestration.policies.syntax import Node, resolve

_BINARY = {"_&&_": ("&&", 2), "_||_": ("||", 1), "@in": ("in", 4)} | {
    f"_{op}_": (op, 4) for op in ("==", "!=", "<", "<=", ">", ">=")
} | {"_+_": ("+", 5), "_-_": ("-", 5), "_*_": ("*", 6), "_/_": ("/", 6), "_%_": ("%", 6)}  # fmt: skip
_MIRRORED = {"@in", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"}
VALUE_CHARS = 80


def written(node: Node, inside: int = 0) -> str:
    """The text of an expression, with the parentheses that it needs."""
    if node.kind == "const":
        return _constant(node.value)
    if node.kind in ("name", "select") and (path := node.path):
        return f"has({path})" if node.tests else path
    if node.kind == "list":
        return f"[{', '.join(map(written, node.parts))}]"
    if node.kind == "call":
        return _call(node, inside)
    return "…"  # macros are shown as the admin wrote them, which is at hand as text


def _call(node: Node, inside: int) -> str:
    if node.value in _BINARY:
        operator, level = _BINARY[node.value]
        left, right = written(node.parts[0], level), written(node.parts[1], level + 1)
        text = f"{left} {operator} {right}"
        return f"({text})" if level < inside else text
    if node.value == "!_":
        return f"!{written(node.parts[0], 7)}"
    if node.value == "-_":
        return f"-{written(node.parts[0], 7)}"
    if node.value == "_?_:_":
        text = " ".join((written(node.parts[0], 1), "?", written(node.parts[1], 1), ":", written(node.parts[2], 1)))
        return f"({text})" if inside else text
    if node.value == "_[_]":
        return f"{written(node.parts[0], 8)}[{written(node.parts[1])}]"
    return f"{node.value}({', '.join(map(written, node.parts))})"


def parts_of(node: Node, joiner: str) -> list[Node]:
    """The operands of a chain of `_&&_` or `_||_`, flat and in order."""
    if node.kind == "call" and node.value == joiner:
        return [part for each in node.parts for part in parts_of(each, joiner)]
    return [node]


def because(node: Node, facts: Mapping[str, Any], holds: Callable[[Node], bool | None], wanted: bool) -> str:
    """Why an expression came out as `wanted`: the operands that made it so, each with its values. `holds` tells an
    operand's own result."""
    joiner = "_||_" if wanted else "_&&_"
    deciding = [part for part in parts_of(node, joiner) if holds(part) is wanted] or [node]
    return "; ".join(_with_values(part, facts) for part in deciding[:3])


def _with_values(node: Node, facts: Mapping[str, Any]) -> str:
    names = [part.path for part in node.walk() if part.kind in ("name", "select") and part.path]
    longest = [name for name in dict.fromkeys(names) if not any(other.startswith(f"{name}.") for other in names)]
    known = [f"{name} is {shown(_value(facts, name))}" for name in longest if resolve(facts, name)]
    return written(node) + (f" ({', '.join(known)})" if known else "")


def _value(facts: Mapping[str, Any], path: str) -> Any:
    names = path.split(".")
    for length in range(len(names), 0, -1):
        if (head := ".".join(names[:length])) in facts:
            value = facts[head]
            for key in names[length:]:
                value = value[key]
            return value
    return None


def shown(value: Any) -> str:
    """A value as people read it, short."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    text = value if isinstance(value, str) else dumps(value, default=str).decode()
    return text if len(text) <= VALUE_CHARS else f"{text[: VALUE_CHARS - 1]}…"


def _constant(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
    return repr(value)
