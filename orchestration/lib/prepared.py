"""A statement that each of Django's connections plans once, for what is done a hundred times a second: the ORM and the
planner together cost several times what the work does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connection

_ready: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()


class Prepared:
    """`statement` has named places, `%(name)s`. `first` goes before it in the same round trip and, where none runs yet,
    the same transaction: a lock, after which the statement sees what others have committed meanwhile."""

    def __init__(self, name: str, statement: str, first: str = "") -> None:
        self._name, self._places = name, list[str]()
        self._prepare = f"prepare {name} as " + re.sub(r"%\((\w+)\)s", self._numbered, statement)
        places = ", ".join(f"%({place})s" for place in self._places)
        self._execute = f"{first}; execute {name}({places})" if first else f"execute {name}({places})"

    def rows(self, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """What the statement returns. JSON comes as text."""
        with connection.cursor() as cursor:
            _make_ready(cursor, [self])
            cursor.execute(self._execute, values)
            while cursor.nextset():
                pass
            return list(cursor.fetchall())

    def _numbered(self, found: re.Match[str]) -> str:
        if found[1] not in self._places:
            self._places.append(found[1])
        return f"${self._places.index(found[1]) + 1}"


def together(statements: Sequence[Prepared], values: Mapping[str, Any]) -> list[list[tuple[Any, ...]]]:
    """What each of several statements returns, in one round trip. None of them has a `first`."""
    with connection.cursor() as cursor:
        _make_ready(cursor, statements)
        cursor.execute("; ".join(each._execute for each in statements), values)
        found = [list(cursor.fetchall())]
        while cursor.nextset():
            found.append(list(cursor.fetchall()))
        return found


def _make_ready(cursor: Any, statements: Sequence[Prepared]) -> None:
    """Where one could not be made, those before it stand nevertheless: then, as on a new connection, all begin anew."""
    known = _ready.pop(connection.connection, None)
    new = [each for each in statements if known is None or each._name not in known]
    if new:
        first = ["deallocate all"] if known is None else []
        cursor.execute("; ".join([*first, *(each._prepare for each in new)]))
    _ready[connection.connection] = (known or set()) | {each._name for each in new}
