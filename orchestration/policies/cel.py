"""The rule engine (CEL, by the cel-cpp library), behind one module, so that another can replace it.

What an admin writes is hostile until proved harmless (TRUST T7): no longer than `MOST_BYTES`, nested no deeper than
`MOST_NESTED`, typed when it is saved, and when it runs only a BOOL counts: the engine's error is a value too, and a
truthy one. The engine itself bounds iterations and matches regular expressions in linear time.

Whole numbers may stand where a fraction is meant (`action.amount <= 500`), which CEL refuses: such literals are made
fractions before compiling (`_promoted`), and places in errors are told as the admin wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

from orchestration.policies import syntax
from orchestration.policies.vocabulary import BY_SUBJECT, Type, near

MOST_BYTES = 2048
MOST_NESTED = 32
MOST_NODES = 400
PROMOTIONS = 64

_T = cel.Type
_TYPES = {
    Type.TEXT: _T.STRING,
    Type.NUMBER: _T.DOUBLE,
    Type.WHOLE: _T.DOUBLE,  # so that it compares with every other number
    Type.FLAG: _T.BOOL,
    Type.TIME: _T.TIMESTAMP,
    Type.MAP: _T.Map(_T.STRING, _T.DYN),
    Type.NUMBERS: _T.Map(_T.STRING, _T.DOUBLE),
    Type.TEXTS: _T.List(_T.STRING),
}
_ENVS = {
    subject: cel.NewEnv(variables={name: _TYPES[field.type] for name, field in fields.items()})
    for subject, fields in BY_SUBJECT.items()
}

_ERROR = re.compile(r"^(?:[A-Z_]+: )?ERROR: <input>:(\d+):(\d+): (.*)$", re.MULTILINE)
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '\((.*)\)'")
_SYNTAX = "Syntax error: "
_MISSING = re.compile(r"missing '(.)' at")
_MET = re.compile(r"(?:input|error at:) '(.*?)'(?: expecting|$)", re.DOTALL)
_NUMERAL = re.compile(r"(?<![\w.])\d+(?![\w.])")
_LIMIT = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?<![\w.])limits?(?:\.\w+)?(?![\w(.])""")
_NAME_END = re.compile(r"[A-Za-z_][\w.]*$")
_OPERATORS = {"@in": "in", "_&&_": "&&", "_||_": "||", "!_": "!", "_?_:_": "? :", "-_": "-", "_[_]": "[ ]"}
_WORDS = {
    "double": "a number",
    "int": "a whole number",
    "string": "a text",
    "bool": "yes or no",
    "timestamp": "a time",
    "duration": "a duration",
    "dyn": "any value",
    "map(string, dyn)": "fields",
    "list(string)": "a list of texts",
    "null": "null",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an expression, at which place of the text (both from 1), and what may have been meant."""

    message: str
    line: int = 1
    column: int = 1
    near: tuple[str, ...] = ()

    def __str__(self) -> str:
        meant = f" Did you mean {' or '.join(self.near)}?" if self.near else ""
        return f"{self.message}{meant}"


class Invalid(ValueError):
    """An expression that cannot be used."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__("; ".join(f"line {f.line}, column {f.column}: {f}" for f in faults))


@dataclass(frozen=True, slots=True)
class Program:
    """A condition ready to run. `reads`: dotted paths of the facts it names; `source`: the text that the engine has;
    `subject`: what it speaks of, an ask or a signal."""

    text: str
    tree: syntax.Node
    reads: frozenset[str]
    expression: Any
    source: str
    subject: str = "ask"

    def test(self, activation: Any) -> bool | str:
        """True or False; a text is the reason why it could not be told."""
        try:
            result = self.expression.eval(activation)
            value = result.value()
            if value is True or value is False:  # only a BOOL is one in Python; an error is a text here
                return bool(value)
            return str(value)[:200] if result.type() == _T.ERROR else "the rule gave no yes or no"
        except RuntimeError as error:
            return str(error)[:200]


def activation(facts: Mapping[str, Any], subject: str = "ask") -> Any:
    """Facts bound for as many programs as are to be tested on them. None stands for "not known", like an absent one."""
    return _ENVS[subject].Activation({name: value for name, value in facts.items() if value is not None})


@lru_cache(maxsize=4096)
def compiled(text: str, subject: str = "ask") -> Program:
    """Raises Invalid, with every fault that was found."""
    _bound(text)
    expression, source = _compile(text, subject)
    if expression.return_type() != _T.BOOL:
        raise Invalid(Fault(f"A condition is yes or no, but this is {_word(expression.return_type().name().lower())}."))
    try:
        root = syntax.tree(expression.serialize())
        parts = sum(1 for _ in root.walk())
    except RecursionError:
        parts = MOST_NODES + 1
    if parts > MOST_NODES:
        raise Invalid(Fault("The rule has too many parts. Split it into several policies."))
    return Program(text, root, syntax.reads(root), expression, source, subject)


def fixed(program: Program, limits: Mapping[str, float]) -> Program:
    """The same program with a policy's limits as constants in it, so that all policies run on one activation."""

    def constant(found: re.Match[str]) -> str:
        name = found[0].removeprefix("limits.")
        value = limits.get(name) if found[0][0] == "l" else None
        return found[0] if value is None else f"({float(value)!r})"

    text = _LIMIT.sub(constant, program.text)
    if text == program.text:
        return program
    return Program(program.text, program.tree, program.reads, *_compile(text, program.subject), program.subject)


def packed(programs: Sequence[Program]) -> Any:
    """One expression for several conditions: a number whose bits say which of them are true, or an error when one of
    them cannot be told. It is several times as quick as asking each. (A line ends before each bracket, since what was
    written may end in a comment.)"""
    return _ENVS["ask"].compile(" + ".join(f"(({each.source}\n) ? {1 << n} : 0)" for n, each in enumerate(programs)))


def bits(expression: Any, activation: Any) -> int | None:
    """What an expression of `packed` says; None: one of its conditions cannot be told."""
    try:
        value = expression.eval(activation).value()
    except RuntimeError:
        return None
    return value if type(value) is int else None


def _bound(text: str) -> None:
    if not text.strip():
        raise Invalid(Fault("The rule is empty. Write true if the policy speaks in every case."))
    if len(text.encode()) > MOST_BYTES:
        raise Invalid(Fault(f"The rule is longer than {MOST_BYTES:,} bytes. Split it into several policies."))
    if "\0" in text:
        raise Invalid(Fault("The rule holds a character that no text may hold (NUL)."))
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if depth > MOST_NESTED or text[at : at + MOST_NESTED] in ("!" * MOST_NESTED, "-" * MOST_NESTED):
            raise Invalid(Fault(f"The rule is nested more than {MOST_NESTED} deep.", *place(text, at)))


def _compile(text: str, subject: str) -> tuple[Any, str]:
    """The expression, its numerals made fractions one by one where types ask for it, and the text that this gave."""
    source = text
    promoted: list[int] = []  # offsets in `source` at which ".0" stands now
    for _ in range(PROMOTIONS):
        try:
            return _ENVS[subject].compile(source), source
        except RuntimeError as error:
            at = _promotable(source, str(error))
            if at is None:
                raise Invalid(*_faults(text, source, promoted, str(error), subject)) from None
            source = f"{source[:at]}.0{source[at:]}"
            promoted = sorted([*(p + 2 if p >= at else p for p in promoted), at])
    raise Invalid(Fault("The rule compares too many whole numbers with fractions."))


def _promotable(source: str, errors: str) -> int | None:
    """Where ".0" has to be put to cure the first mismatch of a whole number with a fraction, if that would cure it."""
    for line, column, message in _ERROR.findall(errors):
        found = _OVERLOAD.match(message)
        if not found or "double" not in found[2] or "int" not in found[2]:
            continue
        at = _offset(source, int(line), int(column))
        if found[1] == "@in" or "list" in found[2]:
            closing = source.find("]", at)
            numeral = _NUMERAL.search(source, at, closing if closing > 0 else len(source))
            return numeral.end() if numeral else None
        if found[2].startswith("int"):
            before = [n for n in _NUMERAL.finditer(source, 0, at) if not source[n.end() : at].strip(" )\n\t")]
            return before[-1].end() if before else None
        after = re.compile(r"[=<>!+*/%-]{1,2}[\s(+-]*(\d+)(?![\w.])").match(source, at)
        return after.end(1) if after else None
    return None


def _faults(text: str, source: str, promoted: list[int], errors: str, subject: str) -> list[Fault]:
    faults = []
    told = _ERROR.findall(errors)
    if told and told[0][2].startswith(_SYNTAX):  # what follows from it only confuses
        told = told[:1]
    for line, column, message in told:
        at = _offset(source, int(line), int(column))
        at -= 2 * sum(p < at for p in promoted)
        unknown = _UNDECLARED.match(message)
        if unknown:
            start = _NAME_END.search(text[: at + 1].rstrip("."))
            at = start.start() if start else at
            faults.append(_unknown(unknown[1], place(text, at), subject))
        else:
            faults.append(Fault(_plain(message), *place(text, at)))
    return faults or [Fault(f"The rule cannot be read: {errors.partition('[')[0].strip()[:200]}")]


def _unknown(name: str, place: tuple[int, int], subject: str) -> Fault:
    if name in ("true", "false") or not name:
        return Fault("The rule cannot be read here.", *place)
    return Fault(f"There is no fact {name}.", *place, tuple(near(name, subject=subject)))


def _plain(message: str) -> str:
    found = _OVERLOAD.match(message)
    if found:
        operator = _OPERATORS.get(found[1], found[1].strip("_"))
        operands = " and ".join(_word(part) for part in _split(found[2]))
        return f"{operator} does not take {operands}."
    if message.startswith(_SYNTAX):
        return _misread(message.removeprefix(_SYNTAX))
    return message[:1].upper() + message[1:].rstrip(".")[:200] + "."


def _misread(message: str) -> str:
    """What the parser met, without the list of all that it would have taken."""
    if found := _MISSING.match(message):
        return f"{found[1]} is missing here."
    found = _MET.search(message)
    met = found[1].strip() if found else ""
    if met in ("<EOF>", ""):
        return "The rule ends here, but something is missing."
    if met[0] in "'\"":
        return "The text that begins here never ends: its closing quotation mark is missing."
    return "= compares nothing: write ==." if met == "=" else f"{met[:40]} does not fit here."


def _split(operands: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(operands):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append(operands[start:place].strip())
            start = place + 1
    return [*parts, operands[start:].strip()]


def _word(kind: str) -> str:
    return _WORDS.get(kind.strip(), kind.strip())


def _offset(text: str, line: int, column: int) -> int:
    lines = text.splitlines(keepends=True)
    return min(sum(map(len, lines[: line - 1])) + column - 1, len(text))


def place(text: str, at: int) -> tuple[int, int]:
    """Line and column, both from 1."""
    before = text[:at]
    return before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1
