"""A statement that each of Django's connections plans once, for what is done a hundred times a second: the ORM and the
planner together cost several times what the work does."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
            known = _ready.setdefault(connection.connection, set())
            if self._name not in known:
                cursor.execute(self._prepare)
                known.add(self._name)
            cursor.execute(self._execute, values)
            while cursor.nextset():
                pass
            return list(cursor.fetchall())

    def _numbered(self, found: re.Match[str]) -> str:
        if found[1] not in self._places:
            self._places.append(found[1])
        return f"${self._places.index(found[1]) + 1}"
